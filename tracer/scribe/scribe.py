"""Puts plaintext in its place: which connection it belongs to, and what was said there."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from tracer.http.engine import Engine
from tracer.http.segment import Segment
from tracer.kinds import PlainFlag, PlainKind
from tracer.scribe.matching import fit
from tracer.scribe.record import Record
from tracer.scribe.sockets import APPLICATION_DATA, Threads, Wire
from tracer.session.exchanges import Exchange

__all__ = ("Scribe",)

_SENT = int(PlainFlag.SENT)  # plain numbers: the operators of an IntFlag take a microsecond
_TLS, _WIRE, _SOCKET, _HELLO, _FREED = map(int, (PlainKind.TLS, PlainKind.WIRE, PlainKind.SOCKET, PlainKind.HELLO, PlainKind.FREED))
_WIRES = 4096    # sockets with TLS that are remembered
_TOLD = 4096     # of those that were forgotten the last ones are told: all are in one map of the session, below format.MAP_LIMIT
_ENDS = 16384    # TLS connections of libraries
_SCHEMES = {(False, False): "http", (False, True): "https", (True, False): "ws", (True, True): "wss"}
_EARLY_NS = 2_000_000_000  # so much later the call that asked may return, on a thread that waits for a CPU, than its answer is read (Go)
_EARLY_BYTES = 1 << 23  # of such answers, in all
_OWING = 1024    # connections that wait until it is known where they sent something
_PIECES = 64     # of plaintext of such a one
_TRIES = 8       # pieces of plaintext that fit nothing, after which a library of which none ever fitted is not believed


class _End:
    """One TLS connection as a library has it, or a socket without TLS (library 0). ``number`` is its number in the session."""

    __slots__ = ("began", "early", "early_until", "latest", "library", "number", "seen", "sock", "waiting")

    def __init__(self, number: int, library: int, sock: int = 0) -> None:
        self.number, self.library, self.sock, self.seen = number, library, sock, 0
        self.began: int | None = None  # whether its first bytes were sent, and its latest
        self.latest = 0
        self.early: list[Record] = []  # answers that were read before the call that asked had returned,
        self.early_until = 0           # and how long they wait for it
        self.waiting: list[Record] = []  # plaintext from before its socket was known, without the bytes


class _Library:
    """A file with TLS functions: what came from it, and whether it can be what it seems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fits = self.misfits = 0


