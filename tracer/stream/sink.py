"""What the drain thread hands over, and the thread that writes it. The drain never waits for that.

What the two share is a queue and a pool of buffers. When the writer falls behind, the pool runs dry and records stay in the kernel's ring;
when that is full the kernel counts what it could not place. So a slow disk costs records, never the target's time, and never a silent gap.
"""

from __future__ import annotations

import mmap
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tracer.kernel.tracing import Tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from tracer.stream.pen import Pen
    from tracer.stream.plaintext import Plaintext

__all__ = ("BATCH", "GRACE_S", "HURRY", "Sink")

HURRY = -10  # nice value of drain and writer, which wait for each other at Python's lock: a ring that nobody empties in time loses records
BATCH = 8192  # syscall records in one buffer, and at most in one block
GRACE_S = 0.05  # what a program does in its first moments it does alone: libraries, and other processes of the tracer, are loaded after them
_BUFFERS = 3
_BUFFERS_AT_FIRST = 28  # until the writer has loaded its libraries, a tenth of a second in which nothing is written


class Sink:
    """Takes what is to be written. ``error`` is set when writing failed; after that everything is thrown away."""

    def __init__(self, tracing: Tracing, file: BinaryIO, meta: dict[str, Any], key: bytes, *, redact: bool, detail: bool,
                 environments: Sequence[dict[str, str]]) -> None:
        """``key`` is the redaction's; ``environments`` are what the first processes were started with."""
        self.plaintext: Plaintext | None = None
        self.learned: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()  # environments of traced processes, for the scribe
        self.error: BaseException | None = None
        self._queue: queue.SimpleQueue[tuple[str, Any, int] | None] = queue.SimpleQueue()
        self._pool: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        self._buffers, self._limit = 0, _BUFFERS_AT_FIRST
        self._pen: Pen | None = None
        self._needed = threading.Event()

        def pen() -> Pen:
            from tracer.stream.pen import Pen

            return Pen(tracing, file, meta, key, self.learned.put, lambda: self.plaintext, redact=redact, detail=detail, environments=environments)

        self._thread = threading.Thread(target=self._run, args=(pen,), name="ebtrace-writer", daemon=True)
        self._thread.start()

    def buffer(self) -> mmap.mmap | None:
        """An empty buffer, or None while the writer is behind."""
        try:
            return self._pool.get_nowait()
        except queue.Empty:
            if self._buffers >= self._limit:
                return None
        self._buffers += 1
        if self._buffers > _BUFFERS:
            self.hurry()
        return mmap.mmap(-1, BATCH * 64)

    def _give_back(self, buffer: mmap.mmap) -> None:
        if self._pool.qsize() < _BUFFERS:
            self._pool.put(buffer)
        else:
            buffer.close()

    def put(self, kind: str, data: Any, count: int = 0) -> None:
        """Hands over ``data``: "syscalls" (a buffer), "found"/"open" (census records), "lifecycle", "strings",
        "sockets", "sockets found" (census records), "payload", "packed" (the scribe's), "tls" (what it knows), "snapshot"."""
        self._queue.put((kind, data, count))

    @property
    def behind(self) -> int:
        """Batches that wait to be written."""
        return self._queue.qsize()

    def hurry(self) -> None:
        """The writer is needed now."""
        self._needed.set()

    def catch_up(self) -> None:
        """Waits until all that was handed over so far has been written, or nothing can be any more."""
        self.hurry()
        done = threading.Event()
        self._queue.put(("caught up", done, 0))
        while not done.wait(0.05) and self._thread.is_alive():
            pass

    @property
    def written(self) -> int:
        """Bytes of the session file so far."""
        return self._pen.written if self._pen else 0

    @property
    def calls(self) -> int:
        """Calls counted, as of the last look at the totals."""
        return self._pen.calls if self._pen else 0

    def alive(self) -> list[int]:
        """Process ids of traced processes that have not ended, as far as the lifecycle records that were written tell."""
        return self._pen.living.pids() if self._pen else []

    @property
    def processes(self) -> int:
        """Processes that were traced."""
        return self._pen.living.count if self._pen else 0

    def finish(self, tracer: Callable[[], dict[str, Any]], end: dict[str, Any]) -> dict[str, Any]:
        """Writes everything that is left, the last totals, the ledger, what ``tracer`` says it cost, and ``end``; returns the ledger."""
        self.hurry()
        self._queue.put(("finish", (tracer, end), 0))
        self._queue.put(None)
        self._thread.join()
        return self._pen.ledger() if self._pen and not self.error else {}

    def _run(self, pen: Callable[[], Pen]) -> None:
        self._needed.wait(GRACE_S)
        try:
            self._pen = pen()  # what this imports is not to take the CPU on which the target starts: the precedence comes later
        except Exception as error:
            self.error = error
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, HURRY)
        self._limit = _BUFFERS
        while (item := self._next()) is not None:
            try:
                self._take(*item)
            except Exception as error:  # whatever it is, the drain has to learn of it and the target must not
                self.error = self.error or error

    def _next(self) -> tuple[str, Any, int] | None:
        due = self._pen.due if self._pen and not self.error else None
        try:
            return self._queue.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
        except queue.Empty:
            return "nothing", None, 0

    def _take(self, kind: str, data: Any, count: int) -> None:
        try:
            if kind == "caught up":
                data.set()
            elif self._pen is not None and self.error is None:
                self._pen.take(kind, memoryview(data)[: count * 64] if kind == "syscalls" else data)
        finally:
            if kind == "syscalls":
                self._give_back(data)
