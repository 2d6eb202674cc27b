"""What the probes add to one traced syscall here, in ns: tried on this process itself, with probes of its own.

os.getppid is the cheapest call there is, and it is made from a loop that costs the same with and without probes, so the difference is
what the probes take. Each phase counts by its quickest chunk: whatever else the machine does can only make a chunk slower.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable
from itertools import repeat
from typing import Any, NamedTuple

from tracer.errors import EbtraceError
from tracer.kernel.image import cache_folder, read_trusted, write_trusted
from tracer.kernel.perf import PerfSlots
from tracer.kernel.ring import SlotRing
from tracer.kernel.sys import arch
from tracer.kernel.tracing import Tracing
from tracer.records import LANES, PLAN, MapId, PlanFlag
from tracer.syscalls.names import number

__all__ = ("Trial", "added_ns", "bpf_ns_per_call")

_CALLS = 10_007  # while the probes are live: a prime, so that no multiple of anything else is taken for it
_CHUNK = 500
_CHUNKS_WITHOUT = 10  # before, and again after
_RING_BYTES = {**dict.fromkeys(LANES, 1 << 16), "syscalls": 1 << 21}  # room for all records: nobody has to drain
_RECORD = 56
_NEVER_SLOW_NS = 1 << 62


class Trial(NamedTuple):
    """The state of affairs after the calls: the probes are off, nothing has been read yet."""

    tracing: Tracing
    syscalls: SlotRing | PerfSlots
    found: bytes  # LIFE_FOUND records of this process's threads
    made: int  # getppid calls that were made while the probes were live
    sysno: int  # of getppid


def added_ns(probes: dict[str, Any], plans: bytes, look: Callable[[Trial], None] = lambda _: None) -> float:
    """Nanoseconds that the image ``probes`` adds to one traced call; takes about 50 ms. Raises HostError, OSError.

    ``plans`` says how many detail records are kept; getppid is traced whether they ask for it or not. ``look`` may inspect the outcome.
    """
    sysno = number(arch(), "getppid")
    assert sysno is not None
    tracing = Tracing(probes, _RING_BYTES)
    tracing.load()
    try:
        lanes = _lanes(tracing)
        tracing.plan(_with_traced(plans, sysno), _NEVER_SLOW_NS)
        before = _quickest(_CHUNKS_WITHOUT)
        tracing.attach()
        tracing.mark(os.getpid(), held=False)
        found = tracing.adopt(children=False)
        between = _quickest(_CALLS // _CHUNK)
        _call(_CALLS % _CHUNK)
        tracing.detach()
        after = _quickest(_CHUNKS_WITHOUT)
        look(Trial(tracing, lanes[0], found, _CALLS, sysno))
        for lane in lanes:
            lane.close()
    finally:
        tracing.close()
    return max(between - min(before, after), 0.0)


def bpf_ns_per_call(probes: dict[str, Any], plans: bytes, *, measure: bool) -> tuple[float | None, str]:
    """`added_ns` and how it is known; remembered beside the image, so that a short session need not measure. Never fails: None is unknown."""
    identity = f"{probes.get('identity')} keep one in {_kept(plans)}"
    name = f"{probes['mode']}-{probes['transport']}-{zlib.crc32(identity.encode()):08x}.cost"
    path = os.path.join(cache_folder(), name)
    if measure:
        try:
            ns = added_ns(probes, plans)
        except (EbtraceError, OSError):  # another tracer may have taken the memory: what was known before still holds
            pass
        else:
            write_trusted(path, {"identity": identity, "ns": ns})
            return ns, "measured now"
    known = (read_trusted(path, identity) or {}).get("ns")
    return (known, "measured earlier on this machine") if isinstance(known, float) else (None, "not measured")


def _lanes(tracing: Tracing) -> list[SlotRing | PerfSlots]:
    """The records' rings, the syscalls' first. Perf rings must all be there before the first record: without one, sending fails, and costs less."""
    if tracing.perf:
        return [PerfSlots(tracing.maps[MapId[lane.upper()]], size, _RECORD) for lane, size in _RING_BYTES.items()]
    return [SlotRing(tracing.maps[MapId.SYSCALLS].fd, _RING_BYTES["syscalls"], _RECORD)]


def _with_traced(plans: bytes, sysno: int) -> bytes:
    changed, at = bytearray(plans), sysno * struct.calcsize(PLAN)
    struct.pack_into("<I", changed, at, struct.unpack_from("<I", changed, at)[0] | PlanFlag.TRACED)
    return bytes(changed)


def _kept(plans: bytes) -> int:
    """The sampling that the plans set: the largest keep_one_in of any call."""
    size = struct.calcsize(PLAN)
    return max(int(struct.unpack_from("<I", plans, at + 4)[0]) for at in range(0, len(plans), size))


def _call(times: int) -> int:
    """Makes so many calls; returns the ns they took."""
    call, clock = os.getppid, time.perf_counter_ns
    begun = clock()
    for _ in repeat(None, times):
        call()
    return clock() - begun


def _quickest(chunks: int) -> float:
    """ns per call in the quickest of so many chunks."""
    return min(_call(_CHUNK) for _ in range(chunks)) / _CHUNK
