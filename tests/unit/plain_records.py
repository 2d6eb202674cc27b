"""Records of the lane plaintext as the kernel sends them, for the tests of tracer/scribe."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tracer.kinds import PlainFlag, PlainKind
from tracer.records import PLAIN_HEAD
from tracer.scribe.record import Record, unpack

AIR = b"\xa5" * 37  # what was reserved and not used
APPLICATION, HANDSHAKE, CHANGE = 23, 22, 20
SENT, RECEIVED = int(PlainFlag.SENT), 0


def packed(data: bytes = b"", *, at: int = 0, start: int | None = None, connection: int = 0, sock: int = 0, position: int = 0, proc: int = 7,
           tid: int = 8, length: int | None = None, kept: int | None = None, kind: int = PlainKind.SOCKET, flags: int = 0, library: int = 0) -> bytes:
    """One record, byte for byte."""
    return struct.pack(
        PLAIN_HEAD, at, at if start is None else start, connection, sock, position, proc, tid, len(data) if length is None else length,
        len(data) if kept is None else kept, 5, kind, flags, library, 0) + data + AIR


class Kernel:
    """Tells what programs do: the clock shows 1000, 1010, ..., and positions count on by connection and direction."""

    def __init__(self) -> None:
        self.now = 1000
        self._positions: dict[tuple[str, int, int], int] = {}

    def _position(self, what: str, key: int, way: int, length: int) -> int:
        at = self._positions.get((what, key, way), 0)
        self._positions[what, key, way] = at + length
        return at

    def tick(self) -> int:
        self.now += 10
        return self.now

    def plain(self, sock: int, way: int, data: bytes, *, missing: int = 0, tid: int = 8) -> bytes:
        """A call on a socket without TLS, whose last ``missing`` bytes were not kept."""
        length = len(data) + missing
        return packed(data, at=self.tick(), connection=sock, sock=sock, position=self._position("", sock, way, length), length=length, flags=way,
                      tid=tid)

    def wire(self, sock: int, way: int, records: Iterable[int | tuple[int, int]], *, flags: int = 0, tid: int = 8) -> bytes:
        """A call on a socket with TLS. Records of application data are told by their encrypted length, others as (type, length)."""
        heads = [record if isinstance(record, tuple) else (APPLICATION, record) for record in records]
        length = sum(5 + size for _, size in heads)
        return packed(struct.pack(f"<{len(heads)}I", *(kind << 16 | size for kind, size in heads)), at=self.tick(), connection=sock, sock=sock,
                      position=self._position("", sock, way, length), length=length, kind=PlainKind.WIRE, flags=flags | way, tid=tid)

    def hello(self, sock: int, way: int, data: bytes, position: int = 0) -> bytes:
        """The first bytes of a socket with TLS."""
        return packed(data, at=self.tick(), connection=sock, sock=sock, position=position, kind=PlainKind.HELLO, flags=way)

    def tls(self, connection: int, way: int, data: bytes, *, start: int | None = None, library: int = 1, missing: int = 0, tid: int = 8) -> bytes:
        """A call of a TLS library; ``start``: when it was entered."""
        length = len(data) + missing
        return packed(data, at=self.tick(), start=start, connection=connection, position=self._position("tls", connection, way, length),
                      length=length, kind=PlainKind.TLS, flags=way, library=library, tid=tid)

    def freed(self, connection: int, *, library: int = 1) -> bytes:
        """A TLS connection's object goes."""
        for way in (0, 1):
            self._positions.pop(("tls", connection, way), None)
        return packed(at=self.tick(), connection=connection, kind=PlainKind.FREED, library=library)


def record(raw: bytes) -> Record:
    """As the scribe takes it."""
    told = unpack(raw)
    assert told is not None
    return told


def cut(data: bytes, size: int = 16384) -> list[bytes]:
    """What a library makes records of."""
    return [data[at:at + size] for at in range(0, len(data), size)]
