"""The scribe's process. Started by the worker (tracer/stream/scribe.py) with a socket to it, and the ring to read.

Messages are msgpack values, one after the other, in both directions:

    worker -> scribe   {"key", "redact", "max_body", "ring": [fd, bytes] or nil}, first of all
                       {"library": [number, name]}, {"variables": {..}}, {"records": [bytes, ..]}, {"end": true}
    scribe -> worker   {"kind": BlockKind, "raw": bytes}, {"verdicts": {number: bool or nil}}, {"tls": {..}, "records": n}, {"done": true}
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgpack

from tracer.kernel.ring import WIDE, StringRing
from tracer.scribe.record import Record, unpack
from tracer.scribe.scribe import Scribe
from tracer.secrets.redactor import Redactor
from tracer.session.exchanges import Exchange
from tracer.session.packing import ExchangePacker

__all__ = ("main", "serve")

_NOBODY = 65534
_MEMORY = 512 << 20   # bytes of address space: what hostile bytes can make it take at the most
_AT_ONCE = 256        # records between two looks at the socket
_SHORTEST_S, _LONGEST_S = 0.001, 0.05
_FACTS_S = 2.0
_RECEIVE = 1 << 16
_PATIENCE_S = 1.0
_HELD_BYTES = 32 << 20
_HELD_S = 0.3         # exchanges wait so long: a secret that is learned a moment later is still found in them
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def _give_up_rights() -> None:
    """From here on nothing can be opened, started or signalled that matters, and no process of the same user can look in."""
    libc = ctypes.CDLL(None)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _size(exchange: Exchange) -> int:
    """The bytes of its bodies."""
    return len(exchange.request_body) + len(exchange.response_body) + sum(len(message.data) for message in exchange.messages)


class _Desk:
    """The process's work: from messages and the ring to messages."""

    def __init__(self, connection: socket.socket, order: dict[str, Any]) -> None:
        self._socket = connection
        self._packer = msgpack.Packer(unicode_errors="surrogateescape")
        self._redactor = Redactor(order["key"], enabled=order["redact"])
        self._scribe = Scribe(order["max_body"])
        self._exchanges = ExchangePacker()
        ring = order["ring"]  # descriptor and size
        self._ring = StringRing(ring[0], ring[1], WIDE) if ring else None
        self._verdicts: dict[int, bool | None] = {}
        self._held: deque[tuple[float, list[Exchange]]] = deque()  # until when, and what
        self._holding = 0  # bytes of bodies
        self._facts_at = time.monotonic() + _FACTS_S
        self._early: deque[bytes] = deque()  # records that came before the name of their library, and those behind them
        self._patience: float | None = None
        self.ended = False
        self.pause = _LONGEST_S  # before the next look

    def tell(self, message: dict[str, Any]) -> None:
        self._socket.sendall(self._packer.pack(message))

    def hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"library": [int(number), str(name)]}:
                self._scribe.library(number, name)
            case {"variables": dict(variables)}:
                self._redactor.learn(variables)
            case {"records": list(records)}:
                self.take(records)
            case {"end": _}:
                self.ended = True

    def take(self, records: Iterable[bytes]) -> None:
        self._early.extend(records)
        while self._early:
            record = unpack(self._early[0])
            if record is not None and self._is_early(record):
                return
            self._early.popleft()
            if record is not None and (exchanges := self._scribe.take(record)):
                self._held.append((time.monotonic() + _HELD_S, exchanges))
                self._holding += sum(map(_size, exchanges))

    def _is_early(self, record: Record) -> bool:
        """Whether the name of its library is still on its way: the ring is faster than the worker."""
        if self.ended or self._scribe.knows(record):
            self._patience = None
            return False
        if self._patience is None:
            self._patience = time.monotonic() + _PATIENCE_S
        if time.monotonic() < self._patience:
            return True
        self._scribe.library(record.library, "unknown")  # whoever knows it has died
        self._patience = None
        return False

    def _let_go(self) -> None:
        """Writes what has waited long enough, or takes too much room."""
        now = time.monotonic()
        while self._held and (self._held[0][0] <= now or self._holding > _HELD_BYTES or self.ended):
            exchanges = self._held.popleft()[1]
            self._holding -= sum(map(_size, exchanges))
            self._write(exchanges)

    def _write(self, exchanges: list[Exchange]) -> None:
        for exchange in exchanges:
            self._redactor.exchange(exchange)
        for kind, raw in self._exchanges.packed_blocks(exchanges) if exchanges else ():
            self.tell({"kind": int(kind), "raw": raw})

    def step(self) -> int:
        """Reads some of the ring; how many records."""
        if self._ring:  # it is to be an eighth full when it is looked at: a stream of words is a few looks a second, not a dozen for each
            full = self._ring.backlog() / self._ring.size
            self.pause = min(max(self.pause * min(2.0, 0.125 / (full + 0.001)), _SHORTEST_S), _LONGEST_S)
        self.take(())
        records = self._ring.read(_AT_ONCE) if self._ring and not self._early else []
        self.take(records)
        self._let_go()
        verdicts = self._scribe.verdicts()
        if verdicts != self._verdicts:
            self._verdicts = verdicts
            self.tell({"verdicts": verdicts})
        if time.monotonic() >= self._facts_at:
            self._tell_facts()
        return len(records)

    def _tell_facts(self) -> None:
        facts = self._scribe.facts() | {"redacted": {kind: count for kind, count in self._redactor.counts.items() if count}}
        self.tell({"tls": facts, "records": self._scribe.records})
        self._facts_at = time.monotonic() + _FACTS_S

    def finish(self) -> None:
        while self.step():
            pass
        self._write(self._scribe.finish())
        self._tell_facts()
        self.tell({"done": True})


def serve(connection: socket.socket) -> int:
    """Works until the worker says that all is over, or is gone."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=1 << 28)
    desk: _Desk | None = None
    pause = 0.0
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while desk is None or not desk.ended:
        if poll.poll(pause * 1000 if desk else None):
            data = connection.recv(_RECEIVE)
            if not data:
                return 1  # the worker has died: nobody is there to write
            unpacker.feed(data)
            for message in unpacker:
                if desk is None:
                    desk = _Desk(connection, message)
                    _give_up_rights()
                else:
                    desk.hear(message)
        if desk is not None:
            pause = 0.0 if desk.step() == _AT_ONCE else desk.pause
    desk.finish()
    return 0


def main() -> int:
    """Entry of the process: the argument is the socket's descriptor."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    try:
        return serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
