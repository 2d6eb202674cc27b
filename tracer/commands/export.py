"""`ebtrace export`: every event of a session, for other programs to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO

import click

from tracer.errors import OutputError, UsageError

__all__ = ("command",)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--to", "form", type=click.Choice(["jsonl"]), required=True, help="jsonl: one JSON object a line, in the order of time.")
@click.option("-o", "--output", metavar="FILE", default="-", show_default=True, help="Write here; - is the standard output.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(file: str, form: str, output: str, force: bool) -> None:
    """Write every event of FILE, a session, with its arguments; the last line is the ledger of what is missing."""
    from report.jsonl import json_lines  # NumPy: not needed to show the help
    from tracer.session.output import create_output
    from tracer.session.reader import open_session

    with open_session(file) as session:
        pieces = json_lines(session)
        if output == "-":
            _write(sys.stdout.buffer, pieces)
            return
        if os.path.exists(output) and os.path.samefile(file, output):
            raise UsageError(f"{output} is the session itself", "name another file: -o FILE")
        descriptor, path = create_output(output, "", 0, force=force)
        try:
            with open(descriptor, "wb") as target:
                _write(target, pieces)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(path)  # part of an export looks like a whole one
            if isinstance(error, OSError):
                raise OutputError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}", "write it elsewhere: -o FILE") from error
            raise


def _write(target: BinaryIO, pieces: Iterable[str]) -> None:
    for piece in pieces:
        target.write(piece.encode())
    target.flush()
