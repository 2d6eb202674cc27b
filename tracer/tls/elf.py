"""Reads ELF files of 64-bit little-endian machines: segments, sections, the dynamic table, and where an address is in the file.

Files come from the traced programs, so nothing in them is believed: every read is bounded. The file is read and not mapped, because a
mapped file that its owner shortens meanwhile would kill the tracer by SIGBUS.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ("BadElf", "Elf", "Section", "Segment", "find")

PF_X, PF_W = 1, 2
PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_EH_FRAME = 1, 2, 4, 0x6474E550
DT_SONAME = 14
_MACHINES = {62: "x86_64", 183: "aarch64"}
_TABLE_BYTES = 1 << 20  # of section headers, names of sections, and the dynamic table
_ADDRESSES = 1 << 48  # bytes: as far as programs reach
_CHUNK = 1 << 20


class BadElf(ValueError):
    """The file is not an ELF file that this can read; the text says why."""


class Segment:
    """A program header; ``size`` is in bytes of the file."""

    __slots__ = ("address", "flags", "kind", "offset", "size")

    def __init__(self, kind: int, flags: int, offset: int, address: int, size: int) -> None:
        self.kind, self.flags, self.offset, self.address, self.size = kind, flags, offset, address, size


class Section:
    """A section header; ``link`` is the number of another section, such as the names of a symbol table."""

    __slots__ = ("address", "kind", "link", "name", "offset", "size")

    def __init__(self, name: str, kind: int, address: int, offset: int, size: int, link: int) -> None:
        self.name, self.kind, self.address, self.offset, self.size, self.link = name, kind, address, offset, size, link


class Elf:
    """An open ELF file. Raises BadElf. ``relocatable``: its addresses count from where it is loaded (PIE and libraries)."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        head = self.read(0, 64)
        if head[:4] != b"\x7fELF":
            raise BadElf("not an ELF file")
        if len(head) < 64:
            raise BadElf("a truncated ELF file")
        if head[4:6] != b"\x02\x01":
            raise BadElf("not a 64-bit little-endian program")
        kind, machine, _, self.entry, phoff, shoff, _, _, phsize, phnum, shsize, shnum, self._names = struct.unpack_from("<HHIQQQIHHHHHH", head, 16)
        if machine not in _MACHINES:
            raise BadElf(f"a program for another machine (ELF machine {machine})")
        if kind not in (2, 3) or phsize != 56:
            raise BadElf("neither a program nor a library")
        self.machine, self.relocatable = _MACHINES[machine], kind == 3
        self.segments = self._segments(phoff, phnum)
        self.sections = self._sections(shoff, shnum) if shsize == 64 else []
        self.loads = [segment for segment in self.segments if segment.kind == PT_LOAD]
        self.code = [segment for segment in self.loads if segment.flags & PF_X]

    def read(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes at ``offset`` of the file; fewer at its end, none outside of it."""
        if not 0 <= offset < self.size or length <= 0:
            return b""
        return os.pread(self.fd, min(length, self.size - offset), offset)

    def _segments(self, offset: int, count: int) -> list[Segment]:
        data = self.read(offset, count * 56)
        rows = struct.iter_unpack("<IIQQQQQQ", data[: len(data) // 56 * 56])
        found = [Segment(kind, flags, at, address, min(size, max(self.size - at, 0))) for kind, flags, at, address, _, size, _, _ in rows]
        return [segment for segment in found if segment.address < _ADDRESSES and segment.offset < self.size]

    def _sections(self, offset: int, count: int) -> list[Section]:
        data = self.read(offset, min(count * 64, _TABLE_BYTES))
        rows = list(struct.iter_unpack("<IIQQQQIIQQ", data[: len(data) // 64 * 64]))
        names = self.read(rows[self._names][4], min(rows[self._names][5], _TABLE_BYTES)) if self._names < len(rows) else b""
        found = []
        for name, kind, _, address, at, size, link, _, _, _ in rows:
            text = names[name : names.find(b"\0", name, name + 64)] if name < len(names) else b""
            stored = 0 if kind == 8 else min(size, max(self.size - at, 0))  # 8: SHT_NOBITS has no bytes in the file
            found.append(Section(text.decode("ascii", "replace"), kind, address, at, stored, link))
        return found

    def section(self, name: str) -> Section | None:
        """The first section of this name."""
        return next((section for section in self.sections if section.name == name), None)

    def offset(self, address: int) -> int | None:
        """Where the byte that is loaded to ``address`` is in the file."""
        for segment in self.loads:
            if 0 <= address - segment.address < segment.size:
                return address - segment.address + segment.offset
        return None

    def address(self, offset: int) -> int | None:
        """Where the byte at ``offset`` of the file is loaded to."""
        for segment in self.loads:
            if 0 <= offset - segment.offset < segment.size:
                return offset - segment.offset + segment.address
        return None

    def at(self, address: int, length: int) -> bytes:
        """Up to ``length`` bytes at an address; none where nothing of the file is loaded."""
        offset = self.offset(address)
        return b"" if offset is None else self.read(offset, length)

    def executable(self, address: int) -> bool:
        """Whether code is loaded to this address."""
        return any(0 <= address - segment.address < segment.size for segment in self.code)

    def constants(self) -> list[tuple[int, int]]:
        """Where texts can be, (offset, length): what is loaded and neither code nor variables, unless the linker did not part these."""
        fixed = [segment for segment in self.loads if not segment.flags & PF_W]
        parted = [segment for segment in fixed if not segment.flags & PF_X]
        return [(segment.offset, segment.size) for segment in parted or fixed or self.loads]

    def dynamic(self) -> dict[int, int]:
        """The dynamic table: the last value of each tag."""
        for segment in self.segments:
            if segment.kind == PT_DYNAMIC:
                data = self.read(segment.offset, min(segment.size, _TABLE_BYTES))
                return dict(struct.iter_unpack("<QQ", data[: len(data) // 16 * 16]))
        return {}

    def soname(self) -> str:
        """The name that a library gives itself, such as "libssl.so.3"."""
        table = self.dynamic()
        if DT_SONAME not in table or 5 not in table:
            return ""
        return self.at(table[5] + table[DT_SONAME], 256).partition(b"\0")[0].decode("ascii", "replace")

    def build_id(self) -> str:
        """The GNU build id in hex, or "" where there is none."""
        for segment in self.segments:
            if segment.kind != PT_NOTE:
                continue
            data, at = self.read(segment.offset, min(segment.size, 65536)), 0
            while at + 12 <= len(data):
                names, size, kind = struct.unpack_from("<III", data, at)
                start = at + 12 + (names + 3 & ~3)
                if kind == 3 and data[at + 12 : at + 16] == b"GNU\0" and 8 <= size <= 64 and start + size <= len(data):
                    return data[start : start + size].hex()
                at = start + (size + 3 & ~3)
        return ""


def find(elf: Elf, needles: Sequence[bytes], ranges: Sequence[tuple[int, int]], most: int = 64) -> Iterator[tuple[bytes, int]]:
    """Up to ``most`` places of each of the needles in ranges (offset, length) of the file, chunk by chunk: (needle, offset)."""
    overlap = max(map(len, needles)) - 1
    left = dict.fromkeys(needles, most)
    for start, length in ranges:
        for offset in range(start, start + length, _CHUNK):
            data = elf.read(offset, min(_CHUNK + overlap, start + length - offset))
            if not data or not any(left.values()):
                break
            for needle in needles:
                at = data.find(needle)
                while 0 <= at < _CHUNK and left[needle]:
                    left[needle] -= 1
                    yield needle, offset + at
                    at = data.find(needle, at + 1)
