"""Sockets that speak TLS, as the wire shows them, and which TLS connection of a library is on which socket.

A library's functions do not say which socket they are about. It is found by the calls of the same thread: a library that has the socket
itself sends and receives inside its functions; one that works on memory is given what was received just before, and what it
makes is sent right after. Which of several it is, the lengths of records tell.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from tracer.kinds import PlainFlag
from tracer.scribe.hello import client_hello, server_hello
from tracer.scribe.matching import Matching, fit, overheads
from tracer.scribe.record import Record

__all__ = ("APPLICATION_DATA", "Threads", "Wire")

APPLICATION_DATA = 23
# The operators of an IntFlag take a microsecond
_SENT, _ASTRAY, _MIDWAY, _MORE = int(PlainFlag.SENT), int(PlainFlag.ASTRAY), int(PlainFlag.MIDWAY), int(PlainFlag.MORE)
_HELLO_BYTES = 8192
_PROTOCOLS = 255  # characters
_LATELY = 8  # calls of a thread on sockets with TLS that are remembered, each way
_THREADS = 4096
_TLS_13 = 0x0304
_KEY_UPDATE = 5  # bytes: the longest of what a library sends on its own in the middle of a connection
_VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


class Wire:
    """One socket. The two directions are 0, received, and 1, sent."""

    def __init__(self, record: Record) -> None:
        self.sock, self.proc, self.first_ns, self.last_ns = record.sock, record.proc, record.at_ns, record.at_ns
        self.midway = bool(record.flags & _MIDWAY)
        self.astray = False  # where records begin was lost: their sum is not known
        self.library, self.number = "", 0  # that spoke on it last
        self.name = self.protocol = ""
        self.version = self.cipher = 0
        self.seen = [0, 0]  # bytes in clear
        self.matching = (Matching(sent=False), Matching(sent=True))
        self._hellos = [b"", b""]
        self._hello_next = [0, 0]
        self._greeted = [False, False]
        self._client: int | None = None  # the direction of the one that spoke first, until its handshake is over
        self._asks: int | None = None  # the same, for good
        self._next: list[int | None] = [None, None]  # bytes of each direction
        self._judged = [0, 0]
        # Start of the call whose bytes are being told of, and how many they are so far
        self._reading = self._writing = (0, 0)

    def hello(self, record: Record) -> None:
        """Some of the first bytes of a direction."""
        way = record.flags & _SENT
        if self._greeted[way] or (self._hellos[way] and record.position != self._hello_next[way]):
            return
        self._hello_next[way] = record.position + len(record.data)  # the first ones need not be the socket's: a proxy may come before
        self._hellos[way] = (self._hellos[way] + record.data)[:_HELLO_BYTES]
        if client := client_hello(self._hellos[way]):
            self.name, self.protocol = client.name or self.name, self.protocol or ",".join(client.protocols)[:_PROTOCOLS]
            self._greeted[way], self._client, self._asks = client.whole, way, way
        elif server := server_hello(self._hellos[way]):
            self._greeted[way] = True
            self.version, self.cipher = server.version, server.cipher
            self.protocol = server.protocol or self.protocol
            for matching in self.matching:
                matching.encrypted(overheads(server.version, server.cipher))
        if self._greeted[way]:
            self._hellos[way] = b""

    def heads(self, record: Record) -> None:
        """The heads of the records in one call."""
        way = record.flags & _SENT
        self.last_ns = record.at_ns
        self._written()
        expected = self._next[way]
        self._next[way] = record.position + record.length
        if (expected is not None and expected != record.position) or (record.flags & _ASTRAY and not self.midway):
            self.astray = True
        lengths = [head & 0xFFFF for head in record.heads() if head >> 16 == APPLICATION_DATA]
        if lengths and way == self._client:
            self._client = None
            if self.version >= _TLS_13:  # its first record is its Finished, and it had the server's before
                self.matching[way].greeted(1)
                self.matching[not way].greeted()
        self.matching[way].records(lengths)

    def plaintext(self, record: Record, library: str) -> None:
        """What a library gave or took for it."""
        way = record.flags & _SENT
        self.library, self.number, self.last_ns = library, record.library, record.at_ns
        self.seen[way] += record.length
        if not way:
            start, length = self._reading
            length = record.length + (length if start == record.start_ns else 0)
            self._reading = record.start_ns, length
            if not record.flags & _MORE:
                self.matching[way].piece(length)
                self._reading = 0, 0
            return
        start, length = self._writing
        if start != record.start_ns:
            self._written()
            length = 0
        self._writing = record.start_ns, length + record.length

    def _written(self) -> None:
        """A call that wrote is over: what it was given came in several records, but is one piece, cut as the library likes."""
        if self._writing[1]:
            self.matching[1].piece(self._writing[1])
            self._writing = 0, 0

    @property
    def owes(self) -> bool:
        """Whether a client has sent something that a call is still to tell of. A server's tickets no call will ever tell of."""
        return self._asks == 1 and not self.astray and self.matching[1].unseen > _KEY_UPDATE

    def judged(self) -> tuple[int, int]:
        """Pieces that fitted since it was asked last, and pieces that did not and should have."""
        received, sent = self.matching
        fits, misfits = received.fits + sent.fits, received.misfits + sent.misfits
        if self._judged == [fits, misfits]:
            return 0, 0
        fresh = fits - self._judged[0], 0 if self.midway or self.astray else misfits - self._judged[1]
        self._judged = [fits, misfits]
        return fresh

    def as_plain(self) -> dict[str, Any]:
        """For the session's TLS map, as of now."""
        self._written()
        received, sent = self.matching
        exact = received.known and not self.astray
        unseen = [received.unseen, sent.unseen]
        if self._asks is not None and not any(self.seen) and not unseen[self._asks]:
            unseen[not self._asks] = 0  # nothing was asked, so these are tickets: a connection that was opened in advance
        elif self._asks is not None and not self.seen[not self._asks]:
            unseen[not self._asks] -= self.matching[not self._asks].tickets  # with an answer they are passed over on the way to it
        return {
            "sock": self.sock, "proc": self.proc, "library": self.library, "sni": self.name, "alpn": self.protocol,
            "version": _VERSIONS.get(self.version, ""), "first_ns": self.first_ns, "last_ns": self.last_ns,
            "app_sent": self.seen[1] + unseen[1] if exact else None, "app_received": self.seen[0] + unseen[0] if exact else None,
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
        lately[record.flags & _SENT].append(record)

    def inside(self, record: Record) -> int:
        """The socket on which the thread moved something during this call of a library; 0: none."""
        way = record.flags & _SENT
        ways = self._lately.get(record.tid, ((), ()))
        for one in (ways[way], ways[not way]):  # a read may have to write (KeyUpdate), and may have everything already
            for moved in reversed(one):
                if record.start_ns <= moved.at_ns <= record.at_ns:
                    return moved.sock
        return 0

    def before(self, record: Record) -> int:
        """The socket on which the thread moved something last in this direction, before this call was over; one whose records fit is preferred.

        0: none.
        """
        way = record.flags & _SENT
        lately = [moved for moved in self._lately.get(record.tid, ((), ()))[way] if moved.at_ns <= record.at_ns]
        for moved in reversed(lately):
            if fit([head & 0xFFFF for head in moved.heads()], record.length):
                return moved.sock
        return lately[-1].sock if lately else 0
