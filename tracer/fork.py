"""Forks a process to talk to. Imports next to nothing: it is needed before all else."""

from __future__ import annotations

import os
from _socket import socketpair  # not socket: what surrounds it there takes as long to load as an early fork saves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("fork",)


def fork(live: Callable[[int], int]) -> tuple[int, int]:
    """Forks a process that does ``live`` with its end of a socket pair, and ends with that status; returns its pid and the other end."""
    ours, theirs = (end.detach() for end in socketpair())
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    status = 1
    try:
        os.close(ours)
        os.setsid()  # no Ctrl-C reaches it; the rest of what cuts it loose from the terminal can wait (tracer/link.py, detach)
        status = live(theirs)
    finally:
        os._exit(status)
