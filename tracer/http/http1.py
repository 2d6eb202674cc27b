"""HTTP/1.0 and 1.1: pairs the requests of one direction with the responses of the other."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tracer.http.bodies import Body
from tracer.http.heads import Framing, Head, field_value, framing
from tracer.http.limits import PARKED, PIPELINE
from tracer.http.messages import Reader
from tracer.http.sniff import starts_message
from tracer.http.talk import Connection, Piece, note, put_body
from tracer.http.upgrade import after_connect, after_upgrade
from tracer.session.exchanges import Exchange, Headers

__all__ = ("Http1",)


@dataclass(slots=True, eq=False)
class _Turn:
    """A request and its response, under way. ``size``: of its heads in memory, about."""

    exchange: Exchange
    size: int
    asked: bool = False  # the request is complete
    answered: bool = False
    changes: str = ""  # what the request wants to make of the connection: "connect", or the name in Upgrade
    expects: bool = False  # it waits for 100 (Continue) before it sends its body


class Http1:
    """Both directions of a connection. ``sent``: requests are what the traced process sends."""

    def __init__(self, connection: Connection, sent: bool, lost: bool) -> None:
        self._connection = connection
        self._sent = sent
        self._requests = Reader(self, True, False)
        self._responses = Reader(self, False, lost)
        self._waiting: deque[_Turn] = deque()  # whose response has not begun
        self._asking: _Turn | None = None
        self._answering: _Turn | None = None
        self._parked: list[Piece] = []
        self._parked_bytes = 0
        self._size = 0

    def held(self) -> int:
        """Bytes of memory, about."""
        return self._requests.held + self._responses.held + self._parked_bytes + self._size

    def feed(self, piece: Piece) -> None:
        """Read on."""
        if piece.sent == self._sent and self._requests.stopped:
            self._park(piece)
            return
        reader = self._requests if piece.sent == self._sent else self._responses
        if reader is self._requests:
            self._unexpected(piece)
        read = reader.feed(piece.data, piece.at_ns) if piece.data else 0
        if self._connection.next is not None:
            self._connection.next[1].append(piece._replace(data=piece.data[read:]))
            return
        if reader.stopped:
            self._park(piece._replace(data=piece.data[read:]))
        elif piece.gap:
            reader.gap(piece.gap, piece.at_ns)
        if not self._requests.stopped and self._parked:
            self._resume()

    def ended(self, at_ns: int | None, why: str) -> None:
        """Complete what is unfinished."""
        self._resume()
        self._requests.ended(at_ns, why)
        self._responses.ended(at_ns, why)
        for turn in [*self._waiting, self._answering, self._asking]:
            if turn is not None and not (turn.asked and turn.answered):
                self._break(turn, at_ns, why)
        self._waiting.clear()
        self._asking = self._answering = None

    def head(self, reader: Reader, head: Head, began_ns: int, at_ns: int) -> tuple[Framing, Body] | None:
        """A head is complete."""
        frame = self._request(head, began_ns) if reader.of_request else self._response(head, began_ns, at_ns)
        if frame is None:
            return None
        encoding = ", ".join(part for part in (field_value(head.headers, "content-encoding"), frame.encoding) if part)
        return frame, self._connection.body(encoding, field_value(head.headers, "content-type"))

    def end(self, reader: Reader, at_ns: int, trailers: Headers, errors: list[str]) -> None:
        """A message is complete."""
        turn = self._asking if reader.of_request else self._answering
        if turn is None:  # it was given up before
            if reader.body is not None:
                reader.body.finish(False)
            return
        exchange, whole = turn.exchange, not errors
        for error in errors:
            note(exchange, error)
        put_body(exchange, reader.body, reader.which, whole)
        if reader.of_request:
            exchange.request_trailers, exchange.sent_ns = trailers, at_ns if whole else None
            turn.asked = True
            if turn.changes and not turn.answered:
                reader.stopped = True  # the response says whether what follows is HTTP
            if not turn.answered:
                return
        else:
            exchange.response_trailers, exchange.ended_ns = trailers, at_ns or None
            turn.answered = True
            self._answering = None
            if not turn.asked:
                return
        self._emit(turn)

    def _request(self, head: Head, began_ns: int) -> Framing:
        if self._asking is not None and not self._asking.asked:
            self._break(self._asking, began_ns, "a new request came")
        exchange = self._connection.exchange(began_ns)
        turn = _Turn(exchange, _size(head))
        self._size += turn.size
        exchange.protocol, exchange.method, exchange.target = head.version, head.method, head.target
        exchange.side = "client" if self._sent else "server"
        exchange.request_headers = head.headers
        exchange.authority = field_value(head.headers, "host")
        if head.method == "CONNECT":
            exchange.authority, exchange.target, turn.changes = head.target, "", "connect"
        elif "://" in head.target[:12]:
            exchange.scheme, _, rest = head.target.partition("://")
            exchange.authority, slash, path = rest.partition("/")
            exchange.target = slash + path or "/"
        elif "upgrade" in field_value(head.headers, "connection").lower():
            turn.changes = field_value(head.headers, "upgrade").lower()
        turn.expects = "100-continue" in field_value(head.headers, "expect").lower()
        frame = framing(head, "")
        for error in head.errors:
            note(exchange, f"request: {error}")
        self._asking = turn
        self._waiting.append(turn)
        if len(self._waiting) > PIPELINE:
            self._break(self._waiting.popleft(), None, "too many requests came")
        return frame

    def _response(self, head: Head, began_ns: int, at_ns: int) -> Framing | None:
        turn = self._turn_for(began_ns)
        exchange = turn.exchange
        if exchange.first_byte_ns is None:
            exchange.first_byte_ns = began_ns
        if 100 <= head.status < 200 and head.status != 101:
            exchange.interim.append(head.status)
            del exchange.interim[100:]
            self._waiting.appendleft(turn)
            return None
        exchange.first_byte_ns = began_ns
        if not exchange.method:
            exchange.protocol = head.version
        exchange.status, exchange.reason, exchange.response_headers = head.status or None, head.reason, head.headers
        turn.size += _size(head)
        self._size += _size(head)
        frame = framing(head, exchange.method)
        for error in head.errors:
            note(exchange, f"response: {error}")
        self._answering = turn
        changed = head.status == 101 or (turn.changes == "connect" and 200 <= head.status < 300)
        if changed:
            self._change(turn, at_ns)
            return None
        if turn.changes:
            turn.changes = ""
            self._requests.stopped = False
        frame.doubtful = not exchange.method
        return frame

    def _turn_for(self, began_ns: int) -> _Turn:
        # Behind lost bytes a response belongs to the last request: those who do not pipeline, which are nearly all, have no other.
        if self._responses.broken and len(self._waiting) > 1:
            while len(self._waiting) > 1:
                self._break(self._waiting.popleft(), None, "bytes were lost")
            note(self._waiting[0].exchange, "bytes were lost before the response: it may belong to another request")
        if self._waiting:
            return self._waiting.popleft()
        turn = _Turn(self._connection.exchange(began_ns), 0, asked=True)
        turn.exchange.side = "client" if self._sent else "server"
        note(turn.exchange, "joined in the middle, or bytes were lost: the request was not seen")
        return turn

    def _change(self, turn: _Turn, at_ns: int) -> None:
        # The connection speaks something else from here on, in both directions.
        exchange = turn.exchange
        self._requests.ended(at_ns, "the connection changed its protocol")
        self._answering = self._asking = None
        if turn.changes == "connect" and exchange.status != 101:
            talk = after_connect(self._connection, exchange, at_ns)
        else:
            talk = after_upgrade(self._connection, exchange, at_ns, self._sent)
        for other in list(self._waiting):
            self._break(other, at_ns, "the connection changed its protocol")
        self._waiting.clear()
        self._requests.stopped = self._responses.stopped = True
        self._connection.switch(talk, self._parked)
        self._parked, self._parked_bytes = [], 0

    def _unexpected(self, piece: Piece) -> None:
        # A final response instead of 100 (Continue): the body may never come, and then the next request is here.
        turn = self._asking
        if turn is None or not turn.expects or turn.asked or not turn.answered or not piece.data:
            return
        body = self._requests.body
        if body is not None and not body.wire and starts_message(piece.data, of_request=True) and b" HTTP/1." in piece.data:
            self._requests.ended(piece.at_ns, "the response came")
            self._requests.restart()

    def _emit(self, turn: _Turn) -> None:
        self._size -= turn.size
        if turn is self._asking:
            self._asking = None
        self._connection.done.append(turn.exchange)

    def _break(self, turn: _Turn, at_ns: int | None, why: str) -> None:
        exchange = turn.exchange
        if not turn.asked:
            note(exchange, f"{why} before the end of the request")
        if not turn.answered:
            note(exchange, f"{why} before the response" if exchange.status is None else f"{why} before the end of the response")
            exchange.ended_ns = at_ns
        turn.asked = turn.answered = True
        if turn.changes:
            self._requests.stopped = False
        if turn in self._waiting:
            self._waiting.remove(turn)
        if turn is self._answering:
            self._answering = None
        self._emit(turn)

    def _park(self, piece: Piece) -> None:
        if self._parked_bytes + len(piece.data) > PARKED:
            piece = piece._replace(data=b"", gap=len(piece.data) + piece.gap)
        if not piece.data and not piece.gap:
            return
        last = self._parked[-1] if self._parked else None
        if last is not None and not piece.data:
            self._parked[-1] = last._replace(gap=last.gap + piece.gap)
            return
        self._parked.append(piece)
        self._parked_bytes += len(piece.data) + 200

    def _resume(self) -> None:
        parked, self._parked, self._parked_bytes = self._parked, [], 0
        self._requests.stopped = False
        for piece in parked:
            self.feed(piece)  # which parks it again if a request before it waits, too


def _size(head: Head) -> int:
    return 500 + sum(len(name) + len(value) + 180 for name, value in head.headers)
