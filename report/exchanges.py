"""The exchanges of a session, out of blocks that anybody may have written (tracer/session/packing.py tells their form).

What is not what it should be counts as not told. However much a file claims to hold, what comes out of it is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from report.plain import text
from tracer.session.exchanges import Exchange, SocketMessage
from tracer.session.format import BlockKind
from tracer.session.packing import FIELDS, MESSAGE_ITEMS
from tracer.session.reader import Session

__all__ = ("Exchanges", "exchanges_of", "read_exchanges")

_MOST = 1 << 17          # exchanges
_ROOM = 256 << 20        # bytes that their fields may take, roughly
_BODY_ROOM = 256 << 20   # bytes of all different bodies
_USE_ROOM = 1 << 30      # bytes of all bodies, those that are equal each time: whoever looks into them pays for each
_LARGEST = 1 << 63
_ITEM = 64               # bytes of an object, roughly
_LEFT_OUT = "A body is not here: the session holds more of them than are read at once."
_MISSING = "A body is missing in the session."

_LISTS = ("request_headers", "response_headers", "request_trailers", "response_trailers")
_MARKS = ("request_marks", "response_marks")
_BODIES = ("request_body", "response_body")
_MAYBE = ("status", "request_length", "response_length", "sent_ns", "first_byte_ns", "ended_ns")
_DEFAULTS = {name: getattr(Exchange(), name) for name in FIELDS}
_NUMBERS = tuple(name for name, value in _DEFAULTS.items() if type(value) is int)
_TEXTS = tuple(name for name, value in _DEFAULTS.items() if isinstance(value, str))


class Exchanges(NamedTuple):
    """All exchanges in the order of their start, and sentences on what is missing."""

    told: list[Exchange]
    problems: tuple[str, ...]


def exchanges_of(session: Session, *, bodies: bool = True) -> list[Exchange]:
    """All exchanges in the order of their start; without ``bodies`` those are empty, and so is the data of messages."""
    return read_exchanges(session, bodies=bodies).told


def read_exchanges(session: Session, *, bodies: bool = True) -> Exchanges:
    """The same, with what is missing."""
    told: list[tuple[Exchange, dict[str, int], list[int]]] = []
    room, left_out, malformed = _ROOM, 0, 0
    for value in session.maps(BlockKind.EXCHANGES):
        found = value.get("exchanges")
        for entry in found if isinstance(found, list) else ():
            if not isinstance(entry, dict):
                malformed += 1
                continue
            room -= _cost(entry)
            if room < 0 or len(told) == _MOST:
                left_out += 1
                continue
            exchange, lengths = _exchange(entry)
            told.append((exchange, {name: _id(entry.get(name)) for name in (*_BODIES, "messages_data")}, lengths))
    if bodies:
        _join(session, told)
    told.sort(key=lambda one: (one[0].started_ns, one[0].number))
    problems = [f"HTTP exchanges beyond the first {len(told)} were left out: {left_out}."] if left_out else []
    problems += [f"Entries that are no HTTP exchanges were left out: {malformed}."] if malformed else []
    return Exchanges([exchange for exchange, _, _ in told], tuple(problems))


def _exchange(entry: dict[Any, Any]) -> tuple[Exchange, list[int]]:
    """The exchange without bodies, and how much was kept of the data of each message."""
    fields: dict[str, Any] = {name: _number(entry.get(name)) or 0 for name in _NUMBERS}
    fields |= {name: _number(entry.get(name)) for name in _MAYBE} | {"sock": _id(entry.get("sock"))}
    fields |= {name: text(entry.get(name, _DEFAULTS[name])) for name in _TEXTS}
    fields |= {name: entry.get(name) is True for name in ("request_cut", "response_cut")}
    fields |= {name: list(_pairs(entry.get(name), str)) for name in _LISTS}
    fields |= {name: list(_marks(entry.get(name))) for name in _MARKS}
    fields["interim"] = [number for number in map(_number, _list(entry.get("interim"))) if number is not None]
    fields["errors"] = [error for error in _list(entry.get("errors")) if isinstance(error, str)]
    if fields["side"] != "server":
        fields["side"] = "client"
    if fields["status"] is not None and fields["status"] > 999:
        fields["status"] = None
    messages, lengths = [], []
    flat = _list(entry.get("messages"))
    for first in range(0, len(flat) - MESSAGE_ITEMS + 1, MESSAGE_ITEMS):
        at_ns, sent, kind, kept, length = flat[first:first + MESSAGE_ITEMS]
        kept = _number(kept) or 0
        messages.append(SocketMessage(_number(at_ns) or 0, sent is True, text(kind), b"", max(_number(length) or 0, kept)))
        lengths.append(kept)
    return Exchange(**fields, messages=messages), lengths


def _join(session: Session, told: list[tuple[Exchange, dict[str, int], list[int]]]) -> None:
    """Put the bodies in."""
    wanted = {number for _, ids, _ in told for number in ids.values() if number}
    bodies = _bodies(session, wanted) if wanted else {}
    room, use_room = _BODY_ROOM, _USE_ROOM  # messages have copies of their parts
    for exchange, ids, lengths in told:
        for name in _BODIES:
            if ids[name]:
                body = bodies.get(ids[name])
                use_room -= len(body or b"")
                if body is None or use_room < 0:
                    _miss(exchange, _MISSING if ids[name] not in bodies else _LEFT_OUT)
                    setattr(exchange, name.replace("_body", "_cut"), True)
                    continue
                setattr(exchange, name, body)
        if not ids["messages_data"]:
            continue
        data = bodies.get(ids["messages_data"])
        if data is None or len(data) > room:
            _miss(exchange, _MISSING if ids["messages_data"] not in bodies else _LEFT_OUT)
            continue
        place = 0
        room -= len(data)
        for message, kept in zip(exchange.messages, lengths, strict=True):
            message.data = data[place:place + kept]
            place += kept


def _bodies(session: Session, wanted: set[int]) -> dict[int, bytes | None]:
    """The bodies of these ids; None for one that found no room."""
    found: dict[int, bytes | None] = {}
    room = _BODY_ROOM
    for table in session.tables(BlockKind.BODIES):
        place, data = 0, table["data"]
        for number, kept in zip(table["id"].tolist(), table["kept"].tolist(), strict=True):
            if number in wanted and number not in found:
                found[number] = data[place:place + kept].tobytes() if kept <= room else None
                room -= kept if kept <= room else 0
            place += kept
    return found


def _miss(exchange: Exchange, sentence: str) -> None:
    if sentence not in exchange.errors:
        exchange.errors.append(sentence)


def _cost(entry: dict[Any, Any]) -> int:
    """The memory that an entry takes, roughly."""
    cost = _ITEM * (len(FIELDS) + len(entry))
    for value in entry.values():
        if isinstance(value, list):
            cost += 2 * _ITEM * len(value) + sum(len(part) for part in value if isinstance(part, str))
        elif isinstance(value, str):
            cost += len(value)
    return cost


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _LARGEST else None


def _id(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 64 else 0


def _pairs(value: Any, kind: type) -> Iterator[tuple[Any, Any]]:
    flat = _list(value)
    for first, second in zip(flat[::2], flat[1::2], strict=False):
        if type(first) is kind and type(second) is kind:
            yield first, second


def _marks(value: Any) -> Iterable[tuple[int, int]]:
    """Marks that are in order; none if they are not."""
    marks = [mark for mark in _pairs(value, int) if 0 <= mark[0] < _LARGEST and 0 <= mark[1] < _LARGEST]
    return marks if all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(marks)) else ()
