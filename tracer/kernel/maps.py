"""The maps of one session: what they are, and reading and writing them. Numbers and values: bpf/records.h."""

from __future__ import annotations

import os
import struct

from tracer.kernel.sys import Memory, bpf, bpf_in_place, buffer
from tracer.records import (
    APARTS,
    ARGV_BYTES,
    BULK,
    BULK_SLOTS,
    CONTROL,
    GATE,
    HISTOGRAM_BUCKETS,
    IMAGE_KEY,
    LANE_COUNT,
    LANES,
    MARK,
    PLAIN_CHUNK,
    PLAIN_HEAD,
    PLAN,
    SCRATCH_HEAD,
    SEEN,
    SEEN_BUCKETS,
    SOCK_STATE,
    STATE_SLOT,
    STATE_SLOTS,
    STREAM,
    STRING_HEAD,
    SYSNO_LIMIT,
    TLS_CALL,
    TLS_KEY,
    URING_STATE,
    WATCHED,
    MapId,
    Role,
    Tail,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("BpfMap", "MapPlan", "create", "map_plans", "rows_of_cpu")

_CREATE, _LOOKUP, _UPDATE, _DELETE, _BTF_LOAD, _LOOKUP_BATCH, _UPDATE_BATCH, _DELETE_BATCH = 0, 1, 2, 3, 18, 24, 26, 27
_HASH, _ARRAY, _PROG_ARRAY, _PERF_EVENT_ARRAY, _PERCPU_ARRAY, _LRU_HASH, _RINGBUF, _TASK_STORAGE = 1, 2, 3, 4, 6, 9, 27, 29
_NO_PREALLOC = 1

TOTALS_BYTES = 8 * (6 + HISTOGRAM_BUCKETS)
# Rows of living processes, one for each syscall and CPU: those that find their place, and the others. A process beyond them is still
# counted, in the overflow row of its syscall.
_ROWS, _FEWEST_ROWS_OF_CPU = 8192, 256
_TOTALS_ROWS = 32768  # that are made as they are needed: what a second of the fastest forks may want before it is read for the first time
_MARKS = 4096
_CROWD = 8192  # threads that found their slot taken
_SOCKETS = 16384  # TCP sockets that live at one time; those beyond are counted as lost
_WATCHED = 4096
_OPERATIONS = 16384  # of io_uring, under way at one time
_TLS_CALLS, _TLS_ENDS = 4096, 4096  # the least recently used ones make room for others
_IMAGES = 4096  # a file that was forgotten is told of once more


def rows_of_cpu(cpus: int) -> int:
    """How many rows of totals each CPU has in MAP_ROWS, a power of two."""
    return max(_FEWEST_ROWS_OF_CPU, 1 << (_ROWS // cpus).bit_length() - 1)


class MapPlan:
    """How one map is created. ``value`` is the size on one CPU."""

    __slots__ = ("entries", "flags", "key", "kind", "percpu", "value")

    def __init__(self, kind: int, key: int, value: int, entries: int, flags: int = 0, *, percpu: bool = False) -> None:
        self.kind, self.key, self.value, self.entries, self.flags, self.percpu = kind, key, value, entries, flags, percpu


class BpfMap:
    """An open map. Per-CPU values are read as one value for each possible CPU, each padded to 8 bytes."""

    __slots__ = ("cpus", "fd", "plan")

    def __init__(self, fd: int, plan: MapPlan, cpus: int) -> None:
        self.fd, self.plan, self.cpus = fd, plan, cpus

    def _size(self) -> int:
        return (self.plan.value + 7) // 8 * 8 * self.cpus if self.plan.percpu else self.plan.value

    def lookup(self, key: bytes) -> bytes | None:
        """The value (of all CPUs, one after the other), or None."""
        key_memory, key_at = buffer(key)
        value, value_at = buffer(self._size())
        try:
            bpf(_LOOKUP, struct.pack("<IIQQQ", self.fd, 0, key_at, value_at, 0))
        except FileNotFoundError:
            return None
        del key_memory
        return value.raw

    def update(self, key: bytes, value: bytes) -> None:
        """Writes one value. Raises OSError."""
        key_memory, key_at = buffer(key)
        value_memory, value_at = buffer(value)
        bpf(_UPDATE, struct.pack("<IIQQQ", self.fd, 0, key_at, value_at, 0))
        del key_memory, value_memory

    def delete(self, key: bytes) -> None:
        """Removes one entry; none there is fine."""
        key_memory, key_at = buffer(key)
        try:
            bpf(_DELETE, struct.pack("<IIQQQ", self.fd, 0, key_at, 0, 0))
        except FileNotFoundError:
            pass
        del key_memory

    def update_all(self, values: bytes) -> None:
        """Fills an array with ``values``, one after the other, in one call. Raises OSError."""
        count = len(values) // self.plan.value
        keys, keys_at = buffer(struct.pack(f"<{count}I", *range(count)))
        memory, at = buffer(values)
        bpf(_UPDATE_BATCH, struct.pack("<QQQQIIQQ", 0, 0, keys_at, at, count, self.fd, 0, 0))
        del keys, memory

    def delete_all(self, keys: bytes) -> None:
        """Removes many entries in one call; those that are not there are passed over. Raises OSError."""
        size, at = self.plan.key, 0
        while at < len(keys):
            memory, address = buffer(keys[at:])
            attributes, done = _batch(address, 0, (len(keys) - at) // size, self.fd)
            try:
                bpf_in_place(_DELETE_BATCH, attributes)
                return
            except FileNotFoundError:  # the kernel stops at a missing key, and says how far it came
                at += (done() + 1) * size
            del memory

    def batches(self, limit: int) -> Iterator[tuple[bytes, bytes]]:
        """All entries of a hash, as (keys, values), up to ``limit`` at once (at least the longest chain of one bucket).

        Entries that come and go meanwhile may or may not be among them; none comes twice. Raises OSError.
        """
        keys, keys_at = buffer(limit * self.plan.key)
        values, values_at = buffer(limit * self._size())
        place, place_at = buffer(8)
        following, following_at = buffer(8)
        start = 0
        while True:
            attributes, done = _batch(keys_at, values_at, limit, self.fd, start, following_at)
            try:
                bpf_in_place(_LOOKUP_BATCH, attributes)
                last = False
            except FileNotFoundError:  # the end of the map; what was found on the way counts
                last = True
            if found := done():
                yield bytes(memoryview(keys)[: found * self.plan.key]), bytes(memoryview(values)[: found * self._size()])
            if last:
                return
            place.raw, start = following.raw, place_at


def _batch(keys: int, values: int, count: int, fd: int, start: int = 0, following: int = 0) -> tuple[Memory, Callable[[], int]]:
    """Attributes of a batch call, and how many entries the kernel says it has done."""
    attributes = buffer(struct.pack("<QQQQIIQQ", start, following, keys, values, count, fd, 0, 0))[0]
    return attributes, lambda: int(struct.unpack_from("<I", attributes.raw, 32)[0])


def map_plans(cpus: int, *, task_storage: bool, perf: bool, ring_bytes: dict[str, int]) -> dict[MapId, MapPlan]:
    """Every map of a session, for ``cpus`` possible CPUs; ``ring_bytes`` per lane are powers of two."""
    mark = struct.calcsize(MARK)
    plans = {
        MapId.MARKS: MapPlan(_TASK_STORAGE, 4, mark, 0, _NO_PREALLOC) if task_storage else MapPlan(_HASH, 4, mark, _MARKS, _NO_PREALLOC),
        MapId.STATES: MapPlan(_ARRAY, 4, struct.calcsize(STATE_SLOT), STATE_SLOTS),
        MapId.CLAIMS: MapPlan(_HASH, 4, 4, STATE_SLOTS, _NO_PREALLOC),
        MapId.CROWD: MapPlan(_HASH, 4, 4, _CROWD, _NO_PREALLOC),
        MapId.PLANS: MapPlan(_ARRAY, 4, struct.calcsize(PLAN), SYSNO_LIMIT),
        MapId.TOTALS: MapPlan(_HASH, 8, TOTALS_BYTES, _TOTALS_ROWS, _NO_PREALLOC),
        MapId.ROWS: MapPlan(_ARRAY, 4, 8 + TOTALS_BYTES, cpus * rows_of_cpu(cpus)),
        MapId.RETIRED: MapPlan(_ARRAY, 4, 8, cpus * rows_of_cpu(cpus)),
        MapId.OVERFLOW: MapPlan(_ARRAY, 4, TOTALS_BYTES, cpus * SYSNO_LIMIT),
        MapId.LEDGER: MapPlan(_PERCPU_ARRAY, 4, struct.calcsize(LANE_COUNT), len(LANES) + 1, percpu=True),
        MapId.CONTROL: MapPlan(_ARRAY, 4, struct.calcsize(CONTROL), 1),
        MapId.SERIALS: MapPlan(_ARRAY, 4, 8, cpus + 1),
        MapId.SCRATCH: MapPlan(
            _PERCPU_ARRAY, 4, struct.calcsize(SCRATCH_HEAD) + TOTALS_BYTES + struct.calcsize(STRING_HEAD) + ARGV_BYTES + 8, 1, percpu=True),
        MapId.SEEN: MapPlan(_ARRAY, 4, struct.calcsize(SEEN), SEEN_BUCKETS),
        MapId.GATE: MapPlan(_ARRAY, 4, struct.calcsize(GATE), 1),
        MapId.SOCKS: MapPlan(_HASH, 8, struct.calcsize(SOCK_STATE), _SOCKETS),
        MapId.WATCHED: MapPlan(_LRU_HASH, 8, struct.calcsize(WATCHED), _WATCHED),
        MapId.TAILS: MapPlan(_PROG_ARRAY, 4, 4, len(Tail)),
        MapId.TLS_TAILS: MapPlan(_PROG_ARRAY, 4, 4, len(Role)),
        MapId.TLS_CALLS: MapPlan(_LRU_HASH, 8, struct.calcsize(TLS_CALL), _TLS_CALLS),
        MapId.TLS_ENDS: MapPlan(_LRU_HASH, struct.calcsize(TLS_KEY), struct.calcsize("<" + STREAM), _TLS_ENDS),
        MapId.BULK: MapPlan(_ARRAY, 4, struct.calcsize(BULK), BULK_SLOTS),
        MapId.IMAGES_SEEN: MapPlan(_LRU_HASH, struct.calcsize(IMAGE_KEY), 1, _IMAGES),
        MapId.APART: MapPlan(_PERCPU_ARRAY, 4, 8 + struct.calcsize(PLAIN_HEAD) + PLAIN_CHUNK, APARTS, percpu=True),
        MapId.URING: MapPlan(_HASH, 8, struct.calcsize(URING_STATE), _OPERATIONS),
    }
    for lane in LANES:
        plans[MapId[lane.upper()]] = MapPlan(_PERF_EVENT_ARRAY, 4, 4, cpus) if perf else MapPlan(_RINGBUF, 0, 0, ring_bytes[lane])
    return plans


def _types_of_state(size: int) -> int:
    """Task storage wants BTF for its key (an int) and value (any type of the right size): the least that says so."""
    names = b"\0int\0u64\0"
    types = struct.pack("<IIII", 1, 1 << 24, 4, 1 << 24 | 32)  # [1] INT int, signed
    types += struct.pack("<IIII", 5, 1 << 24, 8, 64)  # [2] INT u64
    types += struct.pack("<IIIIII", 0, 3 << 24, 0, 2, 1, size // 8)  # [3] u64[size / 8]
    blob = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(names)) + types + names
    memory, at = buffer(blob)
    fd = bpf(_BTF_LOAD, struct.pack("<QQIII", at, 0, len(blob), 0, 0))
    del memory
    return fd


def create(map_id: MapId, plan: MapPlan, cpus: int) -> BpfMap:
    """Creates one map. Raises OSError as bpf(2) does."""
    types = _types_of_state(plan.value) if plan.kind == _TASK_STORAGE else 0
    ids = (types, 1, 3) if types else (0, 0, 0)
    name = b"ebt_" + map_id.name.lower().encode()
    attributes = struct.pack("<IIIIIII16sIIIIII", plan.kind, plan.key, plan.value, plan.entries, plan.flags, 0, 0, name[:15], 0, *ids, 0, 0)
    fd = bpf(_CREATE, attributes)
    if types:
        os.close(types)
    return BpfMap(fd, plan, cpus)
