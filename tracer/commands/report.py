"""`ebtrace report`: a session as one HTML file."""

from __future__ import annotations

import gc
import os

import click

from tracer.errors import OutputError

__all__ = ("command",)


@click.command()
@click.argument("file", type=click.Path())
@click.option("-o", "--output", metavar="FILE", help="Write here; without it, into the current folder, with .html in the place of .ebt.")
@click.option("--title", metavar="TEXT", help="What the page is called; without it, the command that was traced.")
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@click.option("--max-events", type=click.IntRange(1000), metavar="N",
              help="Calls to keep one by one, 2 million unless given; the page says what it leaves out.")
@click.option("--no-bodies", is_flag=True,
              help="Leave out what HTTP requests and responses carried, and what was said to models; headers and sizes stay.")
@click.option("--no-redact", is_flag=True, help="Do not look for secrets once more; those that the trace took out are out.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(file: str, output: str | None, title: str | None, show: bool, max_events: int | None, no_bodies: bool, no_redact: bool,
            force: bool) -> None:
    """Make one HTML file of FILE, a session: it opens in any browser, without a network, and holds everything it needs."""
    from report.html.page import MAX_EVENTS, page  # NumPy and Jinja: not needed to show the help
    from tracer.commands._output import not_itself, write_file
    from tracer.secrets.redactor import Redactor
    from tracer.session.output import create_output
    from tracer.session.reader import open_session
    from tracer.target.terminal import say

    gc.disable()  # millions of small things are made, and nothing goes in circles; the process ends soon
    with open_session(file) as session:
        target = output or os.path.basename(file).removesuffix(".ebt") + ".html"
        not_itself(file, target)
        if os.path.exists(target) and not force:
            create_output(target, "", 0, force=False)  # says what is in the way before any work is done
        redactor = None if no_redact else Redactor(os.urandom(32))
        pieces = list(page(session, title, max_events or MAX_EVENTS, bodies=not no_bodies, redactor=redactor))
    path = write_file(target, pieces, force=force)
    say(f"ebtrace: {os.path.getsize(path):,} bytes in {path}")
    if show:
        import webbrowser

        if not webbrowser.open(f"file://{os.path.abspath(path)}"):
            raise OutputError("no browser could be started", f"open this file in one: {os.path.abspath(path)}")
