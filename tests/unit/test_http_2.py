"""HTTP/2: exact exchanges of conversations with the h2 package as both peers, and of frames made by hand."""

from __future__ import annotations

import gzip

import pytest
from h2.errors import ErrorCodes
from hpack import Encoder

from tests.unit.http_talks import OK, Feeder, Peers, frame, observe, socket_frame
from tracer.http.sniff import PREFACE
from tracer.session.exchanges import Exchange

START = [(True, PREFACE + frame(4, 0, 0)), (False, frame(4, 0, 0))]
ASK = [(":method", "GET"), (":scheme", "https"), (":authority", "a.test"), (":path", "/p")]


def test_a_request_and_its_response() -> None:
    feeder, peers = Feeder(), Peers()
    peers.ask(1, "/v1?x=1", b"body", "POST", accept="*/*")
    peers.answer(1, b"ans", b"wer", **{"content-type": "text/plain"})
    for sent, data in peers.talk:
        feeder.call(sent, data)
    [exchange] = feeder.close()
    times = [1000 + number for number, (sent, _) in enumerate(peers.talk) if not sent][-2:]
    assert exchange == Exchange(
        connection=1, stream=1, proc=7, tid=8, protocol="h2", side="client", method="POST", scheme="https", authority="a.test", target="/v1?x=1",
        status=200, request_headers=[("accept", "*/*")], response_headers=[("content-type", "text/plain")], request_body=b"body",
        response_body=b"answer", request_bytes=4, response_bytes=6, request_length=4, response_length=6, request_marks=exchange.request_marks,
        response_marks=[(0, times[0]), (3, times[1])], started_ns=exchange.started_ns, sent_ns=exchange.started_ns, first_byte_ns=times[0],
        ended_ns=times[1])
    assert exchange.request_marks == [(0, exchange.started_ns)]
    assert exchange.url == "https://a.test/v1?x=1"


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_server_that_speaks_first(step: int) -> None:
    talk = [START[1], (True, PREFACE), (True, frame(4, 0, 0)), (True, frame(1, 5, 1, Encoder().encode(ASK))), (False, frame(1, 5, 1, b"\x88"))]
    [exchange] = observe(talk, cuts=lambda call: range(0, 100, step))
    assert (exchange.target, exchange.side, exchange.status, exchange.errors) == ("/p", "client", 200, [])


def test_many_streams_at_once() -> None:
    peers = Peers()
    for number in range(53):
        peers.ask(2 * number + 1, f"/{number}", **{"x-number": str(number)})
    for number in reversed(range(53)):
        peers.server.send_headers(2 * number + 1, [(":status", "200"), ("x-number", str(number))])
    for turn in range(3):
        for number in range(53):
            peers.server.send_data(2 * number + 1, b"%d," % number, end_stream=turn == 2, pad_length=number if number % 2 else None)
    peers.pump()
    found = observe(peers.talk)
    assert [(one.stream, one.target, one.header("x-number"), one.response_body, one.errors) for one in found] == [
        (2 * number + 1, f"/{number}", str(number), b"%d," % number * 3, []) for number in range(53)]


def test_encodings_trailers_and_interim_responses() -> None:
    peers = Peers()
    peers.ask(1, "/grpc", b"q" * 40_000, "POST")
    peers.server.send_headers(1, [(":status", "103"), ("link", "x")])
    peers.server.send_headers(1, [(":status", "200"), ("content-encoding", "gzip")])
    peers.server.send_data(1, gzip.compress(b"t" * 3000))
    peers.server.send_headers(1, [("grpc-status", "0")], end_stream=True)
    peers.pump()
    [exchange] = observe(peers.talk)
    assert (exchange.interim, exchange.status, exchange.response_body) == ([103], 200, b"t" * 3000)
    assert exchange.response_trailers == [("grpc-status", "0")]
    assert (exchange.request_body, exchange.errors) == (b"q" * 40_000, [])


def test_large_headers_come_in_continuations() -> None:
    peers = Peers()
    peers.ask(1, "/", **{f"x-{number}": "v" * 1500 for number in range(30)})
    peers.answer(1)
    [exchange] = observe(peers.talk)
    assert len(exchange.request_headers) == 30
    assert (exchange.status, exchange.response_length, exchange.errors) == (200, 0, [])


def test_reset_and_going_away() -> None:
    peers = Peers()
    for stream in (1, 3, 5):
        peers.ask(stream, f"/{stream}")
    peers.server.send_headers(1, [(":status", "200")])
    peers.server.send_data(1, b"begun")
    peers.pump()
    peers.client.reset_stream(1, ErrorCodes.CANCEL)
    peers.pump()
    peers.server.close_connection(last_stream_id=3)
    peers.talk.append((False, peers.server.data_to_send()))
    found = observe(peers.talk)
    assert [(one.stream, one.status, one.response_body, one.errors) for one in found] == [
        (1, 200, b"begun", ["the client has reset the stream (CANCEL)"]),
        (3, None, b"", ["the connection was closed before the response"]),
        (5, None, b"", ["not worked on: the other side is going away (NO_ERROR)", "the connection was closed before the response"])]


