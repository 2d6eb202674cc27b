"""Reads a BPF ring buffer from its memory map, without a library and without a copy per record.

Layout (kernel/bpf/ringbuf.c): one page with the consumer's position, one page with the producer's, then the data. A record is a header of
8 bytes (u32 length with bit 31 busy and bit 30 discarded, u32 page offset) and its bytes, padded to a multiple of 8. The kernel offers the
data twice in a row, so that no record appears to wrap; we map a part of them at a time and put the pieces together.

Memory order. The kernel publishes the producer's position with a release store and takes the busy bit away with a full barrier;
we must not read a header before the position, nor a record's bytes before its header, nor move our own position before our reads
are done. x86-64 keeps loads in order and stores behind loads. arm64 does not; there is no fence instruction in Python, but
releasing a lock and taking it again is one (a store-release followed by a load-acquire cannot be passed by either side): see fence.
"""

from __future__ import annotations

import mmap

from tracer.bare import new_lock

__all__ = ("WIDE", "SlotRing", "StringRing", "fence")

PAGE = mmap.PAGESIZE
BUSY = 1 << 31
_WINDOW, WIDE = 1 << 16, 1 << 18  # bytes of a window: of most rings, and of those that are read by 100 MB a second and more
_lock = new_lock()
_lock.acquire()


def fence() -> None:
    """A full memory barrier. Only for the one thread that drains."""
    _lock.release()
    _lock.acquire()


class _Ring:
    """Positions are byte counts that only ever grow; the place in the data is the position modulo the size.

    The data are seen through a window of so many bytes, which is opened by the first read. What is mapped counts as memory of this process,
    a second time: the kernel accounts the ring to the map already.
    """

    def __init__(self, fd: int, size: int, window: int = _WINDOW) -> None:
        self.size = size
        self._fd = fd
        self._consumer = mmap.mmap(fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE)
        self._read_at = memoryview(self._consumer)[:8].cast("Q")
        self._written_to = memoryview(self._producer)[:8].cast("Q")
        self.window = min(size, window)
        self._base = -self.window  # no place is in it
        self._data: mmap.mmap | None = None

    def _open(self, base: int) -> None:
        self._base = base
        self._data = mmap.mmap(self._fd, self.window, mmap.MAP_SHARED, mmap.PROT_READ, offset=2 * PAGE + base)
        self._bytes = memoryview(self._data)
        self._words = self._bytes.cast("I")

    def _shut(self) -> None:
        if self._data is not None:
            self._words.release()
            self._bytes.release()
            self._data.close()

    def _at(self, place: int) -> int:
        """Where ``place`` is in the window, which is moved if need be."""
        offset = place - self._base
        if not 0 <= offset < self.window:
            self._shut()
            self._open(place - place % self.window)
            offset = place - self._base
        return offset

    def backlog(self) -> int:
        """Bytes that wait to be read."""
        return self._written_to[0] - self._read_at[0]

    def close(self) -> None:
        """Gives the memory back."""
        self._shut()
        self._written_to.release()
        self._read_at.release()
        self._producer.close()
        self._consumer.close()


class SlotRing(_Ring):
    """A ring of records of one size, which with their headers divides the ring: none wraps, so they are read in runs."""

    def __init__(self, fd: int, size: int, record: int, window: int = _WINDOW) -> None:
        super().__init__(fd, size, window)
        self.slot = record + 8
        self._stride = self.slot // 4

    def read_into(self, to: memoryview, room: int) -> int:
        """Copies up to ``room`` whole slots (header and record) to the start of ``to``; returns how many."""
        start = self._read_at[0]
        waiting = self._written_to[0] - start
        if not waiting:
            return 0
        at = self._at(start % self.size)
        n = min(min(waiting, self.window - at) // self.slot, room)
        fence()
        heads = self._words[at // 4 : at // 4 + n * self._stride : self._stride].tolist()
        if n and max(heads) >= BUSY:
            n = next(i for i, head in enumerate(heads) if head >= BUSY)
        fence()
        length = n * self.slot
        to[:length] = self._bytes[at : at + length]
        fence()
        self._read_at[0] = start + length
        return n


class StringRing(_Ring):
    """A ring of records of many sizes."""

    def _copy(self, position: int, length: int) -> bytes:
        """Bytes from ``position`` on, across the end of the window or of the ring."""
        parts = b""
        while len(parts) < length:
            at = self._at((position + len(parts)) % self.size)
            parts += self._bytes[at : at + length - len(parts)]
        return parts

    def read(self, limit: int) -> list[bytes]:
        """Copies out up to ``limit`` records."""
        at, end = self._read_at[0], self._written_to[0]
        records: list[bytes] = []
        while at < end and len(records) < limit:
            fence()
            place = self._at(at % self.size)
            head = self._words[place // 4]
            if head >= BUSY:
                break
            fence()
            length = head & 0x3FFFFFFF
            if not head & 1 << 30:
                records.append(self._copy(at + 8, length))
            at += (length + 15) // 8 * 8
        fence()
        self._read_at[0] = at
        return records
