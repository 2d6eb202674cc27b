"""Go: crypto/tls by the function table that the runtime needs for its tracebacks (pclntab), which stripping does not take away.

It starts with a magic number, two zeros, the smallest instruction's length and the size of a pointer; then come words:
  Go 1.2     functions; the table of functions follows, and names and functions are told as distances from the header
  Go 1.16    functions, files, then where these are, from the header: names, units, files, tables of numbers, table of functions
  Go 1.18/20 functions, files, the address that code starts at, then the same distances
A row of the table of functions has where the code is and where its record is; the record repeats the first, then has its name's place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracer.tls.elf import Elf, find
from tracer.tls.flow import Walker
from tracer.tls.found import Found, Function
from tracer.tls.quick import PCLNTAB
from tracer.tls.starts import Starts

__all__ = ("find_go", "go_version")

_OLD, _GO16, _GO18, _GO20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
_NAMES = {b"crypto/tls.(*Conn).Read": "go_read", b"crypto/tls.(*Conn).Write": "go_write"}
_MOST = 1 << 22  # functions
_STACK_CHECKS = (b"\x49\x3b\x66\x10", b"\x4d\x3b\x66\x10", b"\x64\x48\x8b\x0c\x25", b"\x90\x0b\x40\xf9")  # cmp rsp or r12, mov rcx fs:, ldr x16
_RELATIVE = {"x86_64": 8, "aarch64": 1027}


class _Table(NamedTuple):
    """``code``: where each function starts, from ``text``; ``records``: where its record is, from ``functions`` in the file."""

    header: int
    text: int
    code: npt.NDArray[np.uint64]
    records: npt.NDArray[np.uint64]
    functions: int
    names: int
    names_end: int
    width: int


def go_version(elf: Elf) -> str:
    """The version of Go that made the file, such as "go1.19.8", or ""."""
    section = elf.section(".go.buildinfo")
    ranges = [(section.offset, section.size)] if section else [(s.offset, s.size) for s in elf.loads]
    for _, offset in find(elf, [b"\xff Go buildinf:"], ranges, 4):
        head = elf.read(offset, 128)
        if len(head) < 48 or head[14] != 8:
            continue
        if head[15] & 2:
            text = head[33 : 33 + min(head[32], 64)]
        else:  # until Go 1.17: a pointer to a string
            place, length = struct.unpack("<QQ", elf.at(struct.unpack_from("<Q", head, 16)[0], 16).ljust(16, b"\0"))
            text = elf.at(place, min(length, 64))
        if text.startswith((b"go", b"devel")):
            return text.decode("ascii", "replace")
    return ""


def find_go(elf: Elf) -> Found | None:
    """crypto/tls's functions; None where there is no table of Go's. Without functions in it: a program that has no crypto/tls."""
    missing = None
    for offset in _headers(elf):
        table = _table(elf, offset)
        if table is None:
            continue
        missing = Found("", note="a Go program without crypto/tls")
        places = {role: place for name, role in _NAMES.items() if (place := _function(elf, table, name)) is not None}
        if len(places) == len(_NAMES):
            return _found(elf, table, places)
    return missing


def _found(elf: Elf, table: _Table, places: dict[str, int]) -> Found:
    version = go_version(elf)
    text = next((text for text in _texts(elf, table) if all(_starts(elf, text + place) for place in places.values())), None)
    if text is None:
        return Found("go", version, note="where Go's code starts was not found")
    walker = Walker(elf, Starts((table.code + np.uint64(text)).astype(np.int64), True), whole=True)
    functions, notes = [], []
    for role, place in places.items():
        returns, why = walker.exits(text + place)
        offsets = [elf.offset(address) for address in (text + place, *returns)]
        if why or None in offsets:
            notes.append(f"{role}: {why or 'its code is not in the file'}")
        else:
            entry, *ways = (offset for offset in offsets if offset is not None)
            functions.append(Function(role, entry, tuple(ways)))
    return Found("go", version, "pclntab", tuple(functions), "; ".join(notes))


def _headers(elf: Elf) -> Iterator[int]:
    quantum = 4 if elf.machine == "aarch64" else 1
    sections = [section for name in PCLNTAB if (section := elf.section(name))]
    if sections:
        yield from (section.offset for section in sections)
        return
    needles = [struct.pack("<IHBB", magic, 0, quantum, 8) for magic in (_GO20, _GO18, _GO16, _OLD)]
    yield from (offset for _, offset in find(elf, needles, [(s.offset, s.size) for s in elf.loads], 8))


def _table(elf: Elf, header: int) -> _Table | None:
    head = elf.read(header, 72)
    if len(head) < 72:
        return None
    magic, count = struct.unpack_from("<I4xQ", head)
    rest = struct.unpack_from("<7Q", head, 16)
    if magic in (_GO18, _GO20):
        text, names, names_end, functions, width = rest[1], rest[2], rest[3], rest[6], 4
    elif magic == _GO16:
        text, names, names_end, functions, width = 0, rest[1], rest[2], rest[5], 8
    elif magic == _OLD:
        text, names, names_end, functions, width = 0, 0, elf.size, 0, 8
    else:
        return None
    if not 0 < count <= _MOST or max(names, functions) > elf.size:
        return None
    data = elf.read(header + functions + (16 if magic == _OLD else 0), count * 2 * width)
    if len(data) < count * 2 * width:
        return None
    rows = np.frombuffer(data, f"<u{width}").astype(np.uint64)
    return _Table(header, text, rows[::2], rows[1::2], header + functions, header + names, min(header + names_end, elf.size), width)


def _function(elf: Elf, table: _Table, name: bytes) -> int | None:
    """Where the function of this name starts, as the table tells it."""
    for _, offset in find(elf, [b"\0" + name + b"\0"], [(table.names, table.names_end - table.names)], 4):
        needle = struct.pack("<I", offset + 1 - table.names)
        last = int(table.records.max()) + 16
        for _, at in find(elf, [needle], [(table.functions, min(last, elf.size - table.functions))], 1 << 16):
            rows = np.flatnonzero(table.records == at - table.width - table.functions)
            if len(rows):
                return int(table.code[rows[0]])
    return None


def _texts(elf: Elf, table: _Table) -> Iterator[int]:
    """Where code may start: what the header says, what the loader writes there, or the section; older tables have whole addresses."""
    yield table.text
    if table.width == 8:
        return
    dynamic, at = elf.dynamic(), elf.address(table.header + 24)
    start = elf.offset(dynamic.get(7, -1))
    if start is not None and at is not None:
        needle = struct.pack("<QQ", at, _RELATIVE[elf.machine])
        for _, offset in find(elf, [needle], [(start, min(dynamic.get(8, 0), elf.size - start))], 1):
            yield int.from_bytes(elf.read(offset + 16, 8), "little")
    section = elf.section(".text")
    if section:
        yield section.address
    yield from (segment.address for segment in elf.code)


def _starts(elf: Elf, address: int) -> bool:
    """Whether a function with a stack check, as Go writes it, starts here."""
    return elf.executable(address) and any(check in elf.at(address, 24) for check in _STACK_CHECKS)
