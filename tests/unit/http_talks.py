"""Conversations for the tests of tracer/http, and how they are fed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import h2.config
import h2.connection

from tracer.http.engine import Engine
from tracer.http.segment import Segment
from tracer.session.exchanges import Exchange

Talk = list[tuple[bool, bytes]]
"""What is sent (True) and received, one call after the other."""

GET = b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
DEFLATED = SWITCHED[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


def response(body: bytes, *headers: str, length: bool = True) -> bytes:
    lines = ["HTTP/1.1 200 OK", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*parts: bytes, headers: str = "", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return f"HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode() + body + b"0\r\n" + trailers + b"\r\n"


class Feeder:
    """Feeds an engine call by call: the clock shows 1000, 1001, ... and positions count on, also over what is not given to it."""

    def __init__(self, max_body: int = 262144, connection: int = 1) -> None:
        self.engine = Engine(max_body)
        self.connection = connection
        self.done: list[Exchange] = []
        self.now = 999
        self._positions = {True: 0, False: 0}

    def call(self, sent: bool, data: bytes, missing: int = 0, cuts: Iterable[int] = ()) -> None:
        """One call, of whose bytes the last ``missing`` are not known, told in pieces that are cut at ``cuts``."""
        self.now += 1
        ends = sorted({cut for cut in cuts if 0 < cut < len(data)} | {len(data)})
        begin = 0
        for end in ends:
            piece = data[begin:end]
            length = len(piece) + (missing if end == len(data) else 0)
            self.done += self.engine.feed(Segment(self.connection, self.now, sent, self._positions[sent], piece, length, 7, 8))
            self._positions[sent] += length
            begin = end

    def lose(self, sent: bool, size: int) -> None:
        """So many bytes are moved, and nothing is told about it."""
        self._positions[sent] += size

    def close(self) -> list[Exchange]:
        """All exchanges; the connection ends."""
        self.now += 1
        self.done += self.engine.closed(self.connection, self.now)
        return self.checked()

    def finish(self) -> list[Exchange]:
        """All exchanges; the trace ends."""
        self.done += self.engine.finish()
        return self.checked()

    def checked(self) -> list[Exchange]:
        assert self.engine.faults == 0
        assert self.engine.held == 0
        return self.done


def observe(talk: Talk, max_body: int = 262144, cuts: Callable[[int], Iterable[int]] = lambda call: ()) -> list[Exchange]:
    feeder = Feeder(max_body)
    for number, (sent, data) in enumerate(talk):
        feeder.call(sent, data, cuts=cuts(number))
    return feeder.close()


class Peers:
    """An HTTP/2 client and a server of the h2 package; ``talk``: what they have said. The client is the traced process."""

    def __init__(self) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.talk: Talk = []
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.pump()

    def pump(self) -> None:
        while True:
            asked, answered = self.client.data_to_send(), self.server.data_to_send()
            if asked:
                self.talk.append((True, asked))
                self.server.receive_data(asked)
            if answered:
                self.talk.append((False, answered))
                self.client.receive_data(answered)
            if not asked and not answered:
                return

    def ask(self, stream: int, path: str, body: bytes = b"", method: str = "GET", **headers: str) -> None:
        fields = [(":method", method), (":scheme", "https"), (":authority", "a.test"), (":path", path), *headers.items()]
        self.client.send_headers(stream, fields, end_stream=not body)
        for at in range(0, len(body), 16384):
            self.client.send_data(stream, body[at:at + 16384], end_stream=at + 16384 >= len(body))
        self.pump()

    def answer(self, stream: int, *parts: bytes, status: int = 200, **headers: str) -> None:
        self.server.send_headers(stream, [(":status", str(status)), *headers.items()], end_stream=not parts)
        for number, part in enumerate(parts):
            self.server.send_data(stream, part, end_stream=number == len(parts) - 1)
            self.pump()
        self.pump()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def socket_frame(opcode: int, payload: bytes, *, mask: bytes = b"", final: bool = True, packed: bool = False) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
    head = bytes([(0x80 if final else 0) | (0x40 if packed else 0) | opcode, length[0] | (0x80 if mask else 0)]) + length[1:]
    return head + mask + (bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload)
