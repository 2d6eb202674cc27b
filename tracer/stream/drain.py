"""The drain: empties the rings in time, and does nothing else.

It needs no NumPy, so it runs from the first microsecond, while the writer thread is still importing. Records are moved in runs, a memory
copy each; how long to sleep follows from how fast the rings filled last time.
"""

from __future__ import annotations

import mmap
import select
import time

from tracer.stream.lanes import Lanes
from tracer.stream.sink import BATCH, Sink

__all__ = ("Drain",)

_SHORTEST_S, _LONGEST_S = 0.001, 0.05
_FLUSH_S = 1.0  # a batch that is not full is handed over after this long, so that a crash costs no more
_MOST_BEHIND = 64  # small batches that may wait for the writer; beyond that they stay in the kernel's ring
_TABLE, _TABLES_BEHIND = 1 << 19, 16  # bytes of records that become one table, whose columns cost the writer a millisecond even if they are short


class Drain:
    """Moves records from the lanes to the sink. One thread."""

    def __init__(self, lanes: Lanes, sink: Sink, poll: select.epoll) -> None:
        self._lanes, self._sink, self._poll = lanes, sink, poll
        self._buffer: mmap.mmap | None = None
        self._filled = 0
        self._flush_at = 0.0
        self._table = bytearray(_TABLE)
        self._pause = _SHORTEST_S

    def _syscalls(self) -> int:
        """Moves what is there now; returns how many records. What comes meanwhile can wait: chasing it would never end."""
        moved = 0
        ring = self._lanes.syscalls
        there = ring.backlog() // ring.slot
        while moved < there:
            if self._buffer is None:
                self._buffer = self._sink.buffer()
                if self._buffer is None:
                    return moved  # the writer is behind: the ring keeps the records
                self._filled, self._flush_at = 0, time.monotonic() + _FLUSH_S
            n = ring.read_into(memoryview(self._buffer)[self._filled * 64 :], BATCH - self._filled)
            if not n:
                return moved
            moved += n
            self._filled += n
            if self._filled == BATCH:
                self._hand_over()
        return moved

    def _hand_over(self) -> None:
        if self._buffer is not None and self._filled:
            self._sink.put("syscalls", self._buffer, self._filled)
            self._buffer = None

    def _others(self) -> None:
        # Strings first: a record's id should be known before the record.
        for kind, texts in (("strings", self._lanes.strings), ("payload", self._lanes.payload)):
            while self._sink.behind < _MOST_BEHIND:
                records = texts.read(4096)
                if not records:
                    break
                self._sink.put(kind, records)
        for kind, slots in (("lifecycle", self._lanes.lifecycle), ("sockets", self._lanes.sockets)):
            while self._sink.behind < _TABLES_BEHIND:
                n = slots.read_into(memoryview(self._table), _TABLE // slots.slot)
                if not n:
                    break
                self._sink.put(kind, bytes(memoryview(self._table)[: n * slots.slot]), n)

    def step(self) -> int:
        """Empties all lanes as far as the writer has room; returns the number of syscall records moved."""
        backlog = max(lane.backlog() / lane.size for lane in self._lanes.drained)
        moved = self._syscalls()
        self._others()
        if self._filled and time.monotonic() >= self._flush_at:
            self._hand_over()
        # Aim at rings an eighth full: at 1.5 million calls a second that is a look every 10 ms, and 20 a second at rest.
        self._pause = min(max(self._pause * min(2.0, 0.125 / (backlog + 0.001)), _SHORTEST_S), _LONGEST_S)
        return moved

    def wait(self) -> list[tuple[int, int]]:
        """Sleeps until something is due or the poll has news; returns the poll's events."""
        return self._poll.poll(self._pause)

    def finish(self) -> None:
        """After the probes are off: moves all that is left, waiting for the writer where it has to."""
        self._sink.hurry()
        while (moved := self.step()) or any(lane.backlog() for lane in self._lanes.drained):
            if self._sink.error is not None:
                break
            if not moved:  # the writer has as much as it may: to look again at once would take Python's lock from it
                time.sleep(_SHORTEST_S)
        self._hand_over()
