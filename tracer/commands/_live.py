"""The life of a worker that was forked from the front, from the moment at which it has something to say."""

from __future__ import annotations

import os
from _socket import socket

from tracer.errors import EbtraceError
from tracer.link import Link, detach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("live",)


def live(serve: Callable[[socket], int], connection: int) -> int:
    """In the forked process: runs ``serve``; returns the exit status."""
    link = socket(fileno=connection)
    detach()
    try:
        return serve(link)
    except Exception as error:  # its stderr is /dev/null: an error nobody foresaw is told through the socket, in place of a traceback
        status = EbtraceError.status
        Link(link).send({"is": "failed", "message": f"the tracer failed: {_where(error)}", "remedy": "", "status": status})
        return status


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})" if trace is not None else ""
    return f"{type(error).__name__}: {error}{place}"
