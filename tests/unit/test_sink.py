"""What the drain shares with the thread that writes: when that begins, what it is given, and what becomes of errors. Pens are fakes."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import pytest

from tracer.stream import pen as pen_module
from tracer.stream import sink as sink_module
from tracer.stream.sink import BATCH, Sink


class Living:
    count = 3

    def pids(self) -> list[int]:
        return [7, 9]


class FakePen:
    due = 1e9
    written, calls, living = 1009, 13, Living()

    def __init__(self, *_: Any, **__: Any) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.fails_at = ""

    def take(self, kind: str, data: Any) -> None:
        if kind == self.fails_at:
            raise OSError(28, "No space left on device")
        self.taken.append((kind, bytes(data) if isinstance(data, memoryview) else data))

    def ledger(self) -> dict[str, Any]:
        return {"lanes": {}}


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Sink]:
    """A sink whose writer would wait for a minute."""
    monkeypatch.setattr(sink_module, "GRACE_S", 60.0)
    monkeypatch.setattr(pen_module, "Pen", FakePen)
    return lambda: Sink(None, io.BytesIO(), {}, b"", redact=True, detail=True, environments=[])  # type: ignore[arg-type]


def pen_of(sink: Sink) -> FakePen:
    deadline = time.monotonic() + 10
    while sink._pen is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return sink._pen  # type: ignore[return-value]


def test_until_it_is_needed_it_waits(sink: Callable[[], Sink]) -> None:
    made = sink()
    made.put("strings", [b"a"])
    made.put("found", b"b")
    time.sleep(0.05)
    assert (made._pen, made.behind, made.calls, made.written, made.processes, made.alive()) == (None, 2, 0, 0, 0, [])
    assert made.finish(dict, {}) == {"lanes": {}}
    assert [kind for kind, _ in pen_of(made).taken] == ["strings", "found", "finish"]
    assert (made.calls, made.written, made.processes, made.alive(), made.error) == (13, 1009, 3, [7, 9], None)


def test_whoever_waits_for_it_is_not_kept_waiting(sink: Callable[[], Sink]) -> None:
    made = sink()
    made.put("found", b"b")
    made.catch_up()
    assert pen_of(made).taken == [("found", b"b")]
    made.finish(dict, {})


def test_a_storm_ends_the_wait(sink: Callable[[], Sink]) -> None:
    made = sink()
    buffers = [made.buffer() for _ in range(4)]
    pen = pen_of(made)
    for number, buffer in enumerate(buffers):
        assert buffer is not None
        buffer[:64] = bytes([number]) * 64
        made.put("syscalls", buffer, 1)
    made.finish(dict, {})
    assert pen.taken[:-1] == [("syscalls", bytes([number]) * 64) for number in range(4)]


def test_buffers_come_back_and_are_few(sink: Callable[[], Sink]) -> None:
    made = sink()
    first = [made.buffer() for _ in range(28)]
    assert made.buffer() is None  # even before the libraries are there
    for buffer in first:
        made.put("syscalls", buffer, BATCH)
    made.catch_up()
    assert [made.buffer() is None for _ in range(5)] == [False, False, False, True, True]
    made.finish(dict, {})


def test_an_error_is_told_and_the_rest_thrown_away(sink: Callable[[], Sink]) -> None:
    made = sink()
    made.put("found", b"b")
    made.catch_up()
    pen_of(made).fails_at = "snapshot"
    for kind in ("snapshot", "strings", "syscalls"):
        made.put(kind, made.buffer() if kind == "syscalls" else [], 1)
    made.catch_up()
    assert isinstance(made.error, OSError)
    assert made.finish(dict, {}) == {}
    assert [kind for kind, _ in pen_of(made).taken] == ["found"]


def test_a_library_that_cannot_be_loaded_is_an_error(sink: Callable[[], Sink], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ImportError("no module named numpy")

    monkeypatch.setattr(pen_module, "Pen", broken)
    made = sink()
    made.put("syscalls", made.buffer(), 1)
    made.catch_up()
    assert isinstance(made.error, ImportError)
    assert made.finish(dict, {}) == {}
