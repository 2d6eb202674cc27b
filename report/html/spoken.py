"""What was said over HTTP, for the page: headers, arrival times, messages and texts in one compressed part; bodies each in a stream of its own.

The page opens the first part when someone looks at it, and a body when that is asked for. Bodies stand one after the other, each a raw
deflate stream that begins at a multiple of three bytes, so that one can be cut out of the base64; equal ones are kept once.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from report.html.conversation import Texts, turns
from report.html.packing import deflated
from report.text import count, size
from tracer.session.exchanges import Exchange, Mark

__all__ = ("MOST_BODIES", "Spoken", "spoken")

MOST_BODIES = 1 << 26
"""Bytes of all bodies in a page; where there are more, the longest are cut."""

_MOST_TEXT = 1 << 25  # characters of all texts of LLM calls
_LONGEST_TEXT = 1 << 20
_LONGEST_HEADER = 1 << 16  # characters of a header's value
_MOST_HEADERS = 1000  # of one message
_MOST_MARKS = 10_000
_MOST_MESSAGES = 100_000  # of one WebSocket
_WORKERS = 4
_FAST = 1  # zlib: bodies are most of such a page, and half a second is much
_RAW = -15

Place = list[int]
"""[first byte of the stream, its bytes, bytes of the body that are in it, whether more was kept in the session than is here]"""


@dataclass(frozen=True)
class Spoken:
    """What stands in the page."""

    about: str  # base64
    bodies: str  # base64
    notes: list[str]  # what was left out, as sentences


def spoken(exchanges: Sequence[Exchange], document: Mapping[str, Any], origin_ns: int, with_bodies: bool = True) -> Spoken:
    """Gather it. ``origin_ns``: the start of the session, CLOCK_MONOTONIC; without bodies the texts of LLM calls are left out, too."""
    wanted = [_bodies_of(exchange) for exchange in exchanges] if with_bodies else []
    longest = _limit([len(body) for bodies in wanted for body in bodies], MOST_BODIES)
    store = _Store([body[:longest] for bodies in wanted for body in bodies])
    texts = Texts(_MOST_TEXT, _LONGEST_TEXT)
    calls = turns(document["llm"], texts) if with_bodies else []
    about = {"http": [_told(exchange, origin_ns, store, longest, with_bodies) for exchange in exchanges], "llm": calls, "texts": texts.all}
    # A lone surrogate can stand in JSON as an escape, but not in UTF-8
    data = json.dumps(about, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(errors="backslashreplace")
    return Spoken(deflated(data, _FAST), store.base64, _notes(wanted, longest, texts))


class _Store:
    """Bodies, compressed."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        different = list(dict.fromkeys(body for body in bodies if body))
        with ThreadPoolExecutor(_WORKERS) as pool:  # zlib lets go of the GIL
            streams = list(pool.map(_squeezed, different))
        self._places: dict[bytes, tuple[int, int]] = {}
        at = 0
        for body, stream in zip(different, streams, strict=True):
            self._places[body] = at, len(stream)
            at += len(stream) + -len(stream) % 3
        self.base64 = b64encode(b"".join(stream + bytes(-len(stream) % 3) for stream in streams)).decode("ascii")

    def place(self, body: bytes, longest: int) -> Place | None:
        """Where it is; None for an empty one."""
        kept = body[:longest]
        return [*self._places[kept], len(kept), int(len(kept) < len(body))] if kept else None


def _bodies_of(exchange: Exchange) -> tuple[bytes, bytes, bytes]:
    return exchange.request_body, exchange.response_body, b"".join(message.data for message in exchange.messages[:_MOST_MESSAGES])


def _told(exchange: Exchange, origin: int, store: _Store, longest: int, with_bodies: bool) -> dict[str, Any]:
    places = [store.place(body, longest) if with_bodies else None for body in _bodies_of(exchange)]
    return {
        "target": [exchange.scheme, exchange.authority, exchange.target],
        "headers": [_headers(part) for part in (exchange.request_headers, exchange.response_headers, exchange.request_trailers,
                                                exchange.response_trailers)],
        "interim": exchange.interim, "marks": [_marks(marks, origin) for marks in (exchange.request_marks, exchange.response_marks)],
        "bodies": places,
        "messages": [[message.at_ns - origin, message.sent, message.kind, len(message.data), message.length]
                     for message in exchange.messages[:_MOST_MESSAGES]],
    }


def _headers(headers: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [[name[:_LONGEST_HEADER], value if len(value) <= _LONGEST_HEADER else f"{value[:_LONGEST_HEADER]}… ({len(value):,} characters)"]
            for name, value in headers[:_MOST_HEADERS]]


def _marks(marks: Sequence[Mark], origin: int) -> list[list[int]]:
    return [[offset, at_ns - origin] for offset, at_ns in marks[:_MOST_MARKS]]


def _limit(lengths: Sequence[int], room: int) -> int:
    """How many bytes of each body can be kept so that all of them together fit."""
    ordered = sorted(lengths)
    for place, length in enumerate(ordered):
        rest = len(ordered) - place
        if length * rest > room:
            return room // rest
        room -= length
    return ordered[-1] if ordered else 0


def _notes(wanted: Sequence[tuple[bytes, ...]], longest: int, texts: Texts) -> list[str]:
    notes = []
    cut = sum(len(body) > longest for bodies in wanted for body in bodies)
    if cut:
        notes.append(f"Bodies are too many for one page: {count(cut)} of them are cut to their first {size(longest)}. The session has the rest.")
    if texts.left_out:
        notes.append(f"Of the messages of LLM calls {count(texts.left_out)} are cut.")
    return notes


def _squeezed(body: bytes) -> bytes:
    squeezer = zlib.compressobj(_FAST, zlib.DEFLATED, _RAW)
    return squeezer.compress(body) + squeezer.flush()
