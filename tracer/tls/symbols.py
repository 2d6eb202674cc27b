"""Looks a few names up in a file's symbol tables, without reading the other symbols.

The place of the name among the names is found first, then the one symbol that points to it: two searches for bytes, and no loop over
thousands of symbols.
"""

from __future__ import annotations

import struct

from tracer.tls.elf import Elf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("Symbol", "lookup")

_SYMBOL = struct.Struct("<IBBHQQ")
_FUNCTIONS = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_TABLE_BYTES = 64 << 20


class Symbol:
    """A function that the file defines: its address and its length in bytes, 0 where the table does not tell."""

    __slots__ = ("address", "size")

    def __init__(self, address: int, size: int) -> None:
        self.address, self.size = address, size


def lookup(elf: Elf, names: Iterable[str], *, local: bool = False, largest: int = _TABLE_BYTES) -> dict[str, Symbol]:
    """The functions of these names in .dynsym, or with ``local`` in .symtab; nothing from tables of more than ``largest`` bytes."""
    table = _section(elf, ".symtab" if local else ".dynsym") or (None if local else _dynamic(elf))
    if table is None:
        return {}
    (at, size), (names_at, names_size) = table
    if size > largest or names_size > largest:
        return {}
    strings, symbols = elf.read(names_at, names_size), b""
    found = {}
    for name in names:
        for place in _places(strings, name.encode()):
            symbols = symbols or elf.read(at, size)
            symbol = _at(symbols, place)
            if symbol is not None:
                found[name] = symbol
                break
    return found


def _section(elf: Elf, name: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    section = elf.section(name)
    if section is None or section.link >= len(elf.sections):
        return None
    strings = elf.sections[section.link]
    return (section.offset, section.size), (strings.offset, strings.size)


def _dynamic(elf: Elf) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Without section headers: the table's length is told by the old hash table, or by the names that follow it."""
    table = elf.dynamic()
    symbols, strings = elf.offset(table.get(6, -1)), elf.offset(table.get(5, -1))
    if symbols is None or strings is None:
        return None
    chains = elf.at(table.get(4, -1), 8)
    if len(chains) == 8:
        size = struct.unpack_from("<I", chains, 4)[0] * _SYMBOL.size
    else:
        size = strings - symbols if strings > symbols else _TABLE_BYTES
    return (symbols, min(size, elf.size - symbols)), (strings, min(table.get(10, 0), elf.size - strings))


def _places(strings: bytes, name: bytes, most: int = 16) -> Iterator[int]:
    """Where ``name`` ends a string: linkers let a name share the end of a longer one."""
    at = strings.find(name + b"\0")
    while at >= 0 and most:
        yield at
        most -= 1
        at = strings.find(name + b"\0", at + 1)


def _at(symbols: bytes, name: int, most: int = 4096) -> Symbol | None:
    needle = struct.pack("<I", name)
    at = symbols.find(needle)
    while at >= 0 and most:
        if at % _SYMBOL.size == 0 and at + _SYMBOL.size <= len(symbols):
            _, info, _, section, address, size = _SYMBOL.unpack_from(symbols, at)
            if info & 15 in _FUNCTIONS and section:
                return Symbol(address, size)
        most -= 1
        at = symbols.find(needle, at + 1)
    return None
