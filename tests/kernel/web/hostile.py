"""A server that answers badly: not what HTTP is, without end, or far larger than it looks. What a request asks for is a name in `cases`."""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import struct
import threading
import time
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from tests.kernel.web.hostile_bytes import asking, bomb, continuations, frame, hpack_bomb, settings, socket_frames

__all__ = ("Case", "HostileServer", "cases", "requests")

MB = 1 << 20
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_UPGRADE = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")


class Case(NamedTuple):
    """One answer. ``marked``: a trace has to say what is wrong with it, or that not all of it was read."""

    parts: tuple[bytes, ...]
    times: int = 1  # how often the last part is sent
    protocol: str = "http/1.1"  # h2, websocket
    marked: bool = True
    reset: bool = False  # the connection is torn down, not closed


@cache
def cases() -> dict[str, Case]:
    """All of them, by name."""
    return {
        "no-http": Case((bytes(range(256)) * 41,)),
        "odd-status": Case((b"HTTP/1.1 banana OK\r\nContent-Length: 2\r\n\r\nok",)),
        "odd-version": Case((b"HTTP/9.7 200 OK\r\nContent-Length: 2\r\n\r\nok",)),
        "nul-headers": Case((_OK + b"a\0b: c\0d\r\nno colon here\r\n: no name\r\n\xff\xfe: \x80\r\nContent-Length: 2\r\n\r\nok",)),
        "endless-headers": Case((_OK, b"".join(b"x-%05d: %s\r\n" % (number, b"v" * 1000) for number in range(1000))), times=20),
        "endless-line": Case((b"HTTP/1.1 200 ", b"a" * MB), times=20),
        "endless-interim": Case((b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,), times=40),
        "endless-trailers": Case((_OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", b"x-trailer: some more\r\n" * 10_000), times=40),
        "chunk-size-odd": Case((_OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\nmore",)),
        "chunk-size-huge": Case((_OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nmore",)),
        "chunk-line-endless": Case((_OK + b"Transfer-Encoding: chunked\r\n\r\n2;", b"e" * MB), times=10),
        "length-negative": Case((_OK + b"Content-Length: -5\r\n\r\nhello",)),
        "length-twice": Case((_OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello",)),
        "length-huge": Case((_OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello",)),
        "early-close": Case((_OK + b"Content-Length: 1009\r\n\r\n" + b"z" * 503,)),
        "early-reset": Case((_OK + b"Content-Length: 1009\r\n\r\n" + b"z" * 503,), reset=True),
        "head-cut": Case((_OK + b"Content-Le",)),
        "two-answers": Case(((_OK + b"Content-Length: 2\r\n\r\nok") * 2,), marked=False),
        "coding-lies": Case((_OK + b"Content-Encoding: gzip\r\nContent-Length: 11\r\n\r\nno gzip, no",)),
        "coding-unknown": Case((_OK + b"Content-Encoding: rot13\r\nContent-Length: 2\r\n\r\nbx",)),
        "gzip-bomb": Case(bomb("gzip", _OK)),
        "br-bomb": Case(bomb("br", _OK)),
        "zstd-bomb": Case(bomb("zstd", _OK)),
        "h2-garbage": Case((settings(), b"\xff" * 10_007), protocol="h2"),
        "h2-frame-huge": Case((settings(), b"\xff\xff\xff\0\0\0\0\0\x01", b"d" * MB), times=3, protocol="h2"),
        "h2-headers-bomb": Case((settings(), hpack_bomb()), protocol="h2"),
        "h2-headers-endless": Case((settings(), *continuations()), times=400, protocol="h2"),
        "h2-no-headers": Case((settings(), frame(0, 0, 1, b"data without headers"), frame(0, 1, 1, b"end")), protocol="h2"),
        "h2-streams": Case((settings(), b"".join(frame(3, 0, 2 * number + 1, bytes(4)) for number in range(10_000))), times=10, protocol="h2"),
        "socket-bomb": Case((_UPGRADE, socket_frames("bomb")), protocol="websocket"),
        "socket-fragments": Case((_UPGRADE, *socket_frames("start", "more")), times=40, protocol="websocket"),
        "socket-opcode": Case((_UPGRADE, socket_frames("odd")), protocol="websocket"),
    }


class _Handler(socketserver.BaseRequestHandler):
    server: HostileServer

    def handle(self) -> None:
        with suppress(ConnectionError, ssl.SSLError, TimeoutError):
            self.request.settimeout(30)
            with self.server.context.wrap_socket(self.request, server_side=True) as connection:
                case = cases()[self._asked(connection)]
                for part in case.parts[:-1]:
                    connection.sendall(part)
                for _ in range(case.times):
                    connection.sendall(case.parts[-1])
                if case.reset:
                    time.sleep(0.1)  # what was sent is to be read before: a reset throws it away
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.unwrap()

    def _asked(self, connection: ssl.SSLSocket) -> str:
        asked = b""
        while not (found := re.search(rb"case=([a-z0-9-]+)", asked)):
            asked += connection.recv(65536)
        return found[1].decode()


class HostileServer(socketserver.ThreadingTCPServer):
    """Serves within a `with` block."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context, self.port = context, self.server_address[1]

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def requests() -> list[dict[str, object]]:
    """For tests/targets/raw.py: one connection for each case."""
    return [{"alpn": ["h2"] if case.protocol == "h2" else [], "pieces": [asking(name, case.protocol)]} for name, case in cases().items()]
