"""HTTP/1 as a server of the tests speaks it: keep-alive, pipelining, chunks both ways, 100 Continue, and the way to a WebSocket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.kernel.web.log import NUMBER, Headers, Logged, Reply
from tests.kernel.web.websocket import websocket

if TYPE_CHECKING:
    from tests.kernel.web.server import Server

__all__ = ("http1",)


async def http1(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All exchanges of one connection."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise ValueError(f"a request that has no end: {error.partial!r}") from error
            return
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers: Headers = [(name, value.strip(" ")) for name, _, value in (line.partition(":") for line in lines)]
        logged = server.begin(Logged(0, version.lower(), number, method, target, _header(headers, "host"), headers))
        if _header(headers, "upgrade").lower() == "websocket":
            await websocket(logged, head, reader, writer)
            return
        if _header(headers, "expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        logged.body = await _body(headers, reader)
        reply = server.reply(logged)
        close = reply.framing == "close" or _header(headers, "connection").lower() == "close" or version == "HTTP/1.0"
        await _send(logged, reply, writer, close)
        if close:
            return


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


async def _body(headers: Headers, reader: asyncio.StreamReader) -> bytes:
    if _header(headers, "transfer-encoding").lower() != "chunked":
        return await reader.readexactly(int(_header(headers, "content-length") or 0))
    body = bytearray()
    while size := int((await reader.readline()).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        pass
    return bytes(body)


async def _send(logged: Logged, reply: Reply, writer: asyncio.StreamWriter, close: bool) -> None:
    pieces, frame = reply.written(), _as_it_is
    headers: Headers = [(NUMBER, str(logged.number)), *reply.headers]
    if reply.framing == "chunked" and logged.protocol == "http/1.1":
        headers.append(("Transfer-Encoding", "chunked"))
        pieces, frame = [*pieces, b""], _chunk
    elif not close or reply.framing == "length":
        headers.append(("Content-Length", str(sum(map(len, pieces)))))
    if close:
        headers.append(("Connection", "close"))
    bare = logged.method == "HEAD" or reply.status in (204, 304)
    if reply.status == 204:
        headers = [header for header in headers if header[0] != "Content-Length"]
    logged.status, logged.reply_headers = reply.status, headers
    logged.reply = b"" if bare else reply.body
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    await send_pieces(logged, reply, [] if bare else pieces, lambda piece: writer.write(frame(piece)), writer)
    logged.ended = True


async def send_pieces(logged: Logged, reply: Reply, pieces: list[bytes], write: Callable[[bytes], None], writer: asyncio.StreamWriter) -> None:
    """Writes them with the pauses that are planned, and notes when."""
    if reply.first:
        await writer.drain()
        await asyncio.sleep(reply.first)
    for turn, piece in enumerate(pieces):
        if turn and piece and reply.pause:
            await asyncio.sleep(reply.pause)
        logged.marks.append((logged.reply_bytes, time.monotonic_ns()))
        logged.reply_bytes += len(piece)
        write(piece)
        await writer.drain()


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def _as_it_is(piece: bytes) -> bytes:
    return piece
