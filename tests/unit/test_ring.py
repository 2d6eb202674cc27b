"""The ring readers, fed by a file that is laid out as the kernel lays out a BPF ring buffer."""

from __future__ import annotations

import os
import random
import struct

import pytest

from tracer.kernel.ring import BUSY, PAGE, SlotRing, StringRing

SIZE = 4 * PAGE


class FakeKernel:
    """Writes records as kernel/bpf/ringbuf.c does: the data, then the position."""

    def __init__(self, size: int = SIZE) -> None:
        self.fd = os.memfd_create("ring")
        self.size = self.window = size
        os.ftruncate(self.fd, 2 * PAGE + size)
        self.written = 0

    def _put(self, at: int, data: bytes) -> None:
        for i, byte in enumerate(data):
            os.pwrite(self.fd, bytes([byte]), 2 * PAGE + (at + i) % self.size)

    def consumed(self) -> int:
        return int.from_bytes(os.pread(self.fd, 8, 0), "little")

    def send(self, data: bytes, *, busy: bool = False, discarded: bool = False) -> int:
        """Returns where the record's header is, for `commit`; refuses as the kernel does when there is no room."""
        length = (len(data) + 15) // 8 * 8
        assert self.written + length - self.consumed() <= self.size, "full"
        at = self.written
        self._put(at, struct.pack("<II", len(data) | (BUSY if busy else 0) | (1 << 30 if discarded else 0), 0) + data)
        self.written += length
        os.pwrite(self.fd, struct.pack("<Q", self.written), PAGE)
        return at

    def commit(self, at: int, length: int) -> None:
        self._put(at, struct.pack("<I", length))


@pytest.fixture(params=[PAGE, 1 << 20], ids=["a window of a page", "one window for all"])
def kernel(request):
    fake = FakeKernel()
    fake.window = request.param
    yield fake
    os.close(fake.fd)


def test_slots_come_out_in_order_across_the_end_of_the_ring(kernel: FakeKernel) -> None:
    ring = SlotRing(kernel.fd, SIZE, 56, kernel.window)
    room = bytearray(64 * 1000)
    sent = read = 0
    rng = random.Random(7)
    while read < 2003:
        for _ in range(rng.randrange(1, SIZE // 64 - (sent - read) + 1) if sent - read < SIZE // 64 else 0):
            kernel.send(struct.pack("<7Q", *[sent] * 7))
            sent += 1
        n = ring.read_into(memoryview(room), rng.randrange(1, 200))
        for i in range(n):
            assert struct.unpack_from("<7Q", room, i * 64 + 8) == (read,) * 7
            read += 1
    assert ring.backlog() == (sent - read) * 64
    ring.close()


def test_a_busy_slot_stops_the_run_until_it_is_committed(kernel: FakeKernel) -> None:
    ring = SlotRing(kernel.fd, SIZE, 56, kernel.window)
    room = memoryview(bytearray(64 * 16))
    kernel.send(b"a" * 56)
    waiting = kernel.send(b"b" * 56, busy=True)
    kernel.send(b"c" * 56)
    assert ring.read_into(room, 16) == 1
    assert ring.read_into(room, 16) == 0
    kernel.commit(waiting, 56)
    assert ring.read_into(room, 16) == 2
    assert bytes(room[8:64]) == b"b" * 56
    assert bytes(room[72:128]) == b"c" * 56
    ring.close()


def test_strings_of_all_lengths_across_the_end_of_the_ring(kernel: FakeKernel) -> None:
    ring = StringRing(kernel.fd, SIZE, kernel.window)
    rng = random.Random(11)
    for _ in range(307):
        wanted = [bytes([rng.randrange(256)]) * rng.randrange(0, 1500) for _ in range(rng.randrange(1, 8))]
        for data in wanted:
            kernel.send(data)
        kernel.send(b"thrown away", discarded=True)
        assert ring.read(100) == wanted
    assert ring.backlog() == 0
    ring.close()


def test_strings_wait_for_a_busy_record_and_keep_to_the_limit(kernel: FakeKernel) -> None:
    ring = StringRing(kernel.fd, SIZE, kernel.window)
    for word in (b"one", b"two", b"three"):
        kernel.send(word)
    waiting = kernel.send(b"four", busy=True)
    assert ring.read(2) == [b"one", b"two"]
    assert ring.read(9) == [b"three"]
    kernel.commit(waiting, 4)
    assert ring.read(9) == [b"four"]
    ring.close()


def mapped(kernel: FakeKernel) -> int:
    """Bytes of the ring that this process has mapped, its positions apart."""
    number, total = os.fstat(kernel.fd).st_ino, 0
    with open("/proc/self/maps") as maps:
        for line in maps:
            limits, _, offset, _, inode = line.split()[:5]
            if int(inode) == number and int(offset, 16) >= 2 * PAGE:
                low, high = (int(limit, 16) for limit in limits.split("-"))
                total += high - low
    return total


@pytest.mark.parametrize("open_ring", [lambda fd: SlotRing(fd, SIZE, 56, 2 * PAGE), lambda fd: StringRing(fd, SIZE, 2 * PAGE)])
def test_a_window_is_opened_by_the_first_read(open_ring) -> None:
    kernel = FakeKernel()
    for _ in range(2):  # a reader may come later, and one may go without having read
        ring = open_ring(kernel.fd)
        assert (ring.backlog(), mapped(kernel)) == (kernel.written - kernel.consumed(), 0)
        ring.close()
        kernel.send(b"a" * 56)
    ring = open_ring(kernel.fd)
    assert ring.read_into(memoryview(bytearray(64 * 9)), 9) if isinstance(ring, SlotRing) else ring.read(9)
    assert (ring.backlog(), mapped(kernel)) == (0, 2 * PAGE)
    ring.close()
    assert mapped(kernel) == 0
    os.close(kernel.fd)
