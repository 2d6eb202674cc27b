"""The plaintext of all connections in, exchanges out."""

from __future__ import annotations

from collections import OrderedDict

from tracer.http.budget import Budget
from tracer.http.limits import BODIES, CONNECTIONS, HELD, NOT_HTTP
from tracer.http.segment import Segment
from tracer.http.talk import Connection, Piece, Talk, note
from tracer.http.watch import Watch
from tracer.session.exchanges import Exchange

__all__ = ("Engine",)

_CLOSED = "the connection was closed"
_FORGOTTEN = "too much was under way at once: the connection was given up"
_ENDED = "the trace ended"


class _Line:
    """A connection with its reader, and how far each direction is."""

    __slots__ = ("connection", "held", "positions", "talk")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.talk: Talk = Watch(connection)
        self.positions: list[int | None] = [None, None]  # received, sent: the next byte
        self.held = 0


class Engine:
    """Observes connections. ``not_http``: bytes by connection that are no HTTP; ``connections``: how many were seen;
    ``faults``: how often a reader failed, which is a mistake in it.
    """

    def __init__(self, max_body: int = 262144) -> None:
        self.not_http: dict[int, int] = {}
        self.connections = 0
        self.faults = 0
        self._max_body = max_body
        self._budget = Budget(BODIES)
        self._held = 0
        self._lines: OrderedDict[int, _Line] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes of memory that unfinished exchanges take, about."""
        return self._held + self._budget.total

    def feed(self, segment: Segment) -> list[Exchange]:
        """Read the next segment of a connection; the exchanges that it completes."""
        line = self._lines.get(segment.connection)
        if line is None:
            line = self._lines[segment.connection] = _Line(Connection(segment.connection, self._max_body, self._budget, Watch))
            self.connections += 1
        else:
            self._lines.move_to_end(segment.connection)
        connection = line.connection
        connection.proc, connection.tid = segment.proc, segment.tid
        data, length = segment.data, max(segment.length, len(segment.data))
        expected = line.positions[segment.sent]
        if expected is None and not isinstance(line.talk, Watch):
            expected = 0  # the other direction has shown what this is: here the beginning is missing
        if expected is not None and segment.position != expected:
            if segment.position > expected:
                self._read(line, Piece(segment.sent, b"", segment.position - expected, segment.at_ns))
            else:  # known already
                again = min(expected - segment.position, length)
                data, length = data[again:], length - again
        line.positions[segment.sent] = max(expected or 0, segment.position + max(segment.length, len(segment.data)))
        if length:
            self._read(line, Piece(segment.sent, data, length - len(data), segment.at_ns))
        self._measure(line)
        done, connection.done = connection.done, []
        while len(self._lines) > CONNECTIONS or self._held > HELD:
            done += self._end(next(iter(self._lines)), segment.at_ns, _FORGOTTEN)
        return done

    def closed(self, connection: int, at_ns: int) -> list[Exchange]:
        """The socket or the TLS object has ended."""
        return self._end(connection, at_ns, _CLOSED)

    def finish(self) -> list[Exchange]:
        """The trace ends: all that is unfinished, marked."""
        return [exchange for number in list(self._lines) for exchange in self._end(number, None, _ENDED)]

    def _read(self, line: _Line, piece: Piece) -> None:
        connection = line.connection
        pieces = [piece]
        try:
            while pieces:
                line.talk.feed(pieces.pop())
                if connection.next is not None:
                    line.talk, rest = connection.next
                    connection.next = None
                    pieces += reversed(rest)
        except Exception as error:  # hostile bytes have found a mistake: the connection is lost, the others go on
            self._fault(line, error)

    def _fault(self, line: _Line, error: Exception) -> None:
        self.faults += 1
        connection = line.connection
        connection.next = None
        exchange = connection.exchange(0)
        note(exchange, f"this connection could not be read ({type(error).__name__})")
        connection.done.append(exchange)
        line.talk = Watch(connection)

    def _measure(self, line: _Line) -> None:
        held = line.talk.held()
        self._held += held - line.held
        line.held = held

    def _end(self, number: int, at_ns: int | None, why: str) -> list[Exchange]:
        line = self._lines.pop(number, None)
        if line is None:
            return []
        self._held -= line.held
        try:
            line.talk.ended(at_ns, why)
            if line.connection.next is not None:  # a torn head was one that changes the protocol
                line.connection.next[0].ended(at_ns, why)
        except Exception as error:
            self._fault(line, error)
        connection = line.connection
        if connection.not_http and (number in self.not_http or len(self.not_http) < NOT_HTTP):
            self.not_http[number] = self.not_http.get(number, 0) + connection.not_http
        return connection.done
