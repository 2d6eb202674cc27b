"""What the writer thread does: decodes batches, reads the totals, looks at processes, writes the session.

To import this takes a tenth of a second, NumPy above all.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from tracer.kernel.tracing import Tracing
from tracer.kinds import LifeKind
from tracer.records import LANES
from tracer.session.format import BlockKind
from tracer.session.writer import SessionWriter
from tracer.stream import decode
from tracer.stream.harvest import Harvest
from tracer.stream.living import Living
from tracer.stream.redaction import Redaction
from tracer.stream.sampler import Sampler
from tracer.target.process import environment

if TYPE_CHECKING:
    from tracer.stream.plaintext import Plaintext

__all__ = ("Pen",)

_CHECKPOINT_S = (1.0, 2.0, 5.0)  # the first pauses between totals on disk; the last one repeats
_MANY_ENDED = 64  # processes: their rows of totals are needed for others


class Pen:
    """Writes one session. One thread. Raises OSError where the file cannot be written."""

    def __init__(self, tracing: Tracing, file: BinaryIO, meta: dict[str, Any], key: bytes, learned: Callable[[dict[str, str]], None],
                 plaintext: Callable[[], Plaintext | None], *, redact: bool, detail: bool, environments: Sequence[dict[str, str]]) -> None:
        """``key`` is the redaction's, which tells ``learned`` of the environments of processes; ``environments``: those of the first ones."""
        self._tracing, self._file, self._plaintext, self._detail = tracing, file, plaintext, detail
        self._redaction = Redaction(key, redact, learned)
        for variables in environments:
            self._redaction.learn(variables)
        self._sampler = Sampler()
        self.living = Living(self._sampler.born)
        self._tls: dict[str, Any] = {}  # the last that the scribe said of TLS
        self._delivered = dict.fromkeys(LANES, 0)
        self._checkpoint_at, self._checkpoints = time.monotonic() + _CHECKPOINT_S[0], 0
        self._harvest = Harvest(tracing)
        self._writer = SessionWriter(file)
        self._writer.write_map(BlockKind.META, self._redaction.meta(meta))

    @property
    def written(self) -> int:
        """Bytes of the session file so far."""
        return self._writer.written

    @property
    def calls(self) -> int:
        """Calls counted, as of the last look at the totals."""
        return self._harvest.calls

    @property
    def due(self) -> float:
        """When there is something to do even if nothing comes, on time.monotonic's clock."""
        return min(self._checkpoint_at, self._sampler.due)

    def take(self, kind: str, data: Any) -> None:
        """What was handed over (`Sink.put`), or "nothing"; then whatever is due."""
        match kind:
            case "syscalls" | "open":
                self._syscalls(data, slots=kind == "syscalls")
            case "lifecycle" | "found":
                self._lifecycle(data, slots=kind == "lifecycle")
            case "sockets" | "sockets found":
                self._sockets(data, slots=kind == "sockets")
            case "strings" | "payload":
                self._texts(kind, data)
            case "packed":
                block, raw = data
                self._writer.write_packed(BlockKind(block), raw)
            case "tls":
                self._tls = data
            case "snapshot":
                self._writer.write_map(BlockKind.SNAPSHOT, self._redaction.snapshot(data))
            case "finish":
                self._finish(*data)
                return
        if time.monotonic() >= self._sampler.due:
            self._samples(self._sampler.round(self.living.tgids))
        if time.monotonic() >= self._checkpoint_at:
            self._checkpoint()

    def ledger(self) -> dict[str, Any]:
        """Where every record went: for each lane counted, delivered, sampled_out, lost."""
        lanes: dict[str, dict[str, int]] = {}
        plaintext = self._plaintext()
        read_elsewhere = plaintext.delivered() if plaintext else {}
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

    def _syscalls(self, data: bytes | memoryview, *, slots: bool) -> None:
        if not data:
            return
        columns = decode.syscalls(data, slots=slots)
        self._writer.write_table(BlockKind.SYSCALLS, columns)
        self._delivered["syscalls"] += len(columns["tid"])

    def _lifecycle(self, data: bytes, *, slots: bool) -> None:
        columns = decode.lifecycle(data, slots=slots)
        self._writer.write_table(BlockKind.LIFECYCLE, columns)
        self._delivered["lifecycle"] += len(columns["proc"])
        for pid in {tgid for kind, tgid in zip(columns["kind"].tolist(), columns["tgid"].tolist()) if kind in (LifeKind.EXEC, LifeKind.FOUND)}:
            self._redaction.learn(environment(pid))
        self.living.hear(zip(*(columns[name].tolist() for name in ("kind", "proc", "tgid", "process_ended", "start_ns"))))
        if len(self.living.ended) >= _MANY_ENDED:
            self._checkpoint_at = 0.0

    def _sockets(self, data: bytes, *, slots: bool) -> None:
        columns = decode.sockets(data, slots=slots)
        self._writer.write_table(BlockKind.SOCKETS, columns)
        self._delivered["sockets"] += len(columns["at_ns"])

    def _texts(self, kind: str, records: list[bytes]) -> None:
        columns = self._redaction.strings(decode.strings(records)) if kind == "strings" else decode.payload(records)
        self._writer.write_table(BlockKind[kind.upper()], columns)
        self._delivered[kind] += len(records)

    def _samples(self, columns: decode.Columns | None) -> None:
        if columns:
            self._writer.write_table(BlockKind.SAMPLES, columns)

    def _state_of_things(self) -> None:
        """Totals, how much was read in clear, by what, and what was taken out of it, and the ledger."""
        columns = self._harvest.read(self.living.ended)
        self.living.ended.clear()
        if columns:
            self._writer.write_table(BlockKind.TOTALS, columns)
        plaintext = self._plaintext()
        images = plaintext.images() if plaintext else []
        redacted = Counter(self._tls.get("redacted", {})) + Counter(self._redaction.counts)
        if self._tls or images or redacted:
            self._writer.write_map(BlockKind.TLS, {**self._tls, "images": images, "redacted": dict(redacted)})
        self._writer.write_map(BlockKind.LEDGER, self.ledger())

    def _checkpoint(self) -> None:
        """A session cut short still knows what it counted."""
        self._state_of_things()
        self._checkpoints += 1
        # Starts the writing to the device now, without waiting, and keeps the session out of the target's page cache.
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._checkpoint_at = time.monotonic() + _CHECKPOINT_S[min(self._checkpoints, len(_CHECKPOINT_S) - 1)]

    def _finish(self, tracer: Callable[[], dict[str, Any]], end: dict[str, Any]) -> None:
        self._samples(self._sampler.last_round(self.living.tgids))
        self._state_of_things()
        self._writer.write_map(BlockKind.TRACER, tracer() | {"session_bytes": self._writer.written})
        self._writer.close(end)
