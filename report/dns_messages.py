"""One DNS message as it was on the wire (RFC 1035), as far as a person asks about it: the question, the verdict, the addresses.

Whatever a name server sends may be hostile, and reports hold thousands of messages. dnspython knows the names of types and verdicts
and how a name is written; the walk over the records is done here, because it leaves alone what is not shown (dnspython's decoder of
whole messages takes ten times as long) and is bounded: a chain of compression pointers costs older dnspythons minutes.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, replace
from functools import lru_cache

__all__ = ("MESSAGE_LIMIT", "Message", "address_text", "decode")

MESSAGE_LIMIT = 4096  # bytes of one message that are looked at: what the probes keep of one call (PAYLOAD_BYTES)

_HEADER = struct.Struct(">HHHHH")  # after the id: flags, and the records of the four sections
_RECORD = struct.Struct(">HHIH")  # after the name: type, class, time to live, length
_ID_BYTES = 2
_RECORDS_LIMIT = 512
_HOPS_LIMIT = 16  # pointers that lead to pointers; encoders write one
_NAME_LIMIT = 255  # RFC 1035, 2.3.4
_RESPONSE, _TRUNCATED = 0x8000, 0x0200
_A, _CNAME, _PTR, _AAAA, _OPT = 1, 5, 12, 28, 41
_ADDRESSES = {_A: socket.AF_INET, _AAAA: socket.AF_INET6}
_INTERNET = 1
_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, 2.5.5.2

_Labels = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A question, or an answer, in whichever protocol. ``number`` pairs the two, together with the question."""

    number: int
    is_answer: bool
    question: str | None  # None: an answer that does not repeat its question
    type: str
    status: str = ""
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class _Malformed(Exception):
    """The bytes break the rules of the format."""


def decode(wire: bytes, cut: bool) -> Message | None:
    """The message; None if it is no question about names and no answer to one. ``cut``: there was more of it."""
    found = _decoded(wire[_ID_BYTES:MESSAGE_LIMIT], cut or len(wire) > MESSAGE_LIMIT)
    return replace(found, number=int.from_bytes(wire[:_ID_BYTES], "big")) if found else None


@lru_cache(maxsize=1024)  # programs ask the same again and again, with other numbers
def _decoded(wire: bytes, cut: bool) -> Message | None:
    """The same without the id."""
    import dns.rdatatype  # 44 ms, and few sessions hold a look-up

    at = _HEADER.size
    if len(wire) < at:
        return None
    flags, questions, answers, authorities, others = _HEADER.unpack_from(wire)
    if flags >> 11 & 15:  # other operations than a query
        return None
    question, number = None, 0
    for place in range(min(questions, _RECORDS_LIMIT)):
        try:
            labels, at = _name(wire, at)
            (kind,) = struct.unpack_from(">H", wire, at)
        except (_Malformed, struct.error):
            return None
        at += 4
        if place == 0:  # servers have always refused to be asked two questions at once
            question, number = labels, kind
    is_answer = bool(flags & _RESPONSE)
    if question is None and not is_answer:
        return None
    shown = None if question is None else _text(question)
    kind_name = "unknown" if question is None else dns.rdatatype.to_text(dns.rdatatype.RdataType.make(number))
    if not is_answer:
        return Message(0, False, shown, kind_name)
    records = _Records(wire, at, answers, authorities + others)
    addresses, aliases = records.followed(question)
    answered = bool(addresses if number in _ADDRESSES else records.kinds)
    return Message(0, True, shown, kind_name, _status(flags, records, cut, answered), addresses, aliases)


def address_text(raw: bytes) -> str | None:
    """An IPv4 or IPv6 address as people write it; None if it is neither. IPv4 inside IPv6 is shown as what it is."""
    if len(raw) == 16:
        if raw.startswith(_MAPPED):
            return socket.inet_ntop(socket.AF_INET, raw[-4:])
        return socket.inet_ntop(socket.AF_INET6, raw)
    return socket.inet_ntop(socket.AF_INET, raw) if len(raw) == 4 else None


