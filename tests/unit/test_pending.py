"""Operations of io_uring that are under way at the end: records and totals made of what their map holds."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

from tracer.kernel.maps import MapPlan
from tracer.kernel.pending import count_pending, pending
from tracer.kinds import CallFlag
from tracer.records import LANES, SYSNO_LIMIT, TOTALS_KEY, URING_STATE, MapId
from tracer.stream.decode import syscalls

READ = 1024 + 22
_REPEATS = 0x100  # a flag of the probes' own (bpf/pending.h)


class FakeMap:
    """A map whose memory is a dictionary; ``room``: for so many entries."""

    def __init__(self, entries: dict[bytes, bytes], room: int = 1000) -> None:
        self.entries, self.room = dict(entries), room
        self.plan = MapPlan(1, 8, 8, room)

    def batches(self, limit: int) -> Iterator[tuple[bytes, bytes]]:
        keys = list(self.entries)
        for at in range(0, len(keys), 2):  # in small batches, whatever the limit
            part = keys[at : at + 2]
            yield b"".join(part), b"".join(self.entries[key] for key in part)

    def lookup(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def update(self, key: bytes, value: bytes) -> None:
        if key not in self.entries and len(self.entries) >= self.room:
            raise OSError(7, "too big")
        self.entries[key] = value


def state(start_ns: int, proc: int, slots: tuple[int, int, int] = (3, 100, 7), flags: int = 0, sysno: int = READ) -> bytes:
    return struct.pack(URING_STATE, start_ns, 0, 0, slots[2], proc, proc + 100, *slots, sysno, flags, proc + 100)


def test_records_of_what_is_under_way() -> None:
    operations = FakeMap({
        struct.pack("<Q", 0x1000): state(1_000, 1),
        struct.pack("<Q", 0x1001): state(1_000, 1, flags=_REPEATS),  # the same, by ring and user_data
        struct.pack("<Q", 0x2000): state(2_500, 2, (5, 6, 2**64 - 1), CallFlag.UNREADABLE | _REPEATS),
    })
    records, counts = pending(operations, 4_000)
    columns = {name: column.tolist() for name, column in syscalls(records, slots=False).items()}
    assert columns == {
        "start_ns": [1_000, 2_500], "duration_ns": [3_000, 1_500], "sysno": [READ, READ], "flags": [1, 1 | 4], "proc": [1, 2], "tid": [101, 102],
        "ret": [0, 0], "a0": [3, 5], "a1": [100, 6], "a2": [7, 2**64 - 1],
    }
    assert counts == {(1, READ): 1, (2, READ): 1}


def test_nothing_is_under_way() -> None:
    assert pending(FakeMap({}), 4_000) == (b"", Counter())


def test_a_clock_that_was_read_before_is_no_negative_time() -> None:
    records, _ = pending(FakeMap({struct.pack("<Q", 0x1000): state(5_000, 1)}), 4_000)
    assert syscalls(records, slots=False)["duration_ns"].tolist() == [0]


def test_they_count() -> None:
    totals = FakeMap({}, room=1)
    overflow = FakeMap({struct.pack("<I", READ): struct.pack("<76Q", *range(1, 77))})  # two CPUs
    ledger = FakeMap({struct.pack("<I", len(LANES)): struct.pack("<6Q", 1, 2, 3, 4, 5, 6)})
    maps = {MapId.TOTALS: totals, MapId.OVERFLOW: overflow, MapId.LEDGER: ledger}
    count_pending(Counter({(1, READ): 3, (2, READ): 5}), maps, 2)
    assert READ < SYSNO_LIMIT
    assert totals.entries == {struct.pack(TOTALS_KEY, 1, READ, 2): struct.pack("<38Q", 3, 0, 3, *[0] * 35)}
    assert overflow.entries[struct.pack("<I", READ)] == struct.pack("<76Q", 1 + 5, 2, 3 + 5, *range(4, 77))
    assert ledger.entries[struct.pack("<I", len(LANES))] == struct.pack("<6Q", 1 + 5, 2, 3, 4, 5, 6)
