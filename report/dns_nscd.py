"""What a program asks nscd, glibc's cache of names, over its Unix socket (glibc: nscd/nscd-client.h).

Structs of 32-bit numbers in the machine's own byte order. A request is version, type, length of the key, then the key. An answer
depends on the type; its last number is netdb.h's error. glibc connects anew for each request. What glibc finds in the memory that
nscd shares with it passes no socket, and is not told here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from report.dns_messages import MESSAGE_LIMIT, Message, address_text

__all__ = ("NSCD_VERSION", "Nscd")

NSCD_VERSION = struct.pack("<i", 2)

_REQUEST = struct.Struct("<iii")
_KEY_LIMIT = 1024  # MAXKEYLEN
_GETAI = 14
_TYPES = {4: "A", 5: "AAAA", 6: "PTR", 7: "PTR", _GETAI: "A+AAAA"}
_HOST = struct.Struct("<8i")  # version, found, length of the name, aliases, family, length of an address, addresses, error
_ANY = struct.Struct("<6i")  # version, found, addresses, their length, length of the name, error
_ERRORS = {1: "NXDOMAIN", 2: "try again", 3: "failed", 4: "no data"}
_ADDRESS_BYTES = {2: 4, 10: 16}  # by family


class Nscd:
    """One question and its answer (report/dns_streams.py, Conversation)."""

    via = "nscd"

    def __init__(self) -> None:
        self.lost = False
        self._asked = self._told = b""
        self._kind = 0
        self._question: Message | None = None
        self._answered = False

    @property
    def midway(self) -> bool:
        """Whether the answer has begun and not ended."""
        return bool(self._told) and not self._answered

    def feed(self, sent: bool, data: bytes, missing: int) -> Iterator[Message]:
        """The messages that these bytes complete."""
        if self.lost or self._answered:
            return
        if sent and self._question is None:
            self._asked += data[:_REQUEST.size + _KEY_LIMIT - len(self._asked)]
            self._question = self._read_question()
            if self._question:
                yield self._question
            self.lost |= missing > 0
        elif not sent and self._question:
            self._told += data[:MESSAGE_LIMIT - len(self._told)]
            answer = self._read_answer(self._question, missing > 0 or len(self._told) == MESSAGE_LIMIT)
            if answer:
                self._answered = True
                yield answer

    def _read_question(self) -> Message | None:
        if len(self._asked) < _REQUEST.size:
            return None
        version, self._kind, length = _REQUEST.unpack_from(self._asked)
        if version != 2 or self._kind not in _TYPES or not 0 < length <= _KEY_LIMIT:
            self.lost = True  # about users or groups, or for the shared memory
            return None
        key = self._asked[_REQUEST.size:_REQUEST.size + length]
        if len(key) < length:
            return None
        name = address_text(key) if _TYPES[self._kind] == "PTR" else None
        return Message(0, False, name or _text(key), _TYPES[self._kind])

    def _read_answer(self, question: Message, cut: bool) -> Message | None:
        """None as long as more of it is to come."""
        told = self._told
        head = _ANY if self._kind == _GETAI else _HOST
        if len(told) < head.size:
            return _answer(question, "cut") if cut else None
        version, found, *numbers, error = head.unpack_from(told)
        if version != 2 or min(numbers) < 0:
            return _answer(question, "malformed")
        if found != 1:  # -1: it does not serve this database, and glibc goes on to ask name servers itself
            return _answer(question, "not served" if found == -1 else _ERRORS.get(error, f"error {error}"))
        if self._kind == _GETAI:
            count, length, name_length = numbers
            name = head.size + length + count
            first, whole = head.size, name + name_length
            sizes = [_ADDRESS_BYTES.get(family, 0) for family in told[head.size + length:name]]
        else:
            name_length, aliases, _, size, count = numbers
            name = head.size
            first = name + name_length + 4 * aliases
            whole = first + size * count
            sizes = [size] * min(count, len(told))
        if len(told) < whole:
            return _answer(question, "cut") if cut else None
        addresses = []
        for size in sizes:
            addresses.append(address_text(told[first:first + size]))
            first += size
        return _answer(question, "malformed" if None in addresses else "ok", addresses, _text(told[name:name + name_length]))


def _answer(question: Message, status: str, addresses: list[str | None] | None = None, canonical: str = "") -> Message:
    found = () if question.type == "PTR" else tuple(dict.fromkeys(filter(None, addresses or ())))  # of PTR it is the one that was asked for
    names = (canonical,) if canonical and canonical != question.question else ()
    return Message(0, True, question.question, question.type, status, found, names)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
