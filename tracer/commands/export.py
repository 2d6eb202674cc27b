"""`ebtrace export`: every event of a session, for other programs to read."""

from __future__ import annotations

import sys

import click

__all__ = ("command",)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--to", "form", type=click.Choice(["jsonl"]), required=True, help="jsonl: one JSON object a line, in the order of time.")
@click.option("-o", "--output", metavar="FILE", default="-", show_default=True, help="Write here; - is the standard output.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(file: str, form: str, output: str, force: bool) -> None:
    """Write every event of FILE, a session, with its arguments; the last line is the ledger of what is missing."""
    from report.jsonl import json_lines  # NumPy: not needed to show the help
    from tracer.commands._output import not_itself, write_file, write_pieces
    from tracer.session.reader import open_session

    with open_session(file) as session:
        pieces = json_lines(session)
        if output == "-":
            write_pieces(sys.stdout.buffer, pieces)
            return
        not_itself(file, output)
        write_file(output, pieces, force=force)
