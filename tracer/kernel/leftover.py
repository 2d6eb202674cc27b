"""Operations of io_uring that are still under way when a trace ends: read out of their map, and accounted for like calls that never return.

An iterator over the map (bpf_iter_bpf_map_elem) could do it in the kernel, but not every kernel lets one be loaded.
"""

from __future__ import annotations

import struct
import time
from collections import Counter

from tracer.kernel.maps import BpfMap
from tracer.records import CALL_SHIFT, DURATION_MASK, FLAGS_SHIFT, TOTALS_FIELDS, URING_STATE, CallFlag

__all__ = ("uring_left",)

_STATE = struct.Struct(URING_STATE)
_RECORD = struct.Struct("<QQIIqQQQ")  # struct rec_syscall
_KEY = struct.Struct("<IHH")  # struct totals_key
_NO_CPU = 0xFFFF  # rows of the probes name a CPU that there is: this one is ours
_FLAGS = 0xF
_BATCH = 1024


def uring_left(operations: BpfMap, totals: BpfMap) -> bytes:
    """Counts what is left in MAP_URING into MAP_TOTALS, once the probes are off; returns the records (bpf/records.h, struct rec_syscall).

    Raises OSError.
    """
    now, records = time.clock_gettime_ns(time.CLOCK_MONOTONIC), []
    counted: Counter[tuple[int, int]] = Counter()
    for keys, values in operations.batches(_BATCH):
        for at, (key,) in enumerate(struct.iter_unpack("<Q", keys)):
            if key & 1:  # leads to another entry (bpf/pending.h)
                continue
            start, _, _, _, proc, tid, *slots, sysno, flags, _ = _STATE.unpack_from(values, at * _STATE.size)
            packed = min(now - start, DURATION_MASK) | sysno << CALL_SHIFT | ((flags | CallFlag.UNFINISHED) & _FLAGS) << FLAGS_SHIFT
            records.append(_RECORD.pack(start, packed, proc, tid, 0, *slots))
            counted[proc, sysno] += 1
    for (proc, sysno), calls in counted.items():
        row = dict.fromkeys((name for name, *_ in TOTALS_FIELDS), 0) | {"calls": calls, "unfinished": calls}
        del row["histogram"]
        values = struct.pack(f"<{len(row)}Q", *row.values())
        totals.update(_KEY.pack(proc, sysno, _NO_CPU), values.ljust(totals.plan.value, b"\0"))
    return b"".join(records)
