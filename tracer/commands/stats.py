"""`ebtrace stats`: the totals of a session, as tables or as one JSON document."""

from __future__ import annotations

import sys

import click

__all__ = ("command",)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_document", is_flag=True, help="One JSON document, with everything.")
@click.option("-n", "--top", type=click.IntRange(0), default=20, show_default=True, metavar="N", help="Rows of each table; 0: all.")
@click.option("-p", "--pid", type=click.IntRange(1), metavar="PID", help="Syscalls of this process only.")
def command(file: str, as_document: bool, top: int, pid: int | None) -> None:
    """What FILE, a session, holds: totals by syscall, processes, files, connections; what was missed; what the trace cost."""
    from report.totals import document, totals_of  # NumPy and rich: not needed to show the help
    from tracer.errors import UsageError
    from tracer.session.reader import open_session

    with open_session(file) as session:
        totals = totals_of(session, pid)
    if pid is not None and all(process.pid != pid for process in totals.processes):
        raise UsageError(f"no process of {file} has the pid {pid}", f"see its processes: ebtrace stats -n 0 {file}")
    if as_document:
        from report.text import as_json

        sys.stdout.buffer.write((as_json(document(totals), indent=2) + "\n").encode())  # UTF-8 whatever the locale
        return
    from rich.console import Console

    from report.tables import print_totals

    print_totals(totals, Console(), top, pid)
