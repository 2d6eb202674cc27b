"""Operations of io_uring that are still under way when the probes are gone: read from their map, told as calls that never returned.

An iterator over the map could do this in the kernel, but there are kernels that refuse root such iterators (EPERM), and nothing else changes
the map by then.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping

from tracer.kernel.maps import BpfMap
from tracer.kinds import CallFlag
from tracer.records import (
    CALL_SHIFT,
    DURATION_MASK,
    FLAGS_SHIFT,
    HISTOGRAM_BUCKETS,
    LANES,
    TOTALS_KEY,
    URING_STATE,
    MapId,
)

__all__ = ("count_pending", "pending")

_CHUNK = 1024
_RECORD = struct.Struct("<QQIIqQQQ")  # struct rec_syscall
_OWN_FLAGS = (1 << 64 - FLAGS_SHIFT) - 1  # those of enum call_flag: the probes have others for themselves
_TOTALS = struct.Struct(f"<{6 + HISTOGRAM_BUCKETS}Q")  # struct totals: calls, errors, unfinished, then what stays 0
_CALLS, _UNFINISHED = 0, 2


def pending(operations: BpfMap, now_ns: int) -> tuple[bytes, Counter[tuple[int, int]]]:
    """Syscall records of the operations under way, as of ``now_ns`` (CLOCK_MONOTONIC), and how many there are by process and number."""
    records: list[bytes] = []
    counts: Counter[tuple[int, int]] = Counter()
    for keys, values in operations.batches(_CHUNK):
        for (key,), state in zip(struct.iter_unpack("<Q", keys), struct.iter_unpack(URING_STATE, values)):
            if key & 1:  # the same once more, by ring and user_data
                continue
            start_ns, _, _, _, proc, tid, a0, a1, a2, sysno, flags, _ = state
            duration = min(max(now_ns - start_ns, 0), DURATION_MASK)
            packed = duration | sysno << CALL_SHIFT | (flags & _OWN_FLAGS | CallFlag.UNFINISHED) << FLAGS_SHIFT
            records.append(_RECORD.pack(start_ns, packed, proc, tid, 0, a0, a1, a2))
            counts[proc, sysno] += 1
    return b"".join(records), counts


def count_pending(counts: Counter[tuple[int, int]], maps: Mapping[MapId, BpfMap], cpus: int) -> None:
    """Adds them to the totals, in rows of a CPU that no machine has: nobody else writes there. Where there is no room, for no process."""
    for (proc, sysno), count in counts.items():
        row = [0] * (6 + HISTOGRAM_BUCKETS)
        row[_CALLS] = row[_UNFINISHED] = count
        try:
            maps[MapId.TOTALS].update(struct.pack(TOTALS_KEY, proc, sysno, cpus), _TOTALS.pack(*row))
        except OSError:
            _add(maps[MapId.OVERFLOW], sysno, row)  # the first CPU's
            _add(maps[MapId.LEDGER], len(LANES), [count])  # struct lane_count begins with `counted`


def _add(table: BpfMap, number: int, row: list[int]) -> None:
    """Adds to a row of an array, or to one CPU's part of it."""
    key = struct.pack("<I", number)
    words = [word for (word,) in struct.iter_unpack("<Q", table.lookup(key) or b"")]
    words[: len(row)] = [old + more for old, more in zip(words, row)]
    table.update(key, struct.pack(f"<{len(words)}Q", *words))
