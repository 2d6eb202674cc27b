"""Forks the worker before this process has loaded more than Python does by itself: each half then loads what it needs, on a CPU of its own."""

from __future__ import annotations

import os
import time
from _socket import socketpair  # not socket: what surrounds it there takes as long to load as the fork saves
from collections.abc import Callable

__all__ = ("BEGUN_NS", "fork", "live_early")

BEGUN_NS = time.monotonic_ns() - time.process_time_ns()  # when this process was started: up to here it has done nothing but compute


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


def live_early(connection: int) -> int:
    """The worker's life, beginning with what takes longest."""
    from tracer.kernel.early import load_early

    loaded = load_early()
    from tracer.commands._workers import live
    from tracer.worker import serve

    return live(lambda link: serve(link, loaded), connection)
