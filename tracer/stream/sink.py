"""The writer thread: decodes batches, reads the totals, writes the session. The drain thread never waits for it.

What the two share is a queue and a pool of buffers. When the writer falls behind, the pool runs dry and records stay in the kernel's ring;
when that is full the kernel counts what it could not place. So a slow disk costs records, never the target's time, and never a silent gap.
"""

from __future__ import annotations

import mmap
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from tracer.kernel.tracing import Tracing
from tracer.kinds import LifeKind
from tracer.records import LANES
from tracer.target.process import environment

if TYPE_CHECKING:
    from tracer.session.writer import SessionWriter
    from tracer.stream.decode import Columns
    from tracer.stream.harvest import Harvest
    from tracer.stream.plaintext import Plaintext
    from tracer.stream.redaction import Redaction
    from tracer.stream.sampler import Sampler

__all__ = ("BATCH", "HURRY", "Sink", "load_libraries")

HURRY = -10  # nice value of drain and writer, which wait for each other at Python's lock: a ring that nobody empties in time loses records
BATCH = 8192  # syscall records in one buffer, and at most in one block
_BUFFERS = 3
_BUFFERS_AT_FIRST = 28  # until the writer has loaded its libraries, a tenth of a second in which nothing is written
_CHECKPOINT_S = (1.0, 2.0, 5.0)  # the first pauses between totals on disk; the last one repeats


def load_libraries() -> None:
    """Imports what the writer thread would import at first: NumPy above all, a tenth of a second in which nothing is written."""
    import tracer.session.columns
    import tracer.session.writer
    import tracer.stream.harvest
    import tracer.stream.redaction
    import tracer.stream.sampler  # noqa: F401