class Scribe:
    """Takes records in the order of the ring; gives exchanges. Times: CLOCK_MONOTONIC, ns."""

    def __init__(self, max_body: int) -> None:
        self._engine = Engine(max_body)
        self._threads = Threads()
        self._wires: OrderedDict[int, Wire] = OrderedDict()
        self._ends: OrderedDict[int, _End] = OrderedDict()  # by what the probes call them
        self._numbered: dict[int, _End] = {}
        self._owing: OrderedDict[int, dict[int, _End]] = OrderedDict()  # by thread: connections that wrote, and whose socket will show when it sends
        self._libraries: dict[int, _Library] = {}
        self._early: deque[tuple[int, _End]] = deque()  # until when connections wait for calls to return (CLOCK_MONOTONIC, ns)
        self._early_bytes = 0
        self._told: deque[dict[str, Any]] = deque(maxlen=_TOLD)  # of wires that were forgotten
        self._connections = self._exchanges = self._forgotten = self._owed = 0
        self.bytes = self.kept = self.records = 0

    def library(self, number: int, name: str) -> None:
        """What a record's library is called."""
        self._libraries[number] = _Library(name)

    def knows(self, record: Record) -> bool:
        """Whether the record's library has a name, if it has a library."""
        return record.kind not in (_TLS, _FREED) or record.library in self._libraries

    def take(self, record: Record) -> list[Exchange]:
        """The exchanges that are complete with it."""
        self.records += 1
        done = self._no_longer_early(record.at_ns) if self._early else []
        kind = record.kind
        if kind == _TLS:
            done += self._plaintext(record)
        elif kind == _WIRE:
            wire = self._wire(record)
            wire.heads(record)
            self._judge(wire)
            self._threads.moved(record)
            if record.flags & _SENT and record.tid in self._owing:
                self._settle(record)
        elif kind == _SOCKET:
            done += self._segment(record, self._end(record, 0, record.sock))
        elif kind == _HELLO:
            self._wire(record).hello(record)
        elif kind == _FREED:
            done += self._over(record)
        return done

    def finish(self) -> list[Exchange]:
        """The trace ends."""
        return self._no_longer_early(None) + self._finished(self._engine.finish())

    def verdicts(self) -> dict[int, bool | None]:
        """By number of a library: whether its plaintext fits what was on the wire. None: too little of it."""
        return {number: True if row.fits else False if row.misfits >= _TRIES else None for number, row in self._libraries.items()}

    def facts(self) -> dict[str, Any]:
        """The TLS map of the session, as of now."""
        unknown: dict[tuple[int, str], int] = {}
        for end in self._ends.values():
            if end.library and not end.sock and end.seen:
                key = end.library, self._name(end.library)
                unknown[key] = unknown.get(key, 0) + end.seen
        return {
            "connections": [*self._told, *(wire.as_plain() for wire in self._wires.values())],
            "forgotten": self._forgotten,
            "unplaced": [{"library": name, "bytes": count} for (_, name), count in unknown.items()],
            "plaintext": {"bytes": self.bytes, "kept": self.kept, "records": self.records},
            "faults": self._engine.faults,
        }

    def _name(self, library: int) -> str:
        known = self._libraries.get(library)
        return known.name if known else "unknown"

    def _wire(self, record: Record) -> Wire:
        wire = self._wires.get(record.sock)
        if wire is None:
            wire = self._wires[record.sock] = Wire(record)
            if len(self._wires) > _WIRES:
                self._forgotten += len(self._told) == _TOLD
                self._told.append(self._wires.popitem(last=False)[1].as_plain())
        else:
            self._wires.move_to_end(record.sock)
        return wire

    def _end(self, record: Record, library: int, sock: int = 0) -> _End:
        end = self._ends.get(record.connection)
        if end is None:
            self._connections += 1
            end = self._ends[record.connection] = self._numbered[self._connections] = _End(self._connections, library, sock)
            if len(self._ends) > _ENDS:
                del self._numbered[self._ends.popitem(last=False)[1].number]  # the engine has forgotten it long ago
        else:
            self._ends.move_to_end(record.connection)
        return end

    def _over(self, record: Record) -> list[Exchange]:
        end = self._ends.pop(record.connection, None)
        if end is None:
            return []
        done = self._hear(end) + self._finished(self._engine.closed(end.number, record.at_ns))
        del self._numbered[end.number]
        return done

    def _ended(self, record: Record, end: _End) -> list[Exchange]:
        """The other side will say no more. A client that said so may still be waiting for its answer."""
        return [] if not end.began and not end.latest else self._over(record)

    def _plaintext(self, record: Record) -> list[Exchange]:
        done: list[Exchange] = []
        end = self._end(record, record.library)
        bound = self._name(record.library) != "go"  # to its thread; a goroutine's call may begin on one and end on another
        inside = record.sock or (self._threads.inside(record) if bound else 0)
        if inside and end.sock and inside != end.sock:  # the library uses the object again, for another connection
            done = self._over(record)
            end = self._end(record, record.library)
        if not record.length:
            return done + self._ended(record, end)
        end.seen += record.length
        end.waiting.append(record._replace(data=b"") if record.data else record)
        if end.sock:
            self._bind(end, end.sock)
        elif sock := inside or (0 if bound and record.flags & _SENT else self._threads.before(record)):
            self._bind(end, sock)
        else:
            self._owe(record.tid, end)
        if record.flags & _SENT:
            if end.early:
                record = record._replace(at_ns=min(record.at_ns, end.early[0].at_ns))
            return done + self._segment(record, end) + self._hear(end)
        wire = None if bound else self._wires.get(end.sock)
        if end.early or (wire is not None and wire.owes):
            if not end.early:
                end.early_until = record.at_ns + _EARLY_NS
                self._early.append((end.early_until, end))
            end.early.append(record)
            self._early_bytes += len(record.data)
            while self._early_bytes > _EARLY_BYTES:
                done += self._hear_oldest()
            return done
        return done + self._segment(record, end)

    def _hear(self, end: _End) -> list[Exchange]:
        """What was read meanwhile, now that what was asked is known."""
        early, end.early = end.early, []
        self._early_bytes -= sum(len(record.data) for record in early)
        return [exchange for record in early for exchange in self._segment(record, end)]

    def _hear_oldest(self) -> list[Exchange]:
        """What has waited longest, if it still does."""
        until, end = self._early.popleft()
        return self._hear(end) if end.early_until == until else []

    def _no_longer_early(self, now: int | None) -> list[Exchange]:
        """Answers that have waited long enough; all of them without ``now``."""
        done: list[Exchange] = []
        while self._early and (now is None or self._early[0][0] <= now):
            done += self._hear_oldest()
        return done

    def _owe(self, tid: int, end: _End) -> None:
        """The thread will send, most likely, what it had encrypted."""
        owed = self._owing.setdefault(tid, {})
        self._owed += end.number not in owed
        owed[end.number] = end
        del end.waiting[:-_PIECES]
        if self._owed > _OWING:
            _, forgotten = self._owing.popitem(last=False)
            self._owed -= len(forgotten)
            for end in forgotten.values():
                end.waiting.clear()

    def _settle(self, record: Record) -> None:
        """A thread has sent: what it had encrypted before. Of several connections it is the one whose lengths fit, or else the first."""
        owed = self._owing[record.tid]
        lengths = [head & 0xFFFF for head in record.heads() if head >> 16 == APPLICATION_DATA]
        if not lengths:
            return  # it shakes hands
        fitting = (end for end in owed.values() if end.waiting and fit(lengths, end.waiting[0].length))
        end = next(fitting, None) or next(iter(owed.values()))
        del owed[end.number]
        self._owed -= 1
        if not owed:
            del self._owing[record.tid]
        self._bind(end, record.sock)

    def _bind(self, end: _End, sock: int) -> None:
        """The connection is on this socket: what it said and heard belongs to what passed there."""
        end.sock = end.sock or sock
        wire = self._wires.get(end.sock)
        if wire is not None:
            for record in end.waiting:
                wire.plaintext(record, self._name(end.library))
            self._judge(wire)
        end.waiting.clear()

    def _judge(self, wire: Wire) -> None:
        """Whether the library that speaks there can be what it seems."""
        fits, misfits = wire.judged()
        if row := self._libraries.get(wire.number):
            row.fits += fits
            row.misfits += misfits

    def _segment(self, record: Record, end: _End) -> list[Exchange]:
        self.bytes += record.length
        self.kept += len(record.data)
        if not record.length:
            return self._ended(record, end)
        end.latest = record.flags & _SENT
        end.began = end.latest if end.began is None else end.began
        return self._finished(self._engine.feed(Segment(
            end.number, record.at_ns, bool(record.flags & _SENT), record.position, record.data, record.length, record.proc, record.tid)))

    def _finished(self, exchanges: list[Exchange]) -> list[Exchange]:
        for exchange in exchanges:
            self._exchanges += 1
            exchange.number = self._exchanges
            end = self._numbered.get(exchange.connection)
            if end is not None:
                exchange.sock, exchange.library = end.sock, self._name(end.library) if end.library else ""
            if not exchange.scheme:
                exchange.scheme = _SCHEMES[exchange.protocol == "websocket", bool(exchange.library)]
        return exchanges
