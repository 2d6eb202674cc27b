"""One HTTP/2 stream: what both sides have said on it, and the exchange that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracer.http.bodies import Body
from tracer.http.heads import field_value
from tracer.http.sockets import Sockets
from tracer.http.talk import Connection, note, put_body
from tracer.session.exchanges import Exchange, Headers

__all__ = ("Half", "Stream")


@dataclass(slots=True)
class Half:
    """What one side said."""

    headers: Headers | None = None
    trailers: Headers = field(default_factory=list)
    body: Body | None = None
    began_ns: int | None = None
    ended_ns: int | None = None


class Stream:
    """A stream under way. Which half is the request is told at its end: in the middle of a connection it may not be known before."""

    __slots__ = ("_connection", "exchange", "number", "received", "sent", "size", "sockets")

    def __init__(self, connection: Connection, number: int, exchange: Exchange) -> None:
        self._connection = connection
        self.number = number
        self.exchange = exchange
        self.sent = Half()
        self.received = Half()
        self.sockets: Sockets | None = None  # it is a WebSocket (RFC 8441)
        self.size = 1000  # bytes of memory, about, but for bodies
        exchange.protocol, exchange.stream = "h2", number

    def half(self, sent: bool) -> Half:
        """What the traced process has sent, or what it has received."""
        return self.sent if sent else self.received

    def fields(self, sent: bool, fields: Headers, at_ns: int) -> None:
        """A header block: of an interim response, of a message, or behind its body."""
        half = self.half(sent)
        half.began_ns = half.began_ns or at_ns
        self.size += sum(len(name) + len(value) + 180 for name, value in fields)
        status = next((value for name, value in fields if name == ":status"), "")
        if half.headers is None and len(status) == 3 and status[0] == "1" and status.isdigit():
            self.exchange.interim.append(int(status))
            del self.exchange.interim[100:]
            half.began_ns = None
            self.exchange.first_byte_ns = self.exchange.first_byte_ns or at_ns
        elif half.headers is None and half.body is None:
            half.headers = fields
        elif not half.trailers:
            half.trailers = fields
        else:
            note(self.exchange, "more than two header blocks came")

    def data(self, sent: bool, data: bytes, gap: int, at_ns: int) -> None:
        """Bytes of a body, or of a WebSocket."""
        if self.sockets is not None:
            self.sockets.feed(sent, data, gap, at_ns)
            return
        half = self.half(sent)
        half.began_ns = half.began_ns or at_ns
        if half.body is None:
            headers = half.headers or []
            half.body = self._connection.body(field_value(headers, "content-encoding"), field_value(headers, "content-type"))
        if data:
            half.body.add(data, at_ns)
        if gap:
            half.body.skip(gap)

    def accept(self, client_sent: bool) -> None:
        """Headers came: if they accept a WebSocket, the rest is one."""
        request, response = self.half(client_sent).headers, self.half(not client_sent).headers
        wanted = self.sockets is None and request is not None and field_value(request, ":protocol") == "websocket"
        if wanted and response is not None and field_value(response, ":status")[:1] == "2":
            self.sockets = Sockets(self._connection, self.exchange, client_sent, field_value(response, "sec-websocket-extensions"))

    def finish(self, client_sent: bool | None, at_ns: int | None) -> Exchange:
        """Its exchange. ``client_sent``: what the traced process sends are requests; None: that never showed."""
        exchange = self.exchange
        if client_sent is None:
            note(exchange, "joined in the middle: which side is the client did not show")
            client_sent = True
        request, response = self.half(client_sent), self.half(not client_sent)
        exchange.side = "client" if client_sent else "server"
        if request.headers is not None:
            self._request(request.headers)
        elif exchange.status != 101:
            note(exchange, "joined in the middle, or bytes were lost: the headers of the request were not seen")
        if response.headers is not None:
            status = field_value(response.headers, ":status")
            exchange.status = int(status) if len(status) == 3 and status.isascii() and status.isdigit() else None
            exchange.response_headers = _plain(response.headers)
        elif response.began_ns is not None:
            note(exchange, "joined in the middle, or bytes were lost: the headers of the response were not seen")
        exchange.request_trailers, exchange.response_trailers = _plain(request.trailers), _plain(response.trailers)
        put_body(exchange, request.body, "request", request.ended_ns is not None)
        put_body(exchange, response.body, "response", response.ended_ns is not None)
        exchange.started_ns = request.began_ns or response.began_ns or exchange.started_ns
        exchange.sent_ns = exchange.sent_ns or request.ended_ns
        exchange.first_byte_ns = response.began_ns or exchange.first_byte_ns
        exchange.ended_ns = response.ended_ns or at_ns
        if self.sockets is not None:
            self.sockets.finish(None)
        return exchange

    def _request(self, headers: Headers) -> None:
        exchange = self.exchange
        exchange.request_headers = _plain(headers)
        exchange.method = field_value(headers, ":method")
        exchange.scheme = field_value(headers, ":scheme")
        exchange.authority = field_value(headers, ":authority") or field_value(headers, "host")
        exchange.target = field_value(headers, ":path")


def _plain(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if not name.startswith(":")]
