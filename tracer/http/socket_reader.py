"""Cuts one direction of a WebSocket (RFC 6455, RFC 7692) into messages.

wsproto is not used: it wants each byte, and inflates a message without a limit.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from tracer.http.socket_frames import KINDS, head_size, payload_length, plausible, valid

__all__ = ("Listener", "SocketReader")

_PIECE = 64 << 10
_INFLATED = 16 << 20  # bytes that are inflated, however well they are compressed
_BOMB = 100  # times larger: behind it, nobody inflates them for the sake of the others
_INFLATER = 48 << 10  # bytes of memory, about
_TAIL = b"\0\0\xff\xff"  # what a sender leaves away at the end of each message


class Listener(Protocol):
    """Who is told what is said."""

    @property
    def room(self) -> int:
        """How many bytes of the next message are kept."""
        ...

    def takes(self, size: int) -> None:
        """So many bytes of memory are taken more."""
        ...

    def message(self, sent: bool, at_ns: int, kind: str, data: bytes, length: int) -> None:
        """A message is complete."""
        ...

    def error(self, sentence: str) -> None:
        """Something is wrong."""
        ...


class _Message:
    """A message under way."""

    __slots__ = ("compressed", "data", "kind", "length", "room")

    def __init__(self, kind: str, compressed: bool, room: int) -> None:
        self.kind = kind
        self.compressed = compressed
        self.room = room
        self.data = bytearray()
        self.length = 0


class SocketReader:
    """One direction. ``masked``: it is the client's; ``fresh``: each message is compressed for itself."""

    def __init__(self, listener: Listener, *, masked: bool, deflate: bool, fresh: bool, sent: bool) -> None:
        self._listener = listener
        self._masked = masked
        self._deflate = deflate
        self._fresh = fresh
        self._sent = sent
        self._head = bytearray()
        self._left = 0
        self._inside = False
        self._lost = False
        self._final = False
        self._mask = b""
        self._phase = 0
        self._current: _Message | None = None  # whose frame is being read
        self._message: _Message | None = None  # whose fragments come, maybe with control frames between them
        self._inflater: zlib._Decompress | None = None
        self._dropped = False  # no memory is to be taken, and no time
        self._packed = self._inflated = 0  # bytes of compressed messages so far, and what they became
        self._follows = deflate  # compressed messages can be read

    def feed(self, data: bytes, at_ns: int) -> None:
        """Read on."""
        at, size = 0, len(data)
        if self._lost:
            if not plausible(data, self._masked, self._deflate):
                return
            self._lost = False
        while at < size and not self._lost:
            if self._inside:
                take = min(self._left, size - at)
                self._payload(data[at:at + take])
                at += take
                self._left -= take
                if not self._left:
                    self._end(at_ns)
            else:
                at = self._read_head(data, at, at_ns)

    def gap(self, length: int, at_ns: int) -> None:
        """So many bytes are not known."""
        if self._lost:
            return
        inside = min(length, self._left) if self._inside else 0
        if inside and self._current is not None:
            self._left -= inside
            self._phase += inside
            self._listener.error("bytes are missing in a message")
            if self._current.compressed:
                self._forget()
            else:
                self._current.length += inside
            if not self._left:
                self._end(at_ns)
        if length > inside:
            self.lose(f"{length - inside} bytes are missing between messages", at_ns)

    def lose(self, why: str, at_ns: int) -> None:
        """Go on where a call begins with what can be a frame."""
        self._listener.error(why)
        if self._current is not None or self._message is not None:
            self._tell(self._message or self._current, at_ns)
        self._current = self._message = None
        self._lost, self._inside = True, False
        self._head.clear()
        if self._deflate:
            self._forget()
            self._follows = self._fresh and not self._dropped

    def drop(self) -> None:
        """Take no memory any more."""
        self._dropped = True
        self._forget()
        for message in (self._current, self._message):
            if message is not None:
                message.data.clear()
                message.room = 0

    def finish(self) -> None:
        """The end."""
        if self._current is not None or self._message is not None:
            self._listener.error("a message has no end")
            self._tell(self._message or self._current, 0)

    def _read_head(self, data: bytes, at: int, at_ns: int) -> int:
        head = self._head
        while True:
            want = head_size(head) - len(head)
            if not want:
                break
            piece = data[at:at + want]
            head += piece
            at += len(piece)
            if len(piece) < want:
                return at
        opcode = head[0] & 0x0F
        if not valid(head, self._deflate) or ((opcode == 0) != (self._message is not None) and opcode < 8):
            self.lose("a frame is malformed", at_ns)
            return at
        self._left = payload_length(head)
        self._mask = bytes(head[-4:]) if head[1] & 0x80 else b""
        self._phase = 0
        self._final = bool(head[0] & 0x80)
        compressed = bool(head[0] & 0x40)
        head.clear()
        if opcode >= 8:
            self._current = _Message(KINDS[opcode], False, self._listener.room)
        else:
            if self._message is None:
                self._message = _Message(KINDS[opcode], compressed, self._listener.room)
            self._current = self._message
        self._inside = True
        if not self._left:
            self._end(at_ns)
        return at

    def _payload(self, data: bytes) -> None:
        message = self._current
        if message is None:
            return
        if message.compressed:
            self._inflate(message, self._unmask(data))
        else:
            room = message.room - len(message.data)
            if room > 0:
                self._keep(message, self._unmask(data[:room]))
            message.length += len(data)
        self._phase += len(data)

    def _keep(self, message: _Message, data: bytes) -> None:
        message.data += data
        self._listener.takes(len(data))

    def _unmask(self, data: bytes) -> bytes:
        if not self._mask:
            return data
        phase, size = self._phase % 4, len(data)
        key = ((self._mask[phase:] + self._mask[:phase]) * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")

    def _inflate(self, message: _Message, data: bytes) -> None:
        full = False
        self._packed += len(data)
        try:
            while (data or full) and self._follows:
                if self._inflater is None:
                    self._inflater = zlib.decompressobj(-15)
                    self._listener.takes(_INFLATER)
                out = self._inflater.decompress(data, _PIECE)
                full = len(out) == _PIECE
                message.length += len(out)
                data = self._inflater.unconsumed_tail
                self._inflated += len(out)
                if self._inflated > _INFLATED + _BOMB * self._packed:
                    self._listener.error(f"messages are compressed more than {_BOMB} times: they are not read any more")
                    self._dropped = True
                    self._forget()
                elif self._inflater.eof:
                    data, full = self._inflater.unused_data, False
                    self._inflater = zlib.decompressobj(-15)
                room = message.room - len(message.data)
                if out and room > 0:
                    self._keep(message, out[:room])
        except (zlib.error, MemoryError):
            self._listener.error("a message cannot be decompressed")
            self._forget()

    def _forget(self) -> None:
        # What comes compressed refers to what was not read, unless each message stands for itself.
        self._inflater = None
        self._follows = False

    def _end(self, at_ns: int) -> None:
        self._inside = False
        message, self._current = self._current, None
        if message is None or not self._final:
            return
        if message is self._message:
            self._message = None
        if message.compressed:
            self._inflate(message, _TAIL)
            if not self._follows:
                self._listener.error("compressed messages cannot be read any more")
            if self._fresh and self._follows:
                self._inflater = zlib.decompressobj(-15)
            self._follows = self._follows or (self._fresh and not self._dropped)
        self._tell(message, at_ns)

    def _tell(self, message: _Message | None, at_ns: int) -> None:
        if message is not None:
            self._listener.message(self._sent, at_ns, message.kind, bytes(message.data), message.length)
