"""A WebSocket that sends back what it is sent, compressed where the client can do it (permessage-deflate)."""

from __future__ import annotations

import asyncio

from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Message, Ping, Request
from wsproto.extensions import PerMessageDeflate

from tests.kernel.web.log import NUMBER, Logged

__all__ = ("websocket",)


async def websocket(logged: Logged, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From the handshake, of which ``head`` has been read, to its end."""
    logged.protocol, logged.status = "websocket", 101
    peer = WSConnection(ConnectionType.SERVER)
    data, parts = head, []
    while data:
        peer.receive_data(data)
        for event in peer.events():
            if isinstance(event, Request):
                writer.write(peer.send(AcceptConnection(extensions=[PerMessageDeflate()], extra_headers=[(NUMBER.encode(), b"%d" % logged.number)])))
            elif isinstance(event, Message):
                parts.append(event.data)
                if event.message_finished:
                    _answer(logged, peer, event, parts, writer)
                    parts = []
            elif isinstance(event, Ping):
                writer.write(peer.send(event.response()))
            elif isinstance(event, CloseConnection):
                writer.write(peer.send(event.response()))
                logged.ended = True
        await writer.drain()
        data = b"" if logged.ended else await reader.read(65536)


def _answer(logged: Logged, peer: WSConnection, event: Message, parts: list[bytes | str], writer: asyncio.StreamWriter) -> None:
    binary = isinstance(event, BytesMessage)
    whole = (b"" if binary else "").join(parts)  # type: ignore[arg-type]
    message = ("binary", bytes(whole)) if binary else ("text", str(whole).encode())  # type: ignore[arg-type]
    logged.messages += [(True, *message), (False, *message)]
    writer.write(peer.send(Message(data=whole)))  # type: ignore[arg-type]
