"""Reads per-CPU perf ring buffers: the transport of kernels without BPF ring buffers, and of ``--transport perf``.

Layout (include/uapi/linux/perf_event.h, struct perf_event_mmap_page): one page with data_head at byte 1024 and data_tail at 1032, then a power of
two of data pages. A record is a header of 8 bytes (u32 type, u16 misc, u16 size); PERF_RECORD_SAMPLE of a BPF program
holds u32 length and that many bytes, padded. Records wrap around the end. What the kernel could not place is counted by
the probe itself, so PERF_RECORD_LOST is passed over. Memory order: as in tracer/kernel/ring.py.

Offers what the BPF rings offer, so that the drain does not know the difference.
"""

from __future__ import annotations

import mmap
import os
import struct

from tracer.kernel.maps import BpfMap
from tracer.kernel.ring import PAGE, fence
from tracer.kernel.sys import perf_event_open

__all__ = ("PerfSlots", "PerfStrings")

_SOFTWARE, _BPF_OUTPUT, _SAMPLE_RAW, _SAMPLE = 1, 10, 1 << 10, 9
_IOC_ENABLE = 0x2400
_HEAD, _TAIL = 1024 // 8, 1032 // 8


def _online_cpus() -> list[int]:
    cpus: list[int] = []
    with open("/sys/devices/system/cpu/online") as file:
        for part in file.read().strip().split(","):
            first, _, last = part.partition("-")
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


class _Buffer:
    """The buffer of one CPU."""

    def __init__(self, target: BpfMap, cpu: int, size: int) -> None:
        attributes = bytearray(112)
        # type, size of the structure, config, period, sample type, read format, flags, wake-up after so many bytes
        struct.pack_into("<IIQQQQQI", attributes, 0, _SOFTWARE, 112, _BPF_OUTPUT, 1, _SAMPLE_RAW, 0, 1 << 14, size // 4)
        self.fd = perf_event_open(bytes(attributes), -1, cpu, -1, 8)
        self.size = size
        self._map()
        target.update(struct.pack("<I", cpu), struct.pack("<I", self.fd))
        import fcntl

        fcntl.ioctl(self.fd, _IOC_ENABLE, 0)

    def _map(self) -> None:
        self._memory = mmap.mmap(self.fd, PAGE + self.size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._control = memoryview(self._memory)[:PAGE].cast("Q")
        self._bytes = memoryview(self._memory)[PAGE:]

    def forked(self) -> None:
        self._parents = self._memory, self._control, self._bytes  # to let go of them would unmap what may lie there now
        self._map()

    def backlog(self) -> int:
        return self._control[_HEAD] - self._control[_TAIL]

    def copy(self) -> bytes:
        """All bytes that wait to be read, in one piece; nothing is given back to the kernel yet."""
        at, end = self._control[_TAIL], self._control[_HEAD]
        fence()
        place, length = at % self.size, end - at
        first = min(length, self.size - place)
        return bytes(self._bytes[place : place + first]) + bytes(self._bytes[: length - first])

    def release(self, done: int) -> None:
        """Gives ``done`` bytes back."""
        fence()
        self._control[_TAIL] += done

    def take(self, limit: int) -> list[bytes]:
        """The bytes of up to ``limit`` samples."""
        data = self.copy()
        samples: list[bytes] = []
        done = 0
        while done + 8 <= len(data) and len(samples) < limit:
            kind, size = struct.unpack_from("<I2xH", data, done)
            if kind == _SAMPLE:
                raw = struct.unpack_from("<I", data, done + 8)[0]
                samples.append(data[done + 12 : done + 12 + raw])
            done += max(size, 8)
        self.release(done)
        return samples

    def close(self) -> None:
        self._bytes.release()
        self._control.release()
        self._memory.close()
        os.close(self.fd)


class _Buffers:
    def __init__(self, target: BpfMap, size: int) -> None:
        cpus = _online_cpus()
        share = max(PAGE, 1 << (size // len(cpus)).bit_length() - 1)
        self.size = share * len(cpus)
        self.buffers = [_Buffer(target, cpu, share) for cpu in cpus]

    def backlog(self) -> int:
        """Bytes that wait to be read."""
        return sum(buffer.backlog() for buffer in self.buffers)

    def forked(self) -> None:
        """To be called in a child process that shall read instead of its parent: it does not inherit the memory (VM_DONTCOPY)."""
        for buffer in self.buffers:
            buffer.forked()

    def close(self) -> None:
        """Gives the memory back."""
        for buffer in self.buffers:
            buffer.close()


class PerfSlots(_Buffers):
    """Records of one size."""

    def __init__(self, target: BpfMap, size: int, record: int) -> None:
        super().__init__(target, size)
        self.record, self.slot = record, record + 8
        self._stride = (12 + record + 7) // 8 * 8  # of a sample in the buffer

    def read_into(self, to: memoryview, room: int) -> int:
        """Copies up to ``room`` records, each behind 8 empty bytes as in a BPF ring; returns how many."""
        n = 0
        for buffer in self.buffers:
            if buffer.backlog() and n < room:
                n += self._read_run(buffer, to[n * self.slot :], room - n)
        return n

    def _read_run(self, buffer: _Buffer, to: memoryview, room: int) -> int:
        """Samples of one size stand in rows, so each of their words is a column: as many copies as a record has words, whatever their number."""
        data = buffer.copy()
        n = min(len(data) // self._stride, room)
        rows = memoryview(data)[: n * self._stride].cast("I")
        step = self._stride // 4
        heads = set(rows[0::step].tolist()), {word >> 16 for word in rows[1::step].tolist()}
        if heads != ({_SAMPLE}, {self._stride}):  # a note of the kernel's about lost records is among them
            samples = buffer.take(room)
            for i, sample in enumerate(samples):
                to[i * self.slot + 8 : (i + 1) * self.slot] = sample[: self.record]
            return len(samples)
        slots = to[: n * self.slot].cast("I")
        for word in range(self.record // 4):
            slots[2 + word :: self.slot // 4] = rows[3 + word :: step]
        buffer.release(n * self._stride)
        return n


class PerfStrings(_Buffers):
    """Records of many sizes."""

    def read(self, limit: int) -> list[bytes]:
        """Copies out up to ``limit`` records of each CPU."""
        return [sample for buffer in self.buffers if buffer.backlog() for sample in buffer.take(limit)]
