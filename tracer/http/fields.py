"""HPACK, RFC 7541, for a reader that may have missed what came before.

hpack's Decoder gives up a header block at the first field that it does not know. Here such a field is marked, and the rest is read:
the newest entries of the table have the lowest indices, so all that was added since is right even if older entries are not known.
"""

from __future__ import annotations

from collections import deque

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from tracer.http.heads import text
from tracer.http.limits import BLOCK, FIELDS
from tracer.session.exchanges import Headers

__all__ = ("UNKNOWN", "FieldDecoder")

UNKNOWN = "?"
"""The name or the value of a field that cannot be decoded."""

_STATIC = [(text(name), text(value)) for name, value in HeaderTable.STATIC_TABLE]
_ENTRY = 32  # bytes that an entry counts besides its name and value
_TABLE = 4096  # bytes of a table, if nothing else is agreed
_TABLE_MAX = 64 << 10  # more is rarely agreed, and not believed


class _Torn(Exception):
    """The block ends within a field, or a number in it is absurd."""


class FieldDecoder:
    """Decodes the header blocks of one direction."""

    def __init__(self, whole: bool) -> None:
        self._entries: deque[tuple[str, str]] = deque()
        self._size = 0
        self._max = _TABLE
        self._whole = whole  # no entry was missed

    @property
    def held(self) -> int:
        """Bytes of memory."""
        return self._size + 150 * len(self._entries)

    def lose(self) -> None:
        """A header block was missed: no index means what it did."""
        self._entries.clear()
        self._size = 0
        self._whole = False

    def decode(self, block: bytes) -> tuple[Headers, list[str]]:
        """The fields of a block, and what is wrong with it."""
        fields: Headers = []
        at = size = unknown = 0
        errors = []
        try:
            while at < len(block):
                field, at = self._field(block, at)
                if field is None:
                    continue
                unknown += UNKNOWN in field
                size += len(field[0]) + len(field[1]) + _ENTRY
                if size <= BLOCK and len(fields) < FIELDS:
                    fields.append(field)
        except _Torn:
            errors.append("the header block is malformed")
            self.lose()
        if unknown:
            errors.append(f"{unknown} headers cannot be decoded" + ("" if self._whole else ": they refer to what was not seen"))
        if size > BLOCK or len(fields) == FIELDS:
            errors.append("there are too many headers: not all are kept")
        return fields, errors

    def _field(self, block: bytes, at: int) -> tuple[tuple[str, str] | None, int]:
        first = block[at]
        if first & 0x80:
            index, at = _number(block, at, 7)
            return self._entry(index), at
        if first & 0xE0 == 0x20:
            size, at = _number(block, at, 5)
            self._max = min(size, _TABLE_MAX)
            self._evict()
            return None, at
        index, at = _number(block, at, 6 if first & 0x40 else 4)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        if first & 0x40:
            self._entries.appendleft((name, value))
            self._size += len(name) + len(value) + _ENTRY
            self._evict()
        return (name, value), at

    def _entry(self, index: int) -> tuple[str, str]:
        if 0 < index <= len(_STATIC):
            return _STATIC[index - 1]
        index -= len(_STATIC) + 1
        return self._entries[index] if 0 <= index < len(self._entries) else (UNKNOWN, UNKNOWN)

    def _evict(self) -> None:
        while self._size > self._max:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + _ENTRY


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    value = block[at] & limit
    at += 1
    if value < limit:
        return value, at
    for shift in range(0, 35, 7):
        if at >= len(block):
            raise _Torn
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Torn


def _string(block: bytes, at: int) -> tuple[str, int]:
    if at >= len(block):
        raise _Torn
    coded = block[at] & 0x80
    length, at = _number(block, at, 7)
    data = block[at:at + length]
    if len(data) < length:
        raise _Torn
    if coded:
        try:
            data = decode_huffman(data)
        except HPACKError:
            return UNKNOWN, at + length
    return text(data), at + length
