"""A WebSocket: the messages of both directions, on a connection of its own or on an HTTP/2 stream."""

from __future__ import annotations

from tracer.http.limits import MESSAGES, READABLE
from tracer.http.socket_reader import SocketReader
from tracer.http.talk import Connection, Piece, note
from tracer.session.exchanges import Exchange, SocketMessage

__all__ = ("Sockets", "WebSocket")

_MESSAGE_BYTES = 250  # of an object without its data


class Sockets:
    """Both directions. ``extensions``: what the server has agreed to."""

    def __init__(self, connection: Connection, exchange: Exchange, client_sent: bool, extensions: str) -> None:
        exchange.protocol = "websocket"
        self.charge = 0
        self._exchange = exchange
        self._budget = connection.budget
        self._closes: set[bool] = set()
        self._limit = connection.max_body
        self._left = connection.max_body * READABLE  # bytes that are still kept
        self._missing = 0  # messages of which nothing is kept
        self._full = False
        names = [part.strip().lower() for part in extensions.replace(";", ",").split(",")]
        deflate = "permessage-deflate" in names
        self._readers = {}
        for sent in (True, False):
            whose = "client" if sent == client_sent else "server"
            fresh = f"{whose}_no_context_takeover" in names
            self._readers[sent] = SocketReader(self, masked=sent == client_sent, deflate=deflate, fresh=fresh, sent=sent)

    @property
    def room(self) -> int:
        """How many bytes of the next message are kept."""
        return max(0, min(self._limit, self._left))

    @property
    def closed(self) -> bool:
        """Both sides have said that they close."""
        return len(self._closes) == 2

    def feed(self, sent: bool, data: bytes, gap: int, at_ns: int) -> None:
        """Read on."""
        if data:
            self._readers[sent].feed(data, at_ns)
        if gap:
            self._readers[sent].gap(gap, at_ns)

    def lose(self, sent: bool, at_ns: int) -> None:
        """Nobody knows how many bytes are missing."""
        self._readers[sent].lose("bytes are missing", at_ns)

    def takes(self, size: int) -> None:
        """A reader takes so many bytes of memory more."""
        self._budget.grow(self, size)

    def message(self, sent: bool, at_ns: int, kind: str, data: bytes, length: int) -> None:
        """A message is complete."""
        if kind == "close":
            self._closes.add(sent)
        if self._full or len(self._exchange.messages) >= MESSAGES:
            self._missing += 1
            return
        self._left -= len(data)
        self._exchange.messages.append(SocketMessage(at_ns, sent, kind, data, length))
        self._budget.grow(self, _MESSAGE_BYTES)

    def error(self, sentence: str) -> None:
        """Something is wrong."""
        note(self._exchange, sentence)

    def halve(self) -> None:
        """Keep half of the messages, and no more of them."""
        messages = self._exchange.messages
        self._full, self._left = True, 0
        self._missing += len(messages) - len(messages) // 2
        del messages[len(messages) // 2:]
        for reader in self._readers.values():
            reader.drop()
        self.charge = sum(len(message.data) + _MESSAGE_BYTES for message in messages)

    def finish(self, why: str | None) -> None:
        """The end. ``why``: it came unexpectedly."""
        for reader in self._readers.values():
            reader.finish()
        if why and not self._closes:
            note(self._exchange, f"{why} before the WebSocket was closed")
        if self._missing:
            note(self._exchange, f"{self._missing} messages are not kept")
        self._budget.release(self)


class WebSocket:
    """A WebSocket on a connection of its own, from the end of its handshake on."""

    def __init__(self, connection: Connection, exchange: Exchange, client_sent: bool, extensions: str) -> None:
        self._connection = connection
        self._exchange: Exchange | None = exchange
        self._sockets = Sockets(connection, exchange, client_sent, extensions)
        self._size = 1000 + sum(len(name) + len(value) + 180 for name, value in exchange.request_headers + exchange.response_headers)

    def held(self) -> int:
        """Bytes of memory, about."""
        return self._size if self._exchange else 0

    def feed(self, piece: Piece) -> None:
        """Read on; what comes behind the close frames of both is nothing."""
        if self._exchange is not None:
            self._sockets.feed(piece.sent, piece.data, piece.gap, piece.at_ns)
            if self._sockets.closed:
                self._emit(piece.at_ns, None)

    def ended(self, at_ns: int | None, why: str) -> None:
        """Complete it."""
        if self._exchange is not None:
            self._emit(at_ns, why)

    def _emit(self, at_ns: int | None, why: str | None) -> None:
        exchange, self._exchange = self._exchange, None
        self._sockets.finish(why)
        if exchange is not None:
            exchange.ended_ns = at_ns
            self._connection.done.append(exchange)
