"""The chunked body of one HTTP/1 message, also behind bytes that are missing."""

from __future__ import annotations

import re
from collections.abc import Callable

from tracer.http.bodies import Body
from tracer.http.limits import HEAD
from tracer.http.sniff import message_start

__all__ = ("BLANK", "Chunks")

BLANK = re.compile(rb"\n\r?\n")
"""What is behind the last line of a head, or of trailers."""

_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n?")
_HEAD = re.compile(rb"([0-9a-fA-F]{1,7})(?:;[^\r\n]{0,200})?\r\n")
_LINE = 16 << 10  # bytes of a chunk's size with its extensions


class Chunks:
    """Reads until it is ``over``. ``error``: why it is over too early; then where the message ends is not known."""

    def __init__(self, body: Body, which: str) -> None:
        self.over = False
        self.error = ""
        self.torn = False  # chunks were missed
        self.trailers = b""
        self._body = body
        self._which = which
        self._buffer = bytearray()
        self._left = 0
        self._state: Callable[[bytes, int, int], int] = self._size

    @property
    def held(self) -> int:
        """Bytes in its buffer."""
        return len(self._buffer)

    def feed(self, data: bytes, at: int, at_ns: int) -> int:
        """Read ``data`` from ``at`` on; how far."""
        size = len(data)
        while at < size and not self.over:
            at = self._state(data, at, at_ns)
        return at

    def gap(self, length: int) -> None:
        """So many bytes are not known."""
        inside = min(length, self._left) if self._state == self._data else 0
        self._body.skip(inside)
        self._left -= inside
        if length == inside:
            self._state = self._data if self._left else self._end
        else:
            # Senders mostly begin a call with a chunk: that is looked for, and until then nothing is believed.
            self._body.tear(length - inside)
            self.torn = True
            self._buffer.clear()
            self._state = self._missed

    def _fail(self, error: str) -> None:
        self.over, self.error = True, f"{error}: where the {self._which} ends is not known"

    def _size(self, data: bytes, at: int, at_ns: int) -> int:
        end = data.find(b"\n", at) + 1
        piece = data[at:end or len(data)]
        at += len(piece)
        self._buffer += piece
        if not end and len(self._buffer) <= _LINE:
            return at
        size = _SIZE.fullmatch(bytes(self._buffer))
        self._buffer.clear()
        if not size:
            self._fail(f"a chunk of the {self._which} has no size")
            return at
        self._left = int(size[1], 16)
        self._state = self._data if self._left else self._trailers
        return at

    def _data(self, data: bytes, at: int, at_ns: int) -> int:
        size = min(self._left, len(data) - at)
        self._left -= size
        self._body.add(data[at:at + size], at_ns)
        if not self._left:
            self._state = self._end
        return at + size

    def _end(self, data: bytes, at: int, at_ns: int) -> int:
        if data[at] == 0x0D:
            return at + 1
        if data[at] == 0x0A:
            self._state = self._size
            return at + 1
        self._fail(f"a chunk of the {self._which} is longer than its size")
        return at

    def _trailers(self, data: bytes, at: int, at_ns: int) -> int:
        # In the buffer stands a newline first, so that the blank line is found where there are no trailers, too.
        if not self._buffer:
            self._buffer += b"\n"
        before = len(self._buffer)
        self._buffer += data[at:at + HEAD - before]
        found = BLANK.search(self._buffer, max(0, before - 2))
        if found:
            self.over, self.trailers = True, bytes(self._buffer[1:found.end()])
            return at + found.end() - before
        if len(self._buffer) >= HEAD:
            self._fail(f"the trailers of the {self._which} are longer than {HEAD} bytes")
        return at + len(self._buffer) - before

    def _missed(self, data: bytes, at: int, at_ns: int) -> int:
        if _begins_chunk(data, at):
            self._state = self._size
            return at
        if message_start(data[at:], of_request=self._which == "request") >= 0:
            self._fail(f"chunks of the {self._which} are missing")
            return at
        self._body.tear(len(data) - at)
        return len(data)


def _begins_chunk(data: bytes, at: int) -> bool:
    # Its size stands here, and what follows it is where the size says; or that is beyond what is there.
    head = _HEAD.match(data, at)
    if not head:
        return False
    end = head.end() + int(head[1], 16)
    return data[end:end + 2] == b"\r\n"[:len(data[end:end + 2])] and (end < len(data) or len(head[1]) < 6)
