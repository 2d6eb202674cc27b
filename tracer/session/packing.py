"""Exchanges as the blocks of a session, ready to be compressed: made in a process that has no NumPy.

EXCHANGES is a map {"exchanges": [entry, ...]}. An entry is a map of the fields of `Exchange` under their names, with lists flat:

    *_headers, *_trailers            [name, value, name, value, ...]
    *_marks                          [offset, at_ns, offset, at_ns, ...]
    messages                         [at_ns, sent, kind, kept, length, at_ns, ...]
    request_body, response_body      the body's id in a BODIES table; 0: empty
    messages_data                    the id of what was kept of all messages, one after the other; 0: nothing

What is as in `Exchange()` is left out. BODIES is a table (format.py) in the plainest coding of columns.py. Equal bodies have one id, a
keyed hash, and are mostly stored once; they come before the exchanges that name them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import msgpack

from tracer.digest import blake2b
from tracer.session.exchanges import Exchange
from tracer.session.format import BlockKind

__all__ = ("FIELDS", "MESSAGE_ITEMS", "ExchangePacker")

FIELDS = tuple(Exchange.__slots__)
_DEFAULTS = {name: getattr(Exchange(), name) for name in FIELDS}
MESSAGE_ITEMS = 5  # in the flat list, for each message

_MAP_BYTES = 1 << 20     # of one EXCHANGES block, far below format.MAP_LIMIT
_MAP_ENTRIES = 1 << 13   # each has up to a dozen lists, and a reader takes no more than 2**18 of them
_TABLE_BYTES = 4 << 20   # of the bodies in one BODIES block; a larger one has a block to itself
_BODY_LIMIT = 32 << 20   # of one body, far below format.RAW_LIMIT
_ENTRY_LIMIT = 4 << 20   # a larger entry loses what makes it so
_LIST_LIMIT = 1 << 17    # items of one flat list
_TEXT_LIMIT = 1 << 16    # characters of one text, in an entry that is too large
_PART_LIMIT = 1 << 10    # and of one in a list
_KNOWN_LIMIT = 1 << 16   # ids that are remembered as written
_LARGEST = (1 << 63) - 1
_SOCK = (1 << 64) - 1
_RAW = 1                 # columns.Coding, which needs NumPy


class ExchangePacker:
    """Makes blocks of exchanges. One for a session: it remembers which bodies are in it already."""

    def __init__(self) -> None:
        self._key = os.urandom(16)  # so that nobody can make bodies that share an id
        self._known: set[int] = set()
        self._packer = msgpack.Packer(unicode_errors="surrogateescape")
        self._bodies: list[tuple[int, bytes]] = []
        self._waiting = 0

    def packed_blocks(self, exchanges: Iterable[Exchange]) -> Iterator[tuple[BlockKind, bytes]]:
        """The insides of blocks, as `SessionWriter.write_packed` takes them, in the order in which they are to be written."""
        entries: list[bytes] = []
        size = 0
        for exchange in exchanges:
            entry = self._entry(exchange)
            if entries and (size + len(entry) > _MAP_BYTES or len(entries) == _MAP_ENTRIES):
                yield from self._flush(entries)
                entries, size = [], 0
            entries.append(entry)
            size += len(entry)
            if self._waiting > _TABLE_BYTES // 2:
                yield from self._tables()
        yield from self._flush(entries)

    def _flush(self, entries: list[bytes]) -> Iterator[tuple[BlockKind, bytes]]:
        yield from self._tables()
        if entries:
            head = self._packer.pack("exchanges")
            yield BlockKind.EXCHANGES, b"".join((b"\x81", head, b"\xdd", len(entries).to_bytes(4, "big"), *entries))

    def _tables(self) -> Iterator[tuple[BlockKind, bytes]]:
        part: list[tuple[int, bytes]] = []
        size = 0
        for number, body in self._bodies:
            if part and size + len(body) > _TABLE_BYTES:
                yield BlockKind.BODIES, self._table(part)
                part, size = [], 0
            part.append((number, body))
            size += len(body)
        if part:
            yield BlockKind.BODIES, self._table(part)
        self._bodies, self._waiting = [], 0

    def _table(self, bodies: list[tuple[int, bytes]]) -> bytes:
        columns = (("id", "u8", b"".join(number.to_bytes(8, "little") for number, _ in bodies)),
                   ("kept", "u4", b"".join(len(body).to_bytes(4, "little") for _, body in bodies)),
                   ("data", "u1", b"".join(body for _, body in bodies)))
        packed: bytes = self._packer.pack({name: [dtype, [len(data) // int(dtype[1:])], None, None, _RAW, data] for name, dtype, data in columns})
        return packed

    def _body(self, body: bytes) -> int:
        if not body:
            return 0
        number = int.from_bytes(blake2b(body, digest_size=8, key=self._key).digest(), "little") or 1
        if number not in self._known:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            self._known.add(number)
            self._bodies.append((number, bytes(body)))
            self._waiting += len(body)
        return number

    def _entry(self, exchange: Exchange) -> bytes:
        plain = self._plain(exchange)
        packed: bytes = self._packer.pack(plain)
        if len(packed) > _ENTRY_LIMIT:
            few = {name: _shortened(value) for name, value in plain.items()}
            few["errors"] = [*few.get("errors", ()), "It was too large to be kept whole."]
            packed = self._packer.pack(few)
        return packed

    def _plain(self, exchange: Exchange) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for name in FIELDS:
            value = getattr(exchange, name)
            if value == _DEFAULTS[name]:
                continue
            if name.endswith("_body"):
                if len(value) > _BODY_LIMIT:
                    plain[name.replace("_body", "_cut")] = True
                value = self._body(value[:_BODY_LIMIT])
            elif name.endswith(("_headers", "_trailers", "_marks")):
                value = [part for pair in value[:_LIST_LIMIT // 2] for part in pair]
            elif name == "messages":
                value, plain["messages_data"] = self._messages(exchange)
            elif type(value) is int:
                value = min(value, _LARGEST) if name != "sock" else value & _SOCK
            plain[name] = value
        left_out = len(exchange.messages) - len(plain.get("messages", ())) // MESSAGE_ITEMS
        if left_out:
            plain["errors"] = [*exchange.errors, f"Its last messages were not kept: {left_out}."]
        return plain

    def _messages(self, exchange: Exchange) -> tuple[list[Any], int]:
        """The flat list, and the id of the data."""
        kept, room = [], _BODY_LIMIT
        flat: list[Any] = []
        for message in exchange.messages[:_LIST_LIMIT // MESSAGE_ITEMS]:
            data = message.data[:room]
            room -= len(data)
            kept.append(data)
            flat += [message.at_ns, message.sent, message.kind, len(data), min(message.length, _LARGEST)]
        return flat, self._body(b"".join(kept))


def _shortened(value: Any) -> Any:
    """A part of a field; of a flat list the first entries, whole ones."""
    if isinstance(value, str):
        return value[:_TEXT_LIMIT]
    if isinstance(value, list):
        return [part[:_PART_LIMIT] if isinstance(part, str) else part for part in value[:50 * MESSAGE_ITEMS]]
    return value
