"""Reads the kernel's exact totals and turns them into what is new since the last time.

A row belongs to a process, a syscall and a CPU (struct totals_key). Counting goes on while we read, so rows are never reset: what was
read before is subtracted. The rows of a process that has ended are read once more and then given back, so that the kernel's maps hold
the living only: those in the hash are removed; those in the array are said to be free, and the probes take them when they need one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from tracer.kernel.tracing import Tracing
from tracer.records import HISTOGRAM_BUCKETS, SYSNO_LIMIT, MapId
from tracer.stream.decode import Columns

__all__ = ("Harvest",)

_CHUNK = 1024
_FIELDS = ("calls", "errors", "unfinished", "bytes", "total_ns")  # then max_ns, then the histogram
_MAX = len(_FIELDS)
_WORDS = _MAX + 1 + HISTOGRAM_BUCKETS
# Set in the keys of rows in the array. A key may have a row in the hash as well: it went there while its place was taken, and came back.
_IN_ARRAY = np.uint64(1 << 63)


class Harvest:
    """What has been read of the totals so far. Used by one thread.

    Rows are found again by binary search in sorted keys: a fork storm brings thousands of rows at once, and a dictionary of them would cost the
    tracer more than everything else.
    """

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._retired = np.zeros(tracing.maps[MapId.RETIRED].plan.entries, np.uint64)
        self._keys = np.zeros(0, np.uint64)
        self._rows = np.zeros((0, _WORDS), np.uint64)
        self._overflow_seen = np.zeros((SYSNO_LIMIT, _WORDS), np.uint64)
        self.calls = 0

    def _before(self, keys: np.ndarray) -> np.ndarray:
        """The rows as they were when they were last read; zeros for new ones."""
        before = np.zeros((len(keys), _WORDS), np.uint64)
        if len(self._keys):
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            known = self._keys[at] == keys
            before[known] = self._rows[at[known]]
        return before

    def read(self, ended: set[int]) -> Columns | None:
        """What was counted since the last call, by process and syscall; then forgets the processes in ``ended``."""
        found: list[tuple[np.ndarray, np.ndarray]] = []
        living: list[tuple[np.ndarray, np.ndarray]] = []
        dead = np.fromiter(ended, np.uint64, len(ended))
        gone: list[np.ndarray] = []
        freed: list[tuple[np.ndarray, np.ndarray]] = []
        for numbers, keys, rows in self._batches():
            before = self._before(keys)
            changed = rows[:, 0] > before[:, 0]
            found.append((keys[changed], _difference(rows[changed], before[changed])))
            lost = np.isin(keys & np.uint64(0xFFFFFFFF), dead)
            if numbers is None:
                gone.append(keys[lost])
            else:
                freed.append((numbers[lost], keys[lost] & ~_IN_ARRAY))
            living.append((keys[~lost], rows[~lost]))
        for keys in gone:
            self._tracing.maps[MapId.TOTALS].delete_all(keys.tobytes())
        for numbers, keys in freed:
            self._retire(numbers, keys)
        if living:
            keys = np.concatenate([part[0] for part in living])
            order = np.argsort(keys)
            self._keys, self._rows = keys[order], np.concatenate([part[1] for part in living])[order]
        if self._tracing.overflowed():
            self._read_overflow(found)
        keys = np.concatenate([part[0] for part in found]) if found else self._keys[:0]
        if not len(keys):
            return None
        rows = np.concatenate([part[1] for part in found])
        self.calls += int(rows[:, 0].sum())
        return {
            "proc": (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32),
            "sysno": ((keys >> np.uint64(32)) & np.uint64(0xFFFF)).astype(np.uint16),
            **{name: np.ascontiguousarray(rows[:, i]) for i, name in enumerate(_FIELDS)},
            "max_ns": np.ascontiguousarray(rows[:, _MAX]),
            "histogram": np.ascontiguousarray(rows[:, _MAX + 1 :]),
        }

    def _batches(self) -> Iterator[tuple[np.ndarray | None, np.ndarray, np.ndarray]]:
        """Numbers in the array, or None for the hash; keys; rows."""
        for number_bytes, values in self._tracing.maps[MapId.ROWS].batches(_CHUNK):
            numbers, table = np.frombuffer(number_bytes, np.uint32), np.frombuffer(values, np.uint64).reshape(-1, 1 + _WORDS)
            used = np.flatnonzero((table[:, 0] != 0) & (table[:, 0] != self._retired[numbers]))
            yield numbers[used], table[used, 0] | _IN_ARRAY, table[used, 1:]
        for key_bytes, values in self._tracing.maps[MapId.TOTALS].batches(_CHUNK):
            yield None, np.frombuffer(key_bytes, np.uint64), np.frombuffer(values, np.uint64).reshape(-1, _WORDS)

    def _retire(self, numbers: np.ndarray, keys: np.ndarray) -> None:
        table = self._tracing.maps[MapId.RETIRED]
        for number, key in zip(numbers.tolist(), keys.tolist()):
            table.update(struct.pack("<I", number), struct.pack("<Q", key))
        self._retired[numbers] = keys

    def _read_overflow(self, found: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Rows of processes that had none of their own are told as process 0."""
        values = b"".join(values for _, values in self._tracing.maps[MapId.OVERFLOW].batches(_CHUNK))
        per_cpu = np.frombuffer(values, np.uint64).reshape(self._tracing.cpus, SYSNO_LIMIT, _WORDS)
        rows = per_cpu.sum(0, dtype=np.uint64)
        rows[:, _MAX] = per_cpu[:, :, _MAX].max(0)
        changed = np.flatnonzero(rows[:, 0] > self._overflow_seen[:, 0])
        found.append((changed.astype(np.uint64) << np.uint64(32), _difference(rows[changed], self._overflow_seen[changed])))
        self._overflow_seen = rows


def _difference(rows: np.ndarray, before: np.ndarray) -> np.ndarray:
    """What was added, but for the maximum, which is the largest ever."""
    delta: np.ndarray = rows - before
    delta[:, _MAX] = rows[:, _MAX]
    return delta
