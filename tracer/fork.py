"""Forks a process to talk to. Imports next to nothing: it is needed before all else."""

from __future__ import annotations

import os
from _socket import socketpair  # not socket: what surrounds it there takes as long to load as an early fork saves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("apart", "fork", "leave", "processor")

_PROCESSOR = 36  # of /proc/thread-self/stat behind the name: the CPU that this runs on


def fork(live: Callable[[int], int]) -> tuple[int, int]:
    """Forks a process that does ``live`` with its end of a socket pair, and ends with that status; returns its pid and the other end."""
    ours, theirs = (end.detach() for end in socketpair())
    pid = apart()
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


def apart() -> int:
    """os.fork, whose child begins on another CPU."""
    here = processor()
    pid = os.fork()
    if pid:
        leave(here, pid, for_good=False)
    return pid


def processor() -> int:
    """The CPU that this runs on; -1 where nobody says."""
    try:
        fd = os.open("/proc/thread-self/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        return int(os.read(fd, 1024).rpartition(b") ")[2].split()[_PROCESSOR])
    finally:
        os.close(fd)


def leave(cpu: int, pid: int = 0, *, for_good: bool = True) -> None:
    """Moves a process that was just forked, or the calling thread, to another CPU, where there are several.

    Linux should find an idle CPU by itself. In a virtual machine with two it was seen not to, in 55 forks of 60: parent and child took
    turns for 10 ms and more, until the load was balanced. And it takes a thread that waits for another one to where that one runs, again
    and again; hence ``for_good``.
    """
    try:
        allowed = os.sched_getaffinity(pid)
        if len(allowed) > 1:
            os.sched_setaffinity(pid, allowed - {cpu})  # which moves it at once
            if not for_good:
                os.sched_setaffinity(pid, allowed)
    except OSError:
        pass  # it is gone, or stays where it is
