"""Reads the kernel's own type information (BTF), to find where a field lies in this kernel's structures.

Format: Documentation/bpf/btf.rst. Only what the build needs: ids by kind and name, and field offsets along a path such
as ``thread_info.status``, through anonymous members and typedefs. The 6 MB of a distribution kernel take 0.1 s.
"""

from __future__ import annotations

import struct
from array import array

from tracer.errors import KernelTooOld

__all__ = ("Field", "KernelBtf")

VMLINUX = "/sys/kernel/btf/vmlinux"
_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _FWD, _TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _FUNC = range(1, 13)
_ENUM64, _TYPE_TAG = 19, 18
_NAMED = {_STRUCT, _TYPEDEF, _FUNC}
_SKIPPED = {_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG}
# bytes behind the 12-byte header: fixed, and per vlen
_TAIL = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12), 17: (4, 0), 19: (0, 12)}
_INTEGERS = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}


class _Lengths(dict[int, int]):
    """By a type's info, its words, of which there are 130,000 types and some hundred infos; negative for kinds that are looked up by name."""

    def __missing__(self, info: int) -> int:
        kind = info >> 24 & 0x1F
        fixed, each = _TAIL.get(kind, (0, 0))
        length = (12 + fixed + each * (info & 0xFFFF)) // 4
        self[info] = found = -length if kind in _NAMED else length
        return found


class Field:
    """A field at ``offset`` bytes, of ``size`` bytes; ``declare`` is its C declaration with ``%s`` for the name."""

    __slots__ = ("declare", "offset", "size")

    def __init__(self, offset: int, size: int, declare: str) -> None:
        self.offset, self.size, self.declare = offset, size, declare


class KernelBtf:
    """The types of one kernel. Raises KernelTooOld where the file is missing or not BTF."""

    def __init__(self, path: str = VMLINUX) -> None:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise KernelTooOld(
                f"this kernel gives no type information ({path}: {error.strerror})",
                "ebtrace needs a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of current distributions are",
            ) from error
        if len(data) < 24:
            raise KernelTooOld(f"{path} is not BTF")
        magic, _, _, header, type_at, type_len, name_at, name_len = struct.unpack_from("<HBBIIIII", data)
        if magic != 0xEB9F:
            raise KernelTooOld(f"{path} is not BTF")
        self._names = data[header + name_at : header + name_at + name_len]
        self._types = data[header + type_at : header + type_at + type_len]
        self._at = [0]
        self._places: dict[str, int] = {}  # of names, right before them; -1: there is none such
        self._fields: dict[int, dict[str, tuple[int, int]]] = {}
        self._ids: dict[tuple[int, int], int] = {}
        self._scan()

    def _scan(self) -> None:
        words, lengths, places, ids, at = array("I", self._types), _Lengths(), self._at, self._ids, 0
        end = len(words)
        while at < end:
            info = words[at + 1]
            length = lengths[info]
            if length < 0:
                ids[info >> 24 & 0x1F, words[at]] = len(places)
                length = -length
            places.append(at * 4)
            at += length

    def _id(self, kind: int, name: str) -> int | None:
        if name not in self._places:  # which takes 0.2 ms to find
            self._places[name] = self._names.find(b"\0" + name.encode() + b"\0")
        at = self._places[name]
        return self._ids.get((kind, at + 1)) if at >= 0 else None

    def tracepoint(self, name: str) -> int | None:
        """Id to attach to a raw tracepoint by (typedef btf_trace_NAME)."""
        return self._id(_TYPEDEF, "btf_trace_" + name)

    def first_tracepoint(self, names: str) -> str | None:
        """The first that this kernel has of some tracepoints, with bars between them: the newest name comes first."""
        return next((name for name in names.split("|") if self.tracepoint(name) is not None), None)

    def arguments(self, name: str) -> int:
        """How many arguments a raw tracepoint has; 0 where this kernel has no such tracepoint."""
        found = self.tracepoint(name)
        if found is None:
            return 0
        pointer = self._header(found)
        return (self._header(pointer[2])[1] & 0xFFFF) - 1  # the first is the tracepoint's own

    def function(self, name: str) -> int | None:
        """Id of a kernel function, for instance of a BPF iterator (bpf_iter_task)."""
        return self._id(_FUNC, name)

    def structure(self, name: str) -> int | None:
        """Id of ``struct name``."""
        return self._id(_STRUCT, name)

    def size(self, structure: str) -> int | None:
        """Bytes of ``struct structure``; None where this kernel has no such structure."""
        found = self.structure(structure)
        return None if found is None else self._header(found)[2]

    def field(self, structure: str, path: str) -> Field:
        """Where ``path`` (dotted) lies in ``struct structure``. Raises KernelTooOld where this kernel has no such field."""
        here = self.structure(structure)
        offset = 0
        for part in path.split("."):
            found = self._members(here).get(part) if here is not None else None
            if found is None:
                raise KernelTooOld(f"this kernel has no field {path} in struct {structure}")
            offset, here = offset + found[0], found[1]
        assert here is not None
        size, declare = self._declare(here)
        return Field(offset, size, declare)

    def _header(self, type_id: int) -> tuple[int, int, int, int]:
        """Kind, vlen, size or type, and place of a type, with typedefs and qualifiers taken away."""
        while True:
            at = self._at[type_id]
            _, info, third = struct.unpack_from("<III", self._types, at)
            kind = info >> 24 & 0x1F
            if kind not in _SKIPPED:
                return kind, info, third, at
            type_id = third

    def _members(self, type_id: int) -> dict[str, tuple[int, int]]:
        """Offset in bytes and type of each field of a structure or union, by name, with those of nameless ones in it."""
        if type_id not in self._fields:
            kind, info, _, at = self._header(type_id)
            found: dict[str, tuple[int, int]] = {}
            count = info & 0xFFFF if kind in (_STRUCT, _UNION) else 0
            for name_at, member, bits in struct.iter_unpack("<III", self._types[at + 12 : at + 12 + 12 * count]):
                offset = (bits & 0xFFFFFF if info >> 31 else bits) // 8
                name = self._names[name_at : self._names.index(b"\0", name_at)].decode()
                inner = {name: (0, member)} if name else self._members(member)
                for own, (further, kept) in inner.items():
                    found.setdefault(own, (offset + further, kept))
            self._fields[type_id] = found
        return self._fields[type_id]

    def _declare(self, type_id: int) -> tuple[int, str]:
        kind, _, third, at = self._header(type_id)
        if kind in (_INT, _ENUM, _ENUM64):
            return third, _INTEGERS[third] + " %s"
        if kind == _PTR:
            target, _, _, place = self._header(third) if third else (0, 0, 0, 0)
            if target == _STRUCT:
                name_at = struct.unpack_from("<I", self._types, place)[0]
                name = self._names[name_at : self._names.index(b"\0", name_at)].decode()
                return 8, f"struct {name} *%s" if name else "void *%s"
            return 8, "void *%s"
        if kind == _ARRAY:
            element, _, count = struct.unpack_from("<III", self._types, at + 12)
            size, declare = self._declare(element)
            return size * count, declare.replace("%s", f"%s[{count}]")
        if kind in (_STRUCT, _UNION):
            return third, f"u8 %s[{third}]"  # whatever is in it is the reader's to know
        raise KernelTooOld("a field that the probes read has a shape they do not know")
