"""Cuts one direction of an HTTP/1 connection into heads and bodies.

h11 is not used: it can neither begin in the middle of a connection nor go on behind bytes that it was not given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tracer.http.bodies import Body
from tracer.http.chunks import BLANK, Chunks
from tracer.http.heads import Framing, Head, parse_fields, parse_head
from tracer.http.limits import HEAD
from tracer.http.sniff import message_start, starts_message
from tracer.session.exchanges import Headers

__all__ = ("Owner", "Reader")

_NEXT = b"HTTP/1.1 "
_TAIL = 8 << 10  # bytes that are kept while looking for the start of a message

State = Callable[[bytes, int, int], int]


class Owner(Protocol):
    """Who is told what is in the messages."""

    def head(self, reader: Reader, head: Head, began_ns: int, at_ns: int) -> tuple[Framing, Body] | None:
        """A head is complete: how its body is framed, and where it goes. None: the message is over, and nothing more is to be read for now."""
        ...

    def end(self, reader: Reader, at_ns: int, trailers: Headers, errors: list[str]) -> None:
        """The message is complete, or its end is lost, as ``errors`` says then."""
        ...


class Reader:
    """One direction. ``stopped``: its owner has taken over what follows."""

    def __init__(self, owner: Owner, of_request: bool, lost: bool) -> None:
        self.of_request = of_request
        self.stopped = False
        self.broken = False  # bytes were lost since the last head: messages may be missing
        self.body: Body | None = None
        self._owner = owner
        self._buffer = bytearray()
        self._began_ns = 0
        self._left = 0
        self._chunks: Chunks | None = None
        self._errors: list[str] = []
        self._believed: State = self._exact
        self._state: State = self._lost if lost else self._start

    @property
    def held(self) -> int:
        """Bytes in its buffer."""
        return len(self._buffer) + (self._chunks.held if self._chunks else 0)

    @property
    def idle(self) -> bool:
        """Whether it is between two messages."""
        return self._state in (self._start, self._lost)

    def feed(self, data: bytes, at_ns: int) -> int:
        """Read; how much was read, which is all unless the owner has stopped it."""
        at, size = 0, len(data)
        while at < size and not self.stopped:
            at = self._state(data, at, at_ns)
        return at

    def gap(self, length: int, at_ns: int) -> None:
        """So many bytes are not known."""
        if self._state == self._doubt:
            self._believe(at_ns)
        state, body = self._state, self.body
        if state == self._until_close and body:
            body.skip(length)
        elif state == self._exact and body:
            inside = min(length, self._left)
            body.skip(inside)
            self._left -= inside
            if not self._left:
                self._finish(at_ns, [])
            if length > inside:
                self._lose()
        elif state == self._in_chunks and self._chunks:
            self._chunks.gap(length)
        elif state in (self._head, self._head_rest):
            self._tear(at_ns, f"{length} bytes are missing in the head of the {self.which}")
        elif state == self._lost:
            self._buffer.clear()
        else:
            self._lose()

    def ended(self, at_ns: int | None, why: str) -> None:
        """Nothing follows. ``at_ns`` is None if the connection lives on."""
        at = at_ns or 0
        if self._state == self._doubt:
            self._believe(at)
        if self._state == self._until_close:
            self._finish(at, [] if at else [f"{why} before the end of the {self.which}"])
        elif self._state in (self._head, self._head_rest):
            self._tear(at, f"{why} before the end of the {self.which}'s head")
        elif not self.idle:
            self._finish(at, [f"{why} before the end of the {self.which}"])
        self._lose()

    def restart(self) -> None:
        """A message begins here, whatever was expected."""
        self._buffer.clear()
        self._state, self.broken = self._start, False

    @property
    def which(self) -> str:
        """Request or response."""
        return "request" if self.of_request else "response"

    def _lose(self) -> None:
        self.broken = True
        self._buffer.clear()
        self._state = self._lost

    def _tear(self, at_ns: int, error: str) -> None:
        data = bytes(self._buffer)
        if b"\n" in data or len(data) > 16:
            self._begin(data, at_ns, [error])
            if self.body:
                self._finish(at_ns, [])
        self._lose()

    def _start(self, data: bytes, at: int, at_ns: int) -> int:
        size = len(data)
        while at < size and data[at] in b"\r\n":
            at += 1
        if at < size:
            self._began_ns = at_ns
            self._state = self._head
        return at

    def _head(self, data: bytes, at: int, at_ns: int) -> int:
        before = len(self._buffer)
        self._buffer += data[at:at + HEAD - before]
        if before < 64 and not starts_message(bytes(self._buffer[:64]), of_request=self.of_request):
            self._buffer.clear()
            self.broken = True
            self._state = self._lost
            return at
        found = BLANK.search(self._buffer, max(0, before - 2))
        if found:
            head = bytes(self._buffer[:found.end()])
            at += found.end() - before
            self._buffer.clear()
            self._begin(head, at_ns, [])
            return at
        if len(self._buffer) < HEAD:
            return len(data)
        self._state = self._head_rest
        return at + HEAD - before

    def _head_rest(self, data: bytes, at: int, at_ns: int) -> int:
        # Not kept, but for the first part. The last two bytes may begin the blank line.
        tail = bytes(self._buffer[-2:])
        found = BLANK.search(tail + data[at:])
        if not found:
            self._buffer[-2:] = (tail + data[at:])[-2:]
            return len(data)
        head = bytes(self._buffer[:-2])
        self._buffer.clear()
        self._begin(head, at_ns, [f"the head of the {self.which} is longer than {HEAD} bytes: the rest is not kept"])
        return at + found.end() - len(tail)

    def _begin(self, data: bytes, at_ns: int, errors: list[str]) -> None:
        self._buffer.clear()
        head = parse_head(data, self.of_request)
        head.errors += errors
        self._state, self.body, self._errors = self._start, None, []
        answer = self._owner.head(self, head, self._began_ns, at_ns)
        self.broken = False
        if answer is None:
            return
        frame, self.body = answer
        self._left = frame.length or 0
        self._chunks = Chunks(self.body, self.which) if frame.chunked else None
        self._believed = self._in_chunks if frame.chunked else self._until_close if frame.length is None else self._exact
        if self._believed == self._exact and not self._left:
            self._finish(at_ns, [])
        else:
            self._state = self._doubt if frame.doubtful else self._believed

    def _finish(self, at_ns: int, errors: list[str], trailers: bytes = b"") -> None:
        fields = parse_fields(trailers, self._errors) if trailers else []
        self._buffer.clear()
        self._state = self._start
        self._chunks = None
        self._owner.end(self, at_ns, fields, self._errors + errors)
        self.body = None

    def _doubt(self, data: bytes, at: int, at_ns: int) -> int:
        # If it answers a HEAD that was not seen, there is no body, and the next response stands here.
        enough = len(_NEXT) if self._believed != self._exact else min(len(_NEXT), self._left)
        piece = data[at:at + enough - len(self._buffer)]
        self._buffer += piece
        if self._buffer == _NEXT:
            self._finish(at_ns, [])
            self._state = self._head
            self._began_ns = at_ns
            self._buffer += _NEXT
        elif len(self._buffer) == enough or not _NEXT.startswith(self._buffer):
            self._believe(at_ns)
        return at + len(piece)

    def _believe(self, at_ns: int) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._state = self._believed
        self.feed(data, at_ns)

    def _exact(self, data: bytes, at: int, at_ns: int) -> int:
        at = self._give(data, at, at_ns)
        if not self._left:
            self._finish(at_ns, [])
        return at

    def _give(self, data: bytes, at: int, at_ns: int) -> int:
        size = min(self._left, len(data) - at)
        self._left -= size
        if self.body:
            self.body.add(data[at:at + size], at_ns)
        return at + size

    def _until_close(self, data: bytes, at: int, at_ns: int) -> int:
        if self.body:
            self.body.add(data[at:], at_ns)
        return len(data)

    def _in_chunks(self, data: bytes, at: int, at_ns: int) -> int:
        chunks = self._chunks
        if chunks is None:
            return len(data)
        at = chunks.feed(data, at, at_ns)
        if chunks.over:
            self._finish(at_ns, [chunks.error] if chunks.error else [], chunks.trailers)
            if chunks.error:
                self._lose()
        return at

    def _lost(self, data: bytes, at: int, at_ns: int) -> int:
        before = len(self._buffer)
        looked = bytes(self._buffer) + data[at:] if before else data[at:]
        found = message_start(looked, of_request=self.of_request)
        if found < 0:
            self._buffer[:] = looked[-_TAIL:]
            return len(data)
        self._buffer.clear()
        self._began_ns = at_ns
        self._state = self._head
        if found >= before:
            return at + found - before
        self._buffer += looked[found:before]  # what it began with came before; it is not a whole head, or it had been found then
        return at