class Sink:
    """Takes what the drain thread hands over. ``error`` is set when writing failed; after that everything is thrown away."""

    def __init__(self, tracing: Tracing, file: BinaryIO, meta: dict[str, Any], key: bytes, *, redact: bool, detail: bool,
                 environments: Sequence[dict[str, str]]) -> None:
        """``key`` is the redaction's; ``environments`` are what the first processes were started with."""
        self._tracing, self._file, self._meta, self._detail = tracing, file, meta, detail
        self._key, self._redact = key, redact
        self._redaction: Redaction | None = None
        self._tls: dict[str, Any] = {}  # the last that the scribe said of TLS
        self.plaintext: Plaintext | None = None
        self.learned: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()  # environments of traced processes, for the scribe
        self._environments = environments
        self._queue: queue.SimpleQueue[tuple[str, Any, int] | None] = queue.SimpleQueue()
        self._pool: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        self._buffers, self._limit = 0, _BUFFERS_AT_FIRST
        self._writer: SessionWriter | None = None
        self._harvest: Harvest | None = None
        self._sampler: Sampler | None = None
        self._ended: set[int] = set()
        self._alive: dict[int, int] = {}  # tgid by process number
        self._early: set[int] = set()
        self._delivered = dict.fromkeys(LANES, 0)
        self._checkpoint_at, self._checkpoints = time.monotonic() + _CHECKPOINT_S[0], 0
        self.error: BaseException | None = None
        self._processes = 0
        self._thread = threading.Thread(target=self._run, name="ebtrace-writer", daemon=True)
        self._thread.start()

    def buffer(self) -> mmap.mmap | None:
        """An empty buffer, or None while the writer is behind."""
        try:
            return self._pool.get_nowait()
        except queue.Empty:
            if self._buffers >= self._limit:
                return None
        self._buffers += 1
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

    def catch_up(self) -> None:
        """Waits until all that was handed over so far has been written, or nothing can be any more."""
        done = threading.Event()
        self._queue.put(("caught up", done, 0))
        while not done.wait(0.05) and self._thread.is_alive():
            pass

    @property
    def written(self) -> int:
        """Bytes of the session file so far."""
        return self._writer.written if self._writer else 0

    @property
    def calls(self) -> int:
        """Calls counted, as of the last look at the totals."""
        return self._harvest.calls if self._harvest else 0

    def alive(self) -> list[int]:
        """Process ids of traced processes that have not ended, as far as the lifecycle records that were written tell."""
        return list(self._alive.copy().values())

    @property
    def processes(self) -> int:
        """Processes that were traced."""
        return self._processes

    def finish(self, tracer: Callable[[], dict[str, Any]], end: dict[str, Any]) -> dict[str, Any]:
        """Writes everything that is left, the last totals, the ledger, what ``tracer`` says it cost, and ``end``; returns the ledger."""
        self._queue.put(("finish", (tracer, end), 0))
        self._queue.put(None)
        self._thread.join()
        return self.ledger() if not self.error else {}

    def ledger(self) -> dict[str, Any]:
        """Where every record went: for each lane counted, delivered, sampled_out, lost."""
        lanes: dict[str, dict[str, int]] = {}
        read_elsewhere = self.plaintext.delivered() if self.plaintext else {}
        missed = self._tracing.missed()
        for lane, (counted, sampled, lost) in self._tracing.lane_counts().items():
            delivered = self._delivered[lane] + read_elsewhere.get(lane, 0)
            if lane == "syscalls":
                counted = self.calls + missed
                lost += missed
                if not self._detail:
                    sampled = self.calls
            lanes[lane] = {"counted": counted, "delivered": delivered, "sampled_out": sampled, "lost": lost}
        return {"at_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC), "lanes": lanes, "overflowed": self._tracing.overflowed()}

    def _run(self) -> None:
        # What this imports is not to take the CPU on which the target starts: the precedence comes later.
        from tracer.session.writer import SessionWriter
        from tracer.stream.harvest import Harvest
        from tracer.stream.redaction import Redaction
        from tracer.stream.sampler import Sampler

        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, HURRY)
        self._limit = _BUFFERS
        self._sampler = Sampler()
        self._redaction = Redaction(self._key, self._redact, self.learned.put)
        for variables in self._environments:
            self._redaction.learn(variables)
        while (item := self._next()) is not None:
            try:
                if self._writer is None and self.error is None:
                    self._writer, self._harvest = SessionWriter(self._file), Harvest(self._tracing)
                    self._write_map("META", self._redaction.meta(self._meta))
                self._handle(*item)
            except Exception as error:  # whatever it is, the drain has to learn of it and the target must not
                self.error = self.error or error

    def _next(self) -> tuple[str, Any, int] | None:
        assert self._sampler is not None
        try:
            item = self._queue.get(timeout=max(0.0, min(self._checkpoint_at, self._sampler.due) - time.monotonic()))
        except queue.Empty:
            item = ("nothing", None, 0)
        return item

    def _handle(self, kind: str, data: Any, count: int) -> None:
        if kind == "syscalls":
            try:
                self._syscalls(memoryview(data)[: count * 64], slots=True)
            finally:
                self._give_back(data)
        elif kind == "caught up":
            data.set()
        elif self.error is not None:
            return
        elif kind == "open":
            self._syscalls(data, slots=False)
        elif kind in ("lifecycle", "found"):
            self._lifecycle(data, slots=kind == "lifecycle")
        elif kind in ("sockets", "sockets found"):
            self._sockets(data, slots=kind == "sockets")
        elif kind in ("strings", "payload"):
            self._texts(kind, data)
        elif kind == "packed":
            self._write_packed(*data)
        elif kind == "tls":
            self._tls = data
        elif kind == "snapshot":
            assert self._redaction is not None
            self._write_map("SNAPSHOT", self._redaction.snapshot(data))
        elif kind == "finish":
            self._finish(*data)
            return
        self._when_due()

    def _when_due(self) -> None:
        assert self._sampler is not None
        if self.error is not None:
            return
        if time.monotonic() >= self._sampler.due:
            self._samples(self._sampler.round(self._alive))
        if time.monotonic() >= self._checkpoint_at:
            self._checkpoint()

    def _write_map(self, kind: str, value: dict[str, Any]) -> None:
        from tracer.session.format import BlockKind

        assert self._writer is not None
        self._writer.write_map(BlockKind[kind], value)

    def _write_packed(self, kind: int, raw: bytes) -> None:
        from tracer.session.format import BlockKind

        assert self._writer is not None
        self._writer.write_packed(BlockKind(kind), raw)

    def _write_tls(self) -> None:
        """How much was read in clear, by what, and what was taken out of it."""
        assert self._redaction is not None
        images = self.plaintext.images() if self.plaintext else []
        redacted = Counter(self._tls.get("redacted", {})) + Counter(self._redaction.counts)
        if self._tls or images or redacted:
            self._write_map("TLS", {**self._tls, "images": images, "redacted": dict(redacted)})

    def _write_table(self, kind: str, columns: Columns) -> None:
        from tracer.session.format import BlockKind

        assert self._writer is not None
        self._writer.write_table(BlockKind[kind], columns)

    def _syscalls(self, data: bytes | memoryview, *, slots: bool) -> None:
        from tracer.stream.decode import syscalls

        if self.error is not None or not data:
            return
        columns = syscalls(data, slots=slots)
        self._write_table("SYSCALLS", columns)
        self._delivered["syscalls"] += len(columns["tid"])

    def _lifecycle(self, data: bytes, *, slots: bool) -> None:
        from tracer.stream.decode import lifecycle

        assert self._sampler is not None
        assert self._redaction is not None
        columns = lifecycle(data, slots=slots)
        self._write_table("LIFECYCLE", columns)
        self._delivered["lifecycle"] += len(columns["proc"])
        for pid in {tgid for kind, tgid in zip(columns["kind"].tolist(), columns["tgid"].tolist()) if kind in (LifeKind.EXEC, LifeKind.FOUND)}:
            self._redaction.learn(environment(pid))
        for kind, proc, tgid, ended, start_ns in zip(*(columns[name].tolist() for name in ("kind", "proc", "tgid", "process_ended", "start_ns"))):
            if kind in (LifeKind.FORK, LifeKind.FOUND) and proc not in self._alive:
                self._processes += 1
                if proc in self._early:
                    self._early.discard(proc)
                else:
                    self._alive[proc] = tgid
                    self._sampler.born(proc, tgid, start_ns)
            elif ended:
                if proc in self._alive:
                    del self._alive[proc]
                elif proc not in self._ended:
                    self._early.add(proc)  # perf buffers are per CPU: an end may be read before the beginning
                self._ended.add(proc)
        if len(self._ended) >= 64:  # their rows are needed for others
            self._checkpoint_at = 0.0

    def _samples(self, columns: Columns | None) -> None:
        if columns:
            self._write_table("SAMPLES", columns)

    def _sockets(self, data: bytes, *, slots: bool) -> None:
        from tracer.stream.decode import sockets

        columns = sockets(data, slots=slots)
        self._write_table("SOCKETS", columns)
        self._delivered["sockets"] += len(columns["at_ns"])

    def _texts(self, kind: str, records: list[bytes]) -> None:
        from tracer.stream import decode

        assert self._redaction is not None
        columns = self._redaction.strings(decode.strings(records)) if kind == "strings" else decode.payload(records)
        self._write_table(kind.upper(), columns)
        self._delivered[kind] += len(records)

    def _totals(self) -> None:
        assert self._harvest is not None
        columns = self._harvest.read(self._ended)
        self._ended.clear()
        if columns:
            self._write_table("TOTALS", columns)

    def _checkpoint(self) -> None:
        """Puts totals and ledger on disk, so that a session cut short still knows what it counted."""
        self._totals()
        self._write_tls()
        self._write_map("LEDGER", self.ledger())
        self._checkpoints += 1
        # Starts the writing to the device now, without waiting, and keeps the session out of the target's page cache.
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._checkpoint_at = time.monotonic() + _CHECKPOINT_S[min(self._checkpoints, len(_CHECKPOINT_S) - 1)]

    def _finish(self, tracer: Callable[[], dict[str, Any]], end: dict[str, Any]) -> None:
        assert self._writer is not None
        assert self._sampler is not None
        self._samples(self._sampler.last_round(self._alive))
        self._totals()
        self._write_tls()
        self._write_map("LEDGER", self.ledger())
        self._write_map("TRACER", tracer() | {"session_bytes": self._writer.written})
        self._writer.close(end)
