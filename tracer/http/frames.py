"""Cuts one direction of an HTTP/2 connection into frames. Bytes of DATA are handed on as they come, so that gaps in them can be stepped over.

hyperframe is not used: it wants whole frames, and refuses those that are only a little wrong.
"""

from __future__ import annotations

import re
from typing import Protocol

from tracer.http.limits import BLOCK
from tracer.http.sniff import Guess, frame_length, frames_plausible

__all__ = ("Cutter", "Kind", "Owner")

_HEAD = 9
_CANDIDATES = 64  # places looked at in one piece of data
_LIKELY = re.compile(
    rb"\x00[\x00-\x40][\s\S](?:\x00[\x00\x01\x08\x09]|\x01[\x00\x01\x04\x05\x0c\x0d\x20\x21\x24\x25\x2c\x2d]|[\x02\x03\x07\x08]\x00|[\x04\x06][\x00\x01])[\x00-\x7f]"
)


class Kind:
    """Types of frames."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    GOAWAY = 7
    CONTINUATION = 9


_COLLECTED = (Kind.HEADERS, Kind.RST_STREAM, Kind.PUSH_PROMISE, Kind.GOAWAY, Kind.CONTINUATION)


class Owner(Protocol):
    """Who is told what the frames are."""

    def data(self, sent: bool, stream: int, data: bytes, gap: int, at_ns: int) -> None:
        """Bytes of a DATA frame, or a gap in it."""
        ...

    def frame(self, sent: bool, kind: int, flags: int, stream: int, payload: bytes, torn: bool, at_ns: int) -> None:
        """A frame is at its end. The payload of DATA is not repeated. ``torn``: some of the payload is missing."""
        ...

    def lost(self, sent: bool, why: str, at_ns: int) -> None:
        """Frames were missed, nobody knows how many."""
        ...


class Cutter:
    """One direction."""

    def __init__(self, owner: Owner, sent: bool, lost: bool) -> None:
        self._owner = owner
        self._sent = sent
        self._lost = lost
        self._buffer = bytearray()  # a head, or the payload of a frame that is not DATA
        self._inside = False  # a frame, behind its head
        self._kind = self._flags = self._stream = 0
        self._left = 0  # bytes of the frame that are still to come
        self._padding = 0  # of them are no data; -1: the byte that says it is to come
        self._torn = False

    @property
    def held(self) -> int:
        """Bytes in its buffer."""
        return len(self._buffer)

    def feed(self, data: bytes, at_ns: int) -> None:
        """Read on."""
        at, size = 0, len(data)
        if self._lost:
            at = _resume(data)
            if at < 0:
                return
            self._lost = False
        while at < size:
            if self._inside:
                at = self._payload(data, at, at_ns)
            else:
                at = self._head(data, at, at_ns)
                if at < 0:
                    self._lose("a frame is malformed", at_ns)
                    return

    def gap(self, length: int, at_ns: int) -> None:
        """So many bytes are not known."""
        if self._lost:
            return
        if not self._inside:
            self._lose(f"{length} bytes are missing", at_ns)
            return
        inside = min(length, self._left)
        self._left -= inside
        if self._kind == Kind.DATA:
            self._padding = max(self._padding, 0)
            self._owner.data(self._sent, self._stream, b"", max(0, inside - max(0, self._padding - self._left)), at_ns)
        self._torn = True
        if not self._left:
            self._end(at_ns)
        if length > inside:
            self._lose(f"{length - inside} bytes are missing", at_ns)

    def _lose(self, why: str, at_ns: int) -> None:
        self._lost, self._inside = True, False
        self._buffer.clear()
        self._owner.lost(self._sent, why, at_ns)

    def _head(self, data: bytes, at: int, at_ns: int) -> int:
        if self._buffer or len(data) - at < _HEAD:
            piece = data[at:at + _HEAD - len(self._buffer)]
            self._buffer += piece
            at += len(piece)
            if len(self._buffer) < _HEAD:
                return at
            head, start = bytes(self._buffer), 0
            self._buffer.clear()
        else:
            head, start = data, at
            at += _HEAD
        self._left = frame_length(head, start)
        if self._left < 0:
            return -1
        self._kind, self._flags = head[start + 3], head[start + 4]
        self._stream = int.from_bytes(head[start + 5:start + 9], "big") & 0x7FFFFFFF
        self._padding = -1 if self._flags & 8 and self._kind == Kind.DATA and self._left else 0
        self._torn = False
        self._inside = True
        if not self._left:
            self._end(at_ns)
        return at

    def _payload(self, data: bytes, at: int, at_ns: int) -> int:
        if self._padding < 0:
            self._padding = data[at]
            self._left -= 1
            at += 1
        size = min(self._left, len(data) - at)
        if self._kind == Kind.DATA:
            told = min(size, self._left - self._padding)
            if told > 0:
                self._owner.data(self._sent, self._stream, data[at:at + told], 0, at_ns)
        elif self._kind in _COLLECTED and len(self._buffer) < BLOCK:
            self._buffer += data[at:at + min(size, BLOCK - len(self._buffer))]
            self._torn = self._torn or len(self._buffer) == BLOCK
        self._left -= size
        if not self._left:
            self._end(at_ns)
        return at + size

    def _end(self, at_ns: int) -> None:
        payload = bytes(self._buffer)
        self._buffer.clear()
        self._inside = False
        self._owner.frame(self._sent, self._kind, self._flags, self._stream, payload, self._torn, at_ns)


def _resume(data: bytes) -> int:
    # Calls mostly begin with a frame. Looking at each piece for itself keeps the work in proportion to the bytes.
    if frames_plausible(data) is Guess.FRAMES:
        return 0
    for count, found in enumerate(_LIKELY.finditer(data)):
        if count == _CANDIDATES:
            break
        if frames_plausible(data, found.start()) is Guess.FRAMES:
            return found.start()
    return -1