def test_pushed_responses() -> None:
    peers = Peers()
    peers.ask(1, "/page")
    peers.server.push_stream(1, 2, [*ASK[:3], (":path", "/style")])
    peers.answer(2, b"css")
    peers.answer(1, b"html")
    found = observe(peers.talk)
    assert [(one.stream, one.target, one.response_body, one.side, one.errors) for one in found] == [
        (2, "/style", b"css", "client", []), (1, "/page", b"html", "client", [])]


def test_an_upgrade_of_http_1() -> None:
    encoder = Encoder()
    asked = b"GET /up HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n"
    head = encoder.encode([(":status", "200"), ("x", "y")])
    found = observe([
        (True, asked), (False, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + frame(4, 0, 0)),
        (True, PREFACE + frame(4, 0, 0) + frame(1, 5, 3, Encoder().encode(ASK))),
        (False, frame(1, 4, 1, head) + frame(0, 1, 1, b"first") + frame(1, 5, 3, encoder.encode([(":status", "204")])))])
    assert [(one.protocol, one.stream, one.target, one.status, one.response_body, one.errors) for one in found] == [
        ("h2", 1, "/up", 200, b"first", []), ("h2", 3, "/p", 204, b"", [])]


def test_a_websocket_on_a_stream() -> None:
    asked = Encoder().encode([(":method", "CONNECT"), (":protocol", "websocket"), *ASK[1:]])
    talk = [
        *START, (True, frame(1, 4, 1, asked)), (False, frame(1, 4, 1, Encoder().encode([(":status", "200")]))),
        (True, frame(0, 0, 1, socket_frame(1, b"hi", mask=b"abcd"))), (False, frame(0, 0, 1, socket_frame(2, b"ho"))),
        (True, frame(0, 1, 1, socket_frame(8, b"\x03\xe8", mask=b"1234"))), (False, frame(0, 1, 1, socket_frame(8, b"\x03\xe8")))]
    [exchange] = observe(talk)
    assert exchange.protocol == "websocket"
    assert [(one.sent, one.kind, one.data) for one in exchange.messages] == [
        (True, "text", b"hi"), (False, "binary", b"ho"), (True, "close", b"\x03\xe8"), (False, "close", b"\x03\xe8")]
    assert exchange.errors == []


def test_priorities_padding_and_what_is_not_known() -> None:
    block = Encoder().encode(ASK)
    padded = bytes([5]) + b"\x80\0\0\x03\x10" + block + bytes(5)
    talk = [
        *START, (True, frame(2, 0, 1, bytes(5)) + frame(0x20, 0xFF, 9, b"grease") + frame(10, 0, 0, b"\0\0h2") + frame(1, 0x2D, 1, padded)),
        (False, frame(8, 0, 0, b"\0\0\1\0") + frame(1, 4, 1, b"\x88") + frame(0, 8, 1, b"\x04data" + bytes(4)) + frame(0, 9, 1, b"\0"))]
    [exchange] = observe(talk)
    assert (exchange.target, exchange.status, exchange.response_body, exchange.response_bytes, exchange.errors) == ("/p", 200, b"data", 4, [])


@pytest.mark.parametrize(("block", "error"), [
    (b"\x82\x84\xff\xff\xff\xff\xff\xff\xff", "the header block is malformed"),
    (b"\x82\x84\xbe\x86", "1 headers cannot be decoded"),
    (b"\x82\x84\x40\x7f", "the header block is malformed"),
    (b"\x82\x84\x00\x81\xff\x81\xff", "1 headers cannot be decoded"),
    (b"\x82\x84" + b"\x40\x01x\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * 3000, "there are too many headers: not all are kept"),
    (b"\x82\x84" + b"\x90" * 3000, "there are too many headers: not all are kept"),
])
def test_odd_header_blocks(block: bytes, error: str) -> None:
    [exchange] = observe([*START, (True, frame(1, 5, 1, block)), (False, frame(1, 5, 1, b"\x88"))])
    assert (exchange.method, exchange.target, exchange.status) == ("GET", "/", 200)
    assert exchange.errors == [error]
    assert len(exchange.request_headers) <= 2000


def test_endless_blocks_and_streams_are_bounded() -> None:
    feeder = Feeder()
    for sent, data in START:
        feeder.call(sent, data)
    feeder.call(True, frame(1, 0, 1, b"\x82"))
    for _ in range(500):
        feeder.call(True, frame(9, 0, 1, bytes(16384)))
        assert feeder.engine.held < 1 << 20
    feeder.call(True, frame(9, 4, 1))
    for stream in range(3, 12_003, 2):
        feeder.call(True, frame(1, 5, stream, b"\x82\x84\x86"))
    assert feeder.engine.held < 8 << 20
    found = feeder.finish()
    assert len(found) == 6001
    assert found[0].errors[0] == "a header block is torn or too long"
    assert found[0].errors[1] == "too many streams were open before the end of the request"


def test_a_malformed_frame_does_not_end_the_connection() -> None:
    talk = [*START, (True, frame(1, 5, 1, b"\x82\x84\x86")), (False, b"\xff" * 40), (False, frame(1, 4, 1, b"\x88") + frame(0, 1, 1, b"late"))]
    [exchange] = observe(talk)
    assert (exchange.status, exchange.response_body) == (200, b"late")
    assert exchange.errors == ["a frame is malformed on the connection: parts of this may be missing"]


def test_http_1_is_not_taken_for_it() -> None:
    assert observe([(False, OK)])[0].protocol == "http/1.1"
