"""What a program asks systemd-resolved over its Unix socket, by varlink: JSON documents, each ended by a zero byte.

    {"method":"io.systemd.Resolve.ResolveHostname","parameters":{"name":"example.com","family":2}}
    {"parameters":{"addresses":[{"ifindex":2,"family":2,"address":[93,184,215,14]}],"name":"example.com"}}
    {"error":"io.systemd.Resolve.DNSError","parameters":{"rcode":3}}

Answers come in the order of the requests. ResolveAddress asks for the names of an address.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from report.dns_messages import Message, address_text

__all__ = ("Varlink",)

_DOCUMENT_LIMIT = 1 << 16  # bytes
_OPEN_LIMIT = 256  # requests that wait for their answer; systemd's client has one
_RESOLVE = "io.systemd.Resolve."
_FAMILIES = {0: "A+AAAA", 2: "A", 10: "AAAA"}
_NO_DATA = _RESOLVE + "NoSuchResourceRecord"


class Varlink:
    """The requests and answers on one connection (report/dns_streams.py, Conversation)."""

    via = "resolved"

    def __init__(self) -> None:
        self.lost = False
        self._sides = bytearray(), bytearray()
        self._asked: deque[Message | None] = deque()  # None: a request for something else
        self._count = 0

    @property
    def midway(self) -> bool:
        """Whether an answer has begun and not ended."""
        return bool(self._sides[False])

    def feed(self, sent: bool, data: bytes, missing: int) -> Iterator[Message]:
        """The messages that these bytes complete."""
        if self.lost:
            return
        side = self._sides[sent]
        *documents, rest = bytes(side + data).split(b"\0")
        side[:] = rest
        for document in map(_parsed, documents):
            if document is None:
                self.lost = True
                return
            message = self._question(document) if sent else self._answer(document)
            if message:
                yield message
        self.lost = missing > 0 or len(side) > _DOCUMENT_LIMIT or len(self._asked) > _OPEN_LIMIT

    def _question(self, document: dict[str, Any]) -> Message | None:
        if document.get("oneway") is True:
            return None
        self._count += 1
        question = _question(self._count, document.get("method"), _fields(document))
        self._asked.append(question)
        return question

    def _answer(self, document: dict[str, Any]) -> Message | None:
        if not self._asked:  # joined in the middle: what it answers is not known
            found = _answered(Message(0, False, None, "unknown"), document)
            return found if found.addresses else None
        question = self._asked[0] if document.get("continues") is True else self._asked.popleft()
        return _answered(question, document) if question else None


def _question(number: int, method: Any, fields: dict[str, Any]) -> Message | None:
    name = fields.get("name")
    if method == _RESOLVE + "ResolveHostname" and isinstance(name, str):
        family = fields.get("family", 0)
        return Message(number, False, name, _FAMILIES.get(family, "unknown") if isinstance(family, int) else "unknown")
    if method == _RESOLVE + "ResolveAddress":
        return Message(number, False, _address(fields) or "unknown", "PTR")
    return None


def _answered(question: Message, document: dict[str, Any]) -> Message:
    fields = _fields(document)
    error = document.get("error")
    if error is not None:
        return replace(question, is_answer=True, status=_status(error, fields))
    addresses = [_address(entry) for entry in _entries(fields, "addresses")]
    names = [fields.get("name"), *(entry.get("name") for entry in _entries(fields, "names"))]
    aliases = dict.fromkeys(name for name in names if isinstance(name, str) and name != question.question)
    return replace(question, is_answer=True, status="malformed" if None in addresses else "ok" if addresses or question.type == "PTR" else "no data",
                   addresses=tuple(dict.fromkeys(filter(None, addresses))), aliases=tuple(aliases))


def _status(error: Any, fields: dict[str, Any]) -> str:
    import dns.rcode  # 44 ms, and few sessions hold a look-up

    if not isinstance(error, str):
        return "malformed"
    code = fields.get("rcode")
    if error == _RESOLVE + "DNSError" and type(code) is int and 0 <= code <= 0xFFF:
        return dns.rcode.to_text(dns.rcode.Rcode.make(code))
    return "no data" if error == _NO_DATA else error.removeprefix(_RESOLVE)


def _parsed(document: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(document.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fields(document: dict[str, Any]) -> dict[str, Any]:
    fields = document.get("parameters")
    return fields if isinstance(fields, dict) else {}


def _entries(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = fields.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _address(entry: dict[str, Any]) -> str | None:
    numbers = entry.get("address")
    if not isinstance(numbers, list) or not all(type(number) is int and 0 <= number <= 0xFF for number in numbers):
        return None
    return address_text(bytes(numbers))
