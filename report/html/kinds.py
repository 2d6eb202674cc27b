"""What kinds of calls a session has: their names, their classes, and how their arguments are to be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from report.calls import Argument, arguments, call_name
from tracer.kinds import CallFlag
from tracer.records import SYSNO_COMPAT, SYSNO_URING
from tracer.syscalls.classes import members
from tracer.syscalls.names import base_name, table_name
from tracer.syscalls.signatures import execed, result

__all__ = ("CLASSES", "Kind", "class_of", "kind_of", "kinds_of")

CLASSES = ("files", "data", "network", "processes", "memory", "signals", "waiting", "other")
"""In which a drawing tells calls apart; each call is in one."""

# Calls whose time is spent waiting for others, not at work: in a drawing they would hide all else
_WAITS = """
clock_nanosleep clock_nanosleep_time64 epoll_pwait epoll_pwait2 epoll_wait futex futex_time64 futex_wait futex_waitv io_getevents io_pgetevents
io_uring_enter nanosleep pause poll ppoll ppoll_time64 pselect6 pselect6_time64 _newselect restart_syscall rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 select sigsuspend wait4 waitid waitpid
"""
_WAITING = frozenset(_WAITS.split())
_BY_STRACE = (("network", "network"), ("process", "processes"), ("file", "files"), ("memory", "memory"), ("signal", "signals"), ("desc", "data"))


@dataclass(frozen=True)
class Kind:
    """Calls that are read in the same way: one system call, or its form when it starts a program."""

    name: str
    group: int  # index in CLASSES
    arguments: tuple[Argument, ...]
    result: str  # its kind, tracer/syscalls/signatures.py

    def as_plain(self) -> dict[str, Any]:
        return {"name": self.name, "class": self.group, "result": self.result,
                "args": [[one.name, one.kind, int(one.slot[1]), one.shift, one.bits, one.signed] for one in self.arguments]}


_EXECED = (Argument("path", "path", "a0", 0, 64, False), Argument("argv", "argv", "a1", 0, 64, False))


def kinds_of(arch: str, numbers: Iterable[int]) -> list[Kind]:
    """The kinds of ``sysno << 8 | flags & CallFlag.EXECED``."""
    return [kind_of(arch, number >> 8, number & 0xFF) for number in numbers]


def kind_of(arch: str, sysno: int, flags: int) -> Kind:
    """How a call with this number and these flags is read."""
    given = _EXECED if execed(arch, sysno, flags & CallFlag.EXECED) else arguments(arch, sysno)
    return Kind(call_name(arch, sysno), class_of(arch, sysno), given, result(arch, sysno) if arch else "long")


@cache
def class_of(arch: str, sysno: int) -> int:
    """Which of CLASSES a call is in; what no table has is "other"."""
    base = base_name(arch, sysno) if arch and sysno < SYSNO_URING else None
    if base is None:
        return CLASSES.index("data" if sysno >= SYSNO_URING else "other")
    if base in _WAITING:
        return CLASSES.index("waiting")
    table = table_name(arch, sysno >= SYSNO_COMPAT)
    return CLASSES.index(next((ours for theirs, ours in _BY_STRACE if base in members(theirs, table)), "other"))
