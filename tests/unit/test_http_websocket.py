"""WebSockets: exact messages, with wsproto as both peers and with frames made by hand."""

from __future__ import annotations

import zlib

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from tests.unit.http_talks import DEFLATED, SWITCHED, UPGRADE, Feeder, Talk, observe, socket_frame
from tracer.session.exchanges import Exchange

MASK = b"\x11\x22\x33\x44"


def messages(exchange: Exchange) -> list[tuple[bool, str, bytes, int]]:
    return [(one.sent, one.kind, one.data, one.length) for one in exchange.messages]


def conversation(events: list[tuple[bool, Event]], deflate: PerMessageDeflate | None) -> Talk:
    client, server = WSConnection(ConnectionType.CLIENT), WSConnection(ConnectionType.SERVER)
    extensions = [deflate] if deflate else []
    asked = client.send(Request(host="a.test", target="/chat", extensions=extensions))
    server.receive_data(asked)
    list(server.events())
    answer = server.send(AcceptConnection(extensions=[PerMessageDeflate()] if deflate else []))
    client.receive_data(answer)
    list(client.events())
    talk = [(True, asked), (False, answer)]
    for sent, event in events:
        data = (client if sent else server).send(event)
        (server if sent else client).receive_data(data)
        list((server if sent else client).events())
        talk.append((sent, data))
    return talk


EVENTS: list[tuple[bool, Event]] = [
    (True, TextMessage("grüße" * 50)), (False, BytesMessage(b"\0\1" * 40_000)), (True, Ping(b"p")), (False, TextMessage("grüße" * 50)),
    (True, TextMessage("part one, ", message_finished=False)), (True, Ping(b"between")), (True, TextMessage("part two")),
    (False, CloseConnection(1001, "bye")), (True, CloseConnection(1001, "bye")),
]


@pytest.mark.parametrize("deflate", [None, PerMessageDeflate(), PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True)])
def test_a_conversation(deflate: PerMessageDeflate | None) -> None:
    [exchange] = observe(conversation(EVENTS, deflate))
    text = ("grüße" * 50).encode()
    assert (exchange.protocol, exchange.status, exchange.method, exchange.target, exchange.errors) == ("websocket", 101, "GET", "/chat", [])
    assert messages(exchange) == [
        (True, "text", text, 350), (False, "binary", b"\0\1" * 40_000, 80_000), (True, "ping", b"p", 1), (False, "text", text, 350),
        (True, "ping", b"between", 7), (True, "text", b"part one, part two", 18),
        (False, "close", b"\x03\xe9bye", 5), (True, "close", b"\x03\xe9bye", 5)]
    assert [one.at_ns for one in exchange.messages] == [1002, 1003, 1004, 1005, 1007, 1008, 1009, 1010]
    assert (exchange.started_ns, exchange.sent_ns, exchange.first_byte_ns, exchange.ended_ns) == (1000, 1000, 1001, 1010)


def test_wsproto_agrees_about_frames_made_here() -> None:
    peer = Connection(ConnectionType.SERVER)
    peer.receive_data(socket_frame(1, b"x" * 70_000, mask=MASK))
    assert b"".join(event.data.encode() for event in peer.events()) == b"x" * 70_000


def test_a_handshake_without_its_request() -> None:
    [exchange] = observe([(True, SWITCHED), (False, socket_frame(1, b"hi", mask=MASK)), (True, socket_frame(1, b"ho"))])
    assert (exchange.protocol, exchange.side, messages(exchange)) == ("websocket", "server", [(False, "text", b"hi", 2), (True, "text", b"ho", 2)])
    assert exchange.errors == [
        "joined in the middle, or bytes were lost: the request was not seen", "the connection was closed before the WebSocket was closed"]


def test_a_handshake_that_ends_within_its_head() -> None:
    [exchange] = observe([(True, UPGRADE), (False, SWITCHED[:-2])])
    assert (exchange.status, exchange.protocol) == (101, "websocket")
    assert "response: the connection was closed before the end of the response's head" in exchange.errors


def test_gaps_in_messages_and_between_them() -> None:
    feeder = Feeder()
    feeder.call(True, UPGRADE)
    feeder.call(False, SWITCHED)
    whole = socket_frame(2, b"x" * 100_000)
    feeder.call(False, whole[:50_000], missing=len(whole) - 50_000)
    feeder.call(False, socket_frame(1, b"after"))
    feeder.lose(False, 5000)
    feeder.call(False, b"\xff no frame")
    feeder.call(False, socket_frame(1, b"found") + socket_frame(9, b""))
    [exchange] = feeder.close()
    assert messages(exchange) == [
        (False, "binary", b"x" * 49_990, 100_000), (False, "text", b"after", 5), (False, "text", b"found", 5), (False, "ping", b"", 0)]
    assert exchange.errors == [
        "bytes are missing in a message", "5000 bytes are missing between messages", "the connection was closed before the WebSocket was closed"]


@pytest.mark.parametrize("fresh", [False, True])
def test_compressed_messages_behind_lost_bytes(fresh: bool) -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"text") + packer.flush(zlib.Z_SYNC_FLUSH)
    feeder = Feeder()
    feeder.call(True, UPGRADE)
    feeder.call(False, DEFLATED[:-4] + (b"; server_no_context_takeover" if fresh else b"") + b"\r\n\r\n")
    for missing in (0, 3, 0):
        wire = socket_frame(1, packed[:-4], packed=True)
        feeder.call(False, wire[:len(wire) - missing], missing=missing)
    [exchange] = feeder.close()
    assert [one.data for one in exchange.messages] == [b"text", exchange.messages[1].data, b"text" if fresh else b""]
    assert "compressed messages cannot be read any more" in exchange.errors


def test_bombs_and_many_messages_are_bounded() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    bomb = (packer.compress(bytes(100 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    [exchange] = observe([(True, UPGRADE), (False, DEFLATED), (False, socket_frame(2, bomb, packed=True))])
    assert len(exchange.messages[0].data) == 262144
    assert exchange.errors[0] == "messages are compressed more than 100 times: they are not read any more"
    [exchange] = observe([(True, UPGRADE), (False, SWITCHED), (False, socket_frame(1, b"") * 30_011)])
    assert len(exchange.messages) == 10_000
    assert exchange.errors == ["the connection was closed before the WebSocket was closed", "20011 messages are not kept"]
    [exchange] = observe([(True, UPGRADE), (False, SWITCHED), *[(False, socket_frame(2, b"x" * 60_000))] * 100], max_body=50_000)
    assert sum(len(one.data) for one in exchange.messages) == 400_000
    assert {one.length for one in exchange.messages} == {60_000}
