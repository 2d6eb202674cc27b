"""Watches a connection of which it is not known what it speaks, until one direction shows it."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.http.http1 import Http1
from tracer.http.http2 import Http2
from tracer.http.sniff import Guess, guess, message_start
from tracer.http.talk import Connection, Piece, Talk

__all__ = ("Watch",)

_SEARCHED = 1 << 20  # unread bytes of a direction up to which messages are looked for behind other bytes, and not only where calls begin
_TAIL = 8 << 10


@dataclass(slots=True)
class _Side:
    pending: bytes = b""  # that may be the beginning of something
    pending_ns: int = 0
    tail: bytes = b""  # that was read before, and is nothing by itself
    unread: int = 0


class Watch:
    """Reads until it knows the protocol, and hands over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sides = {True: _Side(), False: _Side()}

    def held(self) -> int:
        """Bytes of memory."""
        return sum(len(side.pending) + len(side.tail) for side in self._sides.values())

    def feed(self, piece: Piece) -> None:
        """Look at it."""
        side = self._sides[piece.sent]
        data = side.pending + piece.data
        began_ns = side.pending_ns if side.pending else piece.at_ns
        if piece.data:
            found = guess(data)
            if found is Guess.OTHER:
                data = self._search(side, data)
                found = guess(data) if data else found
            if found not in (Guess.OTHER, Guess.MORE):
                self._known(found, piece._replace(data=data, at_ns=began_ns))
                return
            side.pending, side.pending_ns = (data, began_ns) if found is Guess.MORE else (b"", 0)
        if piece.gap:
            self._unread(side, len(side.pending) + piece.gap)
            side.pending = side.tail = b""

    def ended(self, at_ns: int | None, why: str) -> None:
        """It was nothing."""
        for side in self._sides.values():
            self._unread(side, len(side.pending))
            side.pending = side.tail = b""

    def _unread(self, side: _Side, size: int) -> None:
        side.unread += size
        self._connection.not_http += size

    def _search(self, side: _Side, data: bytes) -> bytes:
        # For a message behind the rest of another one, of which this is the end; what is before it stays unread.
        looked = side.tail + data
        found = -1
        if side.unread < _SEARCHED:
            side.tail = looked[-_TAIL:]
            found = max(message_start(looked, of_request=True), message_start(looked, of_request=False))
        else:
            side.tail = b""
        self._unread(side, len(data))
        return looked[found:] if found >= 0 else b""

    def _known(self, found: Guess, piece: Piece) -> None:
        self._connection.not_http = 0
        other = self._sides[not piece.sent]
        first = Piece(not piece.sent, other.pending, 0, other.pending_ns)
        rest = [first, piece] if other.pending and other.pending_ns < piece.at_ns else [piece, first]
        self._connection.switch(self._reader(found, piece.sent, other.unread > 0), rest)

    def _reader(self, found: Guess, sent: bool, lost: bool) -> Talk:
        if found is Guess.PREFACE:
            return Http2(self._connection, sent, joined=False)
        if found is Guess.FRAMES:
            return Http2(self._connection, None, joined=True, torn=not sent if lost else None)
        return Http1(self._connection, sent == (found is Guess.REQUEST), lost)