class _Records:
    """The records after the question: what its sections say, as far as they can be read."""

    def __init__(self, wire: bytes, at: int, answers: int, others: int) -> None:
        self.kinds: set[int] = set()
        self.verdict = 0  # upper bits of the verdict, from EDNS (RFC 6891)
        self.whole = answers + others <= _RECORDS_LIMIT
        self._addresses: list[tuple[_Labels, str]] = []
        self._targets: dict[_Labels, _Labels] = {}
        self._pointers: list[_Labels] = []
        try:
            for number in range(min(answers + others, _RECORDS_LIMIT)):
                at = self._take(wire, at, number < answers)
        except (_Malformed, struct.error):
            self.whole = False

    def _take(self, wire: bytes, at: int, is_answer: bool) -> int:
        """One record; returns where the next one is."""
        owner, at = _name(wire, at)
        kind, network, lifetime, length = _RECORD.unpack_from(wire, at)
        at += _RECORD.size
        end: int = at + length
        if end > len(wire):
            raise _Malformed
        if kind == _OPT and not is_answer:
            self.verdict = lifetime >> 24 << 4
        if is_answer and network == _INTERNET:
            self.kinds.add(kind)
            if kind in _ADDRESSES:
                if length != (4 if kind == _A else 16):
                    raise _Malformed
                self._addresses.append((_folded(owner), socket.inet_ntop(_ADDRESSES[kind], wire[at:end])))
            elif kind == _CNAME:
                self._targets.setdefault(_folded(owner), _name(wire, at)[0])
            elif kind == _PTR:
                self._pointers.append(_name(wire, at)[0])
        return end

    def followed(self, question: _Labels | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Addresses that belong to the question, and the other names on the way: a server may tell of names that nobody asked for."""
        if question is None:
            return tuple(dict.fromkeys(address for _, address in self._addresses)), ()
        here = _folded(question)
        chain = {here: question}
        while here in self._targets and _folded(self._targets[here]) not in chain:
            target = self._targets[here]
            here = _folded(target)
            chain[here] = target
        aliases = [*list(chain.values())[1:], *self._pointers]
        addresses = dict.fromkeys(address for owner, address in self._addresses if owner in chain)
        return tuple(addresses), tuple(dict.fromkeys(map(_text, aliases)))


def _status(flags: int, records: _Records, cut: bool, answered: bool) -> str:
    import dns.rcode

    verdict: int = flags & 15 | records.verdict
    if verdict:
        return dns.rcode.to_text(dns.rcode.Rcode.make(verdict))
    if flags & _TRUNCATED:
        return "truncated"
    if not records.whole:
        return "cut" if cut else "malformed"
    return "ok" if answered else "no data"


def _name(wire: bytes, at: int) -> tuple[_Labels, int]:
    """The name at this place, decompressed, and where it ends. Raises _Malformed."""
    labels: list[bytes] = []
    end = hops = length = 0
    while True:
        if at >= len(wire):
            raise _Malformed
        count = wire[at]
        if count >= 0xC0:
            if at + 1 >= len(wire) or hops == _HOPS_LIMIT:
                raise _Malformed
            target = ((count & 0x3F) << 8 | wire[at + 1]) - _ID_BYTES
            if not 0 <= target < at:
                raise _Malformed
            end = end or at + 2
            hops += 1
            at = target
            continue
        length += count + 1
        if count >= 0x40 or length > _NAME_LIMIT or at + count >= len(wire):
            raise _Malformed
        at += count + 1
        if not count:
            return tuple(labels), end or at
        labels.append(wire[at - count:at])


def _folded(labels: _Labels) -> _Labels:
    return tuple(map(bytes.lower, labels))


def _text(labels: _Labels) -> str:
    """As in a zone file, without the dot at the end: ``\\.`` for a dot in a label, ``\\255`` for a byte that is no sign."""
    import dns.name

    return dns.name.Name((*labels, b"")).to_text(omit_final_dot=True)
