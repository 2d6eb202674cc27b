"""Sockets that speak TLS, as the wire shows them, and which TLS connection of a library is on which socket.

A library's functions do not say which socket they are about. It is found by the calls of the same thread: a library that has the socket
itself sends and receives inside its functions; one that works on memory is given what was received just before, and what it
makes is sent right after. Which of several it is, the lengths of records tell.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from tracer.records import PlainFlag
from tracer.scribe.hello import client_hello, server_hello
from tracer.scribe.matching import Matching, overheads
from tracer.scribe.record import Record

__all__ = ("Threads", "Wire")

_APPLICATION_DATA = 23
_HELLO_BYTES = 8192
_LATELY = 8  # calls of a thread on sockets with TLS that are remembered, each way
_THREADS = 4096
_VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


class Wire:
    """One socket. The two directions are 0, received, and 1, sent."""

    def __init__(self, record: Record) -> None:
        self.sock, self.proc, self.first_ns, self.last_ns = record.sock, record.proc, record.at_ns, record.at_ns
        self.midway = bool(record.flags & PlainFlag.MIDWAY)
        self.astray = False  # where records begin was lost: their sum is not known
        self.library = ""
        self.name = self.protocol = ""
        self.version = self.cipher = 0
        self.seen = [0, 0]  # bytes in clear
        self.matching = (Matching(), Matching())
        self._hellos = [b"", b""]
        self._greeted = [False, False]
        self._asking: int | None = None  # the direction of the client's bytes
        self._asked = False  # the client has sent something encrypted

    def hello(self, record: Record) -> None:
        """Some of the first bytes of a direction."""
        way = record.flags & PlainFlag.SENT
        if self._greeted[way] or record.position != len(self._hellos[way]):
            return
        self._hellos[way] = (self._hellos[way] + record.data)[:_HELLO_BYTES]
        if client := client_hello(self._hellos[way]):
            self._asking = way
            self.name, self.protocol = client.name or self.name, self.protocol or ",".join(client.protocols)
            self._greeted[way] = client.name != "" or len(self._hellos[way]) == _HELLO_BYTES
        elif server := server_hello(self._hellos[way]):
            self._greeted[way] = True
            self.version, self.cipher = server.version, server.cipher
            self.protocol = server.protocol or self.protocol
            for matching in self.matching:
                matching.encrypted(overheads(server.version, server.cipher))

    def heads(self, record: Record) -> None:
        """The heads of the records in one call."""
        self.last_ns = record.at_ns
        self.astray |= bool(record.flags & PlainFlag.ASTRAY) and not self.midway
        way = record.flags & PlainFlag.SENT
        if self._asking not in (None, way) and not self._asked:
            return  # from a server before its client is done: the handshake, which TLS 1.3 sends as application data
        for head in memoryview(record.data[:len(record.data) // 4 * 4]).cast("I"):
            if head >> 16 == _APPLICATION_DATA:
                self._asked = self._asked or way == self._asking
                self.matching[way].record(head & 0xFFFF)

    def plaintext(self, record: Record, library: str) -> None:
        """What a library gave or took for it."""
        way = record.flags & PlainFlag.SENT
        self.library, self.last_ns = library, record.at_ns
        self.seen[way] += record.length
        self.matching[way].piece(record.length, bool(way))

    def as_plain(self) -> dict[str, Any]:
        """For the session's TLS map."""
        for matching in self.matching:
            matching.rest()
        received, sent = self.matching
        exact = received.known and not self.astray
        return {
            "sock": self.sock, "proc": self.proc, "library": self.library, "sni": self.name, "alpn": self.protocol,
            "version": _VERSIONS.get(self.version, ""), "first_ns": self.first_ns, "last_ns": self.last_ns,
            "app_sent": self.seen[1] + sent.unseen if exact else None, "app_received": self.seen[0] + received.unseen if exact else None,
            "seen_sent": self.seen[1], "seen_received": self.seen[0], "strange": received.strange + sent.strange,
            "reason": "its records could not be followed" if self.astray else "" if received.known else "its cipher does not tell lengths",
        }


class Threads:
    """What each thread did last on sockets with TLS."""

    def __init__(self) -> None:
        self._lately: OrderedDict[int, tuple[deque[Record], deque[Record]]] = OrderedDict()

    def moved(self, record: Record) -> None:
        """A thread sent or received on such a socket."""
        lately = self._lately.get(record.tid)
        if lately is None:
            lately = self._lately[record.tid] = deque(maxlen=_LATELY), deque(maxlen=_LATELY)
            while len(self._lately) > _THREADS:
                self._lately.popitem(last=False)
        else:
            self._lately.move_to_end(record.tid)
        lately[record.flags & PlainFlag.SENT].append(record)

    def inside(self, record: Record) -> int:
        """The socket on which the thread moved something during this call of a library; 0: none."""
        way = record.flags & PlainFlag.SENT
        ways = self._lately.get(record.tid, ((), ()))
        for one in (ways[way], ways[not way]):  # a read may have to write (KeyUpdate), and may have everything already
            for moved in reversed(one):
                if record.start_ns <= moved.at_ns <= record.at_ns:
                    return moved.sock
        return 0

    def before(self, record: Record, possible: tuple[int, ...] = overheads(0, 0)) -> int:
        """The socket from which the thread received last, before this call; one whose records fit is preferred. 0: none."""
        received = [moved for moved in self._lately.get(record.tid, ((), ()))[0] if moved.at_ns <= record.at_ns]
        for moved in reversed(received):
            heads = memoryview(moved.data[:len(moved.data) // 4 * 4]).cast("I")
            if any((head & 0xFFFF) - record.length in possible for head in heads):
                return moved.sock
        return received[-1].sock if received else 0
