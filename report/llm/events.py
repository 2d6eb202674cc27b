"""Bodies that came in pieces: server-sent events, lines of JSON, the elements of a JSON array; each with the place where it ends."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from report.llm.loose import parse
from tracer.session.exchanges import Mark

__all__ = ("Arrivals", "Event", "array_elements", "json_lines", "server_sent")

_LINE = re.compile(rb"\r\n|\n|\r")
_PUNCTUATION = re.compile(rb'["\[\]{}]')
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One piece: what it says, None if that is no JSON; and where it ends in the body, one byte behind."""

    value: Any
    end: int
    name: str = ""
    data: str = ""  # of server-sent events


class Arrivals:
    """When each byte of a body arrived."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._offsets = [offset for offset, _ in marks]
        self._times = [at_ns for _, at_ns in marks]

    def of(self, end: int) -> int | None:
        """When what ends there had arrived, ns; None if nobody noted it."""
        place = bisect_right(self._offsets, max(end - 1, 0))
        return self._times[place - 1] if place else None


def server_sent(body: bytes) -> Iterator[Event]:
    """Server-sent events (HTML standard, 9.2); the last one also if the empty line behind it is missing."""
    name = ""
    data: list[str] = []
    place = len(_BOM) if body.startswith(_BOM) else 0
    while place < len(body):
        found = _LINE.search(body, place)
        end, after = (found.start(), found.end()) if found is not None else (len(body), len(body))
        line, place = body[place:end], after
        if line:
            field, _, value = line.decode("utf-8", "replace").partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
        if (not line or place == len(body)) and data:
            joined = "\n".join(data)
            yield Event(parse(joined), place, name, joined)
        if not line:
            name, data = "", []


def json_lines(body: bytes) -> Iterator[Event]:
    """One value a line."""
    place = 0
    while place < len(body):
        end = body.find(b"\n", place)
        end = len(body) if end < 0 else end
        if body[place:end].strip():
            yield Event(parse(body[place:end]), min(end + 1, len(body)))
        place = end + 1


def array_elements(body: bytes) -> Iterator[Event]:
    """The maps in an array, as far as they are whole."""
    depth = start = place = 0
    while (found := _PUNCTUATION.search(body, place)) is not None:
        place = found.end()
        if found[0] == b'"':
            string = _STRING.match(body, found.start())
            if string is None:
                return
            place = string.end()
        elif found[0] in b"[{":
            if depth == 1:
                start = found.start()
            depth += 1
        else:
            depth -= 1
            if depth == 1:
                yield Event(parse(body[start:place]), place)
