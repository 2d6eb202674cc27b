"""The end of the drain: what is left waits for the writer, which is not kept from its work meanwhile."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from tracer.stream.drain import Drain


class Slots:
    """A ring of records of 120 bytes that is looked at, and sometimes read."""

    slot, size = 128, 4096

    def __init__(self, waiting: int) -> None:
        self.waiting, self.looks = waiting, 0

    def backlog(self) -> int:
        self.looks += 1
        return self.waiting * self.slot

    def read_into(self, to: memoryview, room: int) -> int:
        taken, self.waiting = min(self.waiting, room), max(self.waiting - room, 0)
        return taken


class Texts:
    size = 4096

    def backlog(self) -> int:
        return 0

    def read(self, limit: int) -> list[bytes]:
        return []


class BusySink:
    """Has as much as it may take, until it has had a while to itself."""

    error: BaseException | None = None

    def __init__(self, busy_s: float) -> None:
        self.free_at, self.hurried = time.monotonic() + busy_s, False
        self.taken: list[tuple[str, int]] = []

    @property
    def behind(self) -> int:
        return 0 if time.monotonic() >= self.free_at else 40

    def hurry(self) -> None:
        self.hurried = True

    def put(self, kind: str, data: Any, count: int = 0) -> None:
        self.taken.append((kind, count))


def finished(busy_s: float, births: int) -> tuple[BusySink, Slots]:
    sink, lifecycle = BusySink(busy_s), Slots(births)
    lanes = [Slots(0), lifecycle, Texts(), Slots(0), Texts()]
    named = SimpleNamespace(syscalls=lanes[0], lifecycle=lifecycle, strings=lanes[2], sockets=lanes[3], payload=lanes[4], drained=lanes)
    drain = Drain(named, sink, SimpleNamespace())  # type: ignore[arg-type]
    drain.finish()
    return sink, lifecycle


def test_it_waits_for_the_writer_without_spinning() -> None:
    sink, lifecycle = finished(0.2, 3)
    assert sink.hurried
    assert sink.taken == [("lifecycle", 3)]
    assert lifecycle.looks < 1000  # once or twice a millisecond; a loop without a pause looks ten times as often


def test_with_nothing_left_it_ends_at_once() -> None:
    began = time.monotonic()
    sink, _ = finished(60, 0)
    assert (sink.hurried, sink.taken) == (True, [])
    assert time.monotonic() - began < 10
