"""Bodies of HTTP messages, each compressed into a stream of its own, so that the page opens one when that is asked for.

They stand one after the other, each a raw deflate stream that begins at a multiple of three bytes: so one can be cut out of the base64.
Equal ones are kept once.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate, pairwise

from report.text import count, size
from tracer.session.exchanges import Exchange

__all__ = ("MOST_BODIES", "MOST_MESSAGES", "Bodies", "Place")

MOST_BODIES = 1 << 26
"""Bytes of all bodies in a page; where there are more, the longest are cut."""

MOST_MESSAGES = 100_000
"""Messages of one WebSocket that are in a page."""

_WORKERS = 2
_FAST = 1  # zlib: bodies are most of such a page, and half a second is much
_RAW = -15
_UNIT = 3  # bytes that base64 takes together

Place = list[int]
"""[first byte of the stream, its bytes, bytes of the body that are in it, whether more was kept in the session than is here]"""


class Bodies:
    """All bodies of some exchanges. They are compressed in the background from the start, while others need the interpreter."""

    def __init__(self, exchanges: Sequence[Exchange], most: int = MOST_BODIES) -> None:
        found = [body for exchange in exchanges for body in _bodies_of(exchange)]
        self._longest = _limit(list(map(len, found)), most)
        self._cut = sum(len(body) > self._longest for body in found)
        different = dict.fromkeys(body[:self._longest] for body in found if body)
        with_workers = ThreadPoolExecutor(_WORKERS)  # zlib lets go of the GIL
        self._streams: dict[bytes, Future[bytes]] = {body: with_workers.submit(_squeezed, body) for body in different}
        with_workers.shutdown(wait=False)
        self._placed: dict[bytes, tuple[int, int]] | None = None

    @property
    def base64(self) -> str:
        """All streams."""
        return b64encode(b"".join(_padded(stream.result()) for stream in self._streams.values())).decode("ascii")

    @property
    def notes(self) -> list[str]:
        """What was left out, as sentences."""
        if not self._cut:
            return []
        return [f"Bodies are too many for one page: {count(self._cut)} of them are cut to their first {size(self._longest)}. "
                "The session has the rest."]

    def places(self, exchange: Exchange) -> list[Place | None]:
        """Where those of the request, the response and all messages together are; None for an empty one."""
        if self._placed is None:
            sizes = [len(stream.result()) for stream in self._streams.values()]
            starts = pairwise(accumulate((length + -length % _UNIT for length in sizes), initial=0))
            self._placed = {body: (start, length) for body, length, (start, _) in zip(self._streams, sizes, starts, strict=True)}
        placed = self._placed
        return [[*placed[body[:self._longest]], min(len(body), self._longest), int(len(body) > self._longest)] if body else None
                for body in _bodies_of(exchange)]


def _bodies_of(exchange: Exchange) -> tuple[bytes, bytes, bytes]:
    messages = b"".join(message.data for message in exchange.messages[:MOST_MESSAGES])
    return exchange.request_body, exchange.response_body, messages


def _limit(lengths: Sequence[int], room: int) -> int:
    """How many bytes of each body can be kept so that all of them together fit."""
    ordered = sorted(lengths)
    for place, length in enumerate(ordered):
        rest = len(ordered) - place
        if length * rest > room:
            return max(room // rest, 1)
        room -= length
    return ordered[-1] if ordered else 0


def _squeezed(body: bytes) -> bytes:
    squeezer = zlib.compressobj(_FAST, zlib.DEFLATED, _RAW)
    return squeezer.compress(body) + squeezer.flush()


def _padded(stream: bytes) -> bytes:
    return stream + bytes(-len(stream) % _UNIT)
