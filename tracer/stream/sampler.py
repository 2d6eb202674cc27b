"""Looks at the living processes now and then: CPU time, memory, threads.

The kernel tells these of a process when it ends; a look in between shows how they grow, and is all there is of one that outlives the trace.
It reads /proc by itself, since psutil would take 26 ms and 1.3 MB to import, and 100 us for a look instead of 25.
"""

from __future__ import annotations

import heapq
import math
import os
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from tracer.records import SAMPLE_FIELDS
from tracer.stream.decode import Columns

__all__ = ("Look", "Sampler", "look_at")

_FIRST_S = 0.25  # most processes do not live that long, and the kernel tells all of those
_SHORTEST_S, _LONGEST_S = 1.0, 10.0  # between two looks at one process: the shorter while it does something
_SHARE = 0.0015  # of one core: after each round it rests until the round is paid for; writing it down comes on top, and all stays below 0.2 %
_AT_ONCE = 64  # in one round, about 2 ms; the writer has other work
_AT_LAST = 1024  # when the trace ends
_STATUS_BYTES = 4096
_CPUCLOCK_SCHED = 2  # include/linux/posix-timers_types.h: the clock of a process's CPU time, with the threads that have ended


class Look(NamedTuple):
    """What one look at a process found; memory is 0 where the kernel tells none (its first thread has ended)."""

    cpu_ns: int
    rss_bytes: int
    peak_rss_bytes: int  # since its last exec
    threads: int


class _Turn(NamedTuple):
    """When a process is to be looked at again, and what the last look found."""

    due: float
    proc: int
    tgid: int
    pause: float = _SHORTEST_S
    cpu_ns: int = 0
    rss_bytes: int = 0


def look_at(tgid: int) -> Look | None:
    """One look at a process; None if it is gone."""
    try:
        cpu_ns = time.clock_gettime_ns(~tgid << 3 | _CPUCLOCK_SCHED)
        fd = os.open(f"/proc/{tgid}/status", os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.read(fd, _STATUS_BYTES)
        finally:
            os.close(fd)
    except (OSError, OverflowError):
        return None
    return Look(cpu_ns, _number(status, b"\nVmRSS:") << 10, _number(status, b"\nVmHWM:") << 10, _number(status, b"\nThreads:"))


class Sampler:
    """Who is to be looked at when. Used by one thread; ended processes are found out when their turn comes."""

    def __init__(self, look: Callable[[int], Look | None] = look_at) -> None:
        self._look = look
        self._turns: list[_Turn] = []  # a heap
        self._resting_until = 0.0

    @property
    def due(self) -> float:
        """When the next round is due, on time.monotonic's clock."""
        return max(self._turns[0].due, self._resting_until) if self._turns else math.inf

    def born(self, proc: int, tgid: int, start_ns: int) -> None:
        """A process that is to be looked at from now on; it has run since ``start_ns`` (CLOCK_MONOTONIC)."""
        now = time.monotonic()
        heapq.heappush(self._turns, _Turn(max(now, min(start_ns / 1e9, now) + _FIRST_S), proc, tgid))

    def round(self, alive: Collection[int]) -> Columns | None:
        """Looks at those whose turn it is, of the processes that are ``alive``; columns of the samples, None if there are none."""
        begun, now = time.thread_time(), time.monotonic()
        rows: list[tuple[int, ...]] = []
        while self._turns and self._turns[0].due <= now and len(rows) < _AT_ONCE:
            turn = heapq.heappop(self._turns)
            found = self._sample(turn, alive, rows)
            if found is not None:
                idle = found.cpu_ns == turn.cpu_ns and found.rss_bytes == turn.rss_bytes
                pause = min(turn.pause * 2, _LONGEST_S) if idle else _SHORTEST_S
                heapq.heappush(self._turns, _Turn(now + pause, turn.proc, turn.tgid, pause, found.cpu_ns, found.rss_bytes))
        columns = _columns(rows)
        self._resting_until = now + (time.thread_time() - begun) / _SHARE
        return columns

    def last_round(self, alive: Collection[int]) -> Columns | None:
        """Looks at all that are alive, up to a limit, whosever turn it is."""
        rows: list[tuple[int, ...]] = []
        for turn in self._turns[:_AT_LAST]:
            self._sample(turn, alive, rows)
        return _columns(rows)

    def _sample(self, turn: _Turn, alive: Collection[int], rows: list[tuple[int, ...]]) -> Look | None:
        if turn.proc not in alive:
            return None
        at_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        found = self._look(turn.tgid)
        if found is None or found.cpu_ns < turn.cpu_ns:  # its end is not told yet, and its pid may be another's by now
            return None
        rows.append((at_ns, turn.proc, turn.tgid, *found))
        return found


def _columns(rows: list[tuple[int, ...]]) -> Columns | None:
    return {name: np.array(column, kind) for (name, kind), column in zip(SAMPLE_FIELDS, zip(*rows), strict=True)} if rows else None


def _number(status: bytes, field: bytes) -> int:
    """The number after a field's name, 0 if there is none."""
    _, _, rest = status.partition(field)
    digits = rest[:32].split(maxsplit=1)[:1]
    return int(digits[0]) if digits and digits[0].isdigit() else 0
