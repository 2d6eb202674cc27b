"""Files that commands make of a session: whole, or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO

from tracer.errors import OutputError, UsageError
from tracer.session.output import create_output

__all__ = ("not_itself", "write_file", "write_pieces")


def not_itself(session: str, output: str) -> None:
    """Raises UsageError if the output is the session that it is to be made of."""
    if os.path.exists(output) and os.path.samefile(session, output):
        raise UsageError(f"{output} is the session itself", "name another file: -o FILE")


def write_file(output: str, pieces: Iterable[str], *, force: bool) -> str:
    """Writes all pieces to a new file and returns its path; ``force``: or over an old one. Raises OutputError, and then leaves no part of it."""
    descriptor, path = create_output(output, "", 0, force=force)
    try:
        with open(descriptor, "wb") as target:
            write_pieces(target, pieces)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(path)  # a part looks like a whole
        if isinstance(error, OSError):
            raise OutputError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}", "write it elsewhere: -o FILE") from error
        raise
    return path


def write_pieces(target: BinaryIO, pieces: Iterable[str]) -> None:
    """Writes all pieces in UTF-8."""
    for piece in pieces:
        target.write(piece.encode())
    target.flush()
