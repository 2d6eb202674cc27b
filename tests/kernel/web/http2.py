"""HTTP/2 as a server of the tests speaks it: streams side by side, each answer in frames that take turns with the others'."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

from tests.kernel.web.log import NUMBER, Headers, Logged

if TYPE_CHECKING:
    from tests.kernel.web.server import Server

__all__ = ("http2",)

_FRAME = 4093  # bytes: small, so that streams do take turns


class _Connection:
    def __init__(self, server: Server, number: int, writer: asyncio.StreamWriter) -> None:
        self.server, self.number, self.writer = server, number, writer
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1000})  # with less, some clients open further connections
        self.streams: dict[int, Logged] = {}
        self.bodies: dict[int, bytearray] = {}
        self.more_room = asyncio.Event()
        self.answers: set[asyncio.Task[None]] = set()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def received(self, data: bytes) -> bool:
        """Whether the connection goes on."""
        for event in self.h2.receive_data(data):
            if isinstance(event, RequestReceived):
                self.streams[event.stream_id] = self._begin(event.stream_id, event.headers)
                self.bodies[event.stream_id] = bytearray()
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.streams[event.stream_id].body = bytes(self.bodies.pop(event.stream_id))
                task = asyncio.ensure_future(self._answer(event.stream_id, self.streams[event.stream_id]))
                self.answers.add(task)
                task.add_done_callback(self.answers.discard)
            elif isinstance(event, StreamReset):
                self.streams.pop(event.stream_id, None)
            elif isinstance(event, ConnectionTerminated):
                return False
        self.more_room.set()
        self.flush()
        return True

    def _begin(self, stream: int, headers: Headers) -> Logged:
        pseudo = {name: value for name, value in headers if name.startswith(":")}
        return self.server.begin(Logged(
            0, "h2", self.number, pseudo[":method"], pseudo[":path"], pseudo[":authority"],
            [(str(name), str(value)) for name, value in headers if not name.startswith(":")], stream=stream))

    async def _answer(self, stream: int, logged: Logged) -> None:
        reply = self.server.reply(logged)
        logged.status = reply.status
        logged.reply_headers = [(NUMBER, str(logged.number)), *((name.lower(), value) for name, value in reply.headers)]
        bare = logged.method == "HEAD" or reply.status in (204, 304)
        logged.reply = b"" if bare else reply.body
        pieces = [] if bare else [piece for piece in reply.written() if piece]
        self.h2.send_headers(stream, [(":status", str(reply.status)), *logged.reply_headers], end_stream=not pieces)
        self.flush()
        await asyncio.sleep(reply.first)
        for turn, piece in enumerate(pieces):
            if turn:
                await asyncio.sleep(reply.pause)
            logged.marks.append((logged.reply_bytes, time.monotonic_ns()))
            if not await self._send(stream, logged, piece, last=turn == len(pieces) - 1):
                return
        logged.ended = True

    async def _send(self, stream: int, logged: Logged, piece: bytes, last: bool) -> bool:
        """Whether it could be sent: the stream may have been reset."""
        at = 0
        while at < len(piece):
            if stream not in self.streams or self.writer.is_closing():
                return False
            room = min(self.h2.local_flow_control_window(stream), _FRAME)
            if not room:
                self.more_room.clear()
                await self.more_room.wait()
                continue
            frame = piece[at:at + room]
            at += len(frame)
            logged.reply_bytes += len(frame)
            self.h2.send_data(stream, frame, end_stream=last and at == len(piece))
            self.flush()
            await self.writer.drain()
            await asyncio.sleep(0)  # the others' turn
        return True


async def http2(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All exchanges of one connection."""
    connection = _Connection(server, number, writer)
    connection.flush()
    try:
        while (data := await reader.read(65536)) and connection.received(data):
            await writer.drain()
    finally:
        for answer in connection.answers:
            answer.cancel()
