"""HTTP/1.0 and 1.1 from beginning to end: exact exchanges."""

from __future__ import annotations

import http.client
import http.server
import socket
import threading

import pytest

from tests.unit.http_talks import GET, OK, Feeder, Talk, chunked, observe, response
from tracer.session.exchanges import Exchange


def only(talk: Talk) -> Exchange:
    [exchange] = observe(talk)
    return exchange


def test_a_request_and_its_response() -> None:
    feeder = Feeder()
    feeder.call(True, b"POST /v1/x?y=1 HTTP/1.1\r\nHost: a.test:8443\r\nContent-Length: 4\r\nX-Odd:  v \r\n\r\n")
    feeder.call(True, b"body")
    feeder.call(False, b"HTTP/1.1 201 Very Good\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n")
    feeder.call(False, b"ans")
    feeder.call(False, b"wer")
    [exchange] = feeder.done
    assert exchange == Exchange(
        connection=1, proc=7, tid=8, protocol="http/1.1", side="client", method="POST", authority="a.test:8443", target="/v1/x?y=1",
        status=201, reason="Very Good", request_headers=[("Host", "a.test:8443"), ("Content-Length", "4"), ("X-Odd", "v")],
        response_headers=[("Content-Type", "text/plain"), ("Content-Length", "6")], request_body=b"body", response_body=b"answer",
        request_bytes=4, response_bytes=6, request_length=4, response_length=6, request_marks=[(0, 1001)], response_marks=[(0, 1003), (3, 1004)],
        started_ns=1000, sent_ns=1001, first_byte_ns=1002, ended_ns=1004)
    assert feeder.close() == [exchange]
    assert feeder.engine.connections == 1
    assert feeder.engine.not_http == {}


def test_a_server_is_told_by_the_direction_of_the_request() -> None:
    exchange = only([(False, GET), (True, OK)])
    assert (exchange.side, exchange.method, exchange.status, exchange.response_body) == ("server", "GET", 200, b"hello")


def test_keep_alive_and_pipelining() -> None:
    asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(7))
    answered = b"".join(response(b"%d" % number) for number in range(7))
    found = observe([(True, asked), (False, answered), (True, GET), (False, OK)])
    assert [(one.target, one.response_body) for one in found] == [*((f"/{number}", b"%d" % number) for number in range(7)), ("/a", b"hello")]
    assert not any(one.errors for one in found)


def test_chunks_with_extensions_and_trailers() -> None:
    asked = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n00A ; x\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nY: 2\r\n\r\n"
    exchange = only([(True, asked), (False, chunked(b"one", b"two" * 100))])
    assert exchange.request_body == b"abc0123456789"
    assert exchange.request_trailers == [("X-Sum", "1"), ("Y", "2")]
    assert (exchange.response_body, exchange.response_length) == (b"one" + b"two" * 100, 303)
    assert exchange.errors == []


def test_responses_without_a_body() -> None:
    talk = [
        (True, b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
        (True, GET), (False, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n"),
        (True, GET), (False, b"HTTP/1.1 204 No Content\r\n\r\n"),
        (True, GET), (False, b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK),
    ]
    found = observe(talk)
    assert [(one.method, one.status, one.response_length, one.interim) for one in found] == [
        ("HEAD", 200, 0, []), ("GET", 304, 0, []), ("GET", 204, 0, []), ("GET", 200, 5, [102, 103])]
    assert not any(one.errors for one in found)


def test_a_body_until_the_connection_closes() -> None:
    exchange = only([(True, b"GET / HTTP/1.0\r\n\r\n"), (False, b"HTTP/1.0 200 OK\r\n\r\nsome "), (False, b"text")])
    assert (exchange.protocol, exchange.response_body, exchange.ended_ns, exchange.errors) == ("http/1.0", b"some text", 1003, [])


def test_absolute_targets_name_scheme_and_authority() -> None:
    exchange = only([(True, b"GET http://b.test:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n"), (False, OK)])
    assert exchange.url == "http://b.test:81/p?q"


def test_expect_continue_with_and_without_the_body() -> None:
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    found = observe([
        (True, head), (False, b"HTTP/1.1 100 Continue\r\n\r\n"), (True, b"abc"), (False, OK),
        (True, head), (False, b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), (True, GET), (False, OK)])
    assert [(one.target, one.status, one.interim, one.request_body, bool(one.errors)) for one in found] == [
        ("/up", 200, [100], b"abc", False), ("/up", 417, [], b"", True), ("/a", 200, [], b"", False)]


def test_connect_is_an_exchange_and_what_is_inside_is_found_anew() -> None:
    connect = (True, b"CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n")
    found = observe([connect, (False, b"HTTP/1.1 200 Established\r\n\r\n"), (True, GET), (False, OK)])
    assert [(one.method, one.authority, one.target, one.status, one.response_body) for one in found] == [
        ("CONNECT", "b.test:443", "", 200, b""), ("GET", "a.test", "/a", 200, b"hello")]
    refused = observe([connect, (False, b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"), (True, GET), (False, OK)])
    assert [(one.method, one.status) for one in refused] == [("CONNECT", 407), ("GET", 200)]


def test_what_follows_an_upgrade_waits_for_the_answer() -> None:
    asked = GET[:-2] + b"Connection: Upgrade\r\nUpgrade: other\r\n\r\n"
    refused = observe([(True, asked + GET), (True, GET), (False, OK), (False, OK), (False, OK)])
    assert [(one.target, one.status, one.errors) for one in refused] == [("/a", 200, [])] * 3
    feeder = Feeder()
    feeder.call(True, asked + b"\x01\x02\x03")
    feeder.call(False, b"HTTP/1.1 101 Yes\r\nUpgrade: other\r\n\r\n\x04\x05")
    assert [one.status for one in feeder.close()] == [101]
    assert feeder.engine.not_http == {1: 5}


@pytest.mark.parametrize(("head", "error", "length"), [
    (b"Content-Length: 3\r\nContent-Length: 3", None, 3),
    (b"Content-Length: 3\r\nContent-Length: 5", "response: there are several lengths", 3),
    (b"Content-Length: 9\r\nTransfer-Encoding: chunked", "response: both a length and a transfer encoding are given", 3),
    (b"Content-Length: -3", "response: the length is no number", 8),
    (b"Content-Length: 3\r\nX-Folded: one\r\n  two", None, 3),
    (b"Content-Length: 3\r\nno colon here", "response: a header has no colon: no colon here", 3),
    (b"Content-Length: 3\r\nX: a\0b", "response: there are NUL bytes in the headers", 3),
])
def test_doubtful_heads(head: bytes, error: str | None, length: int) -> None:
    body = b"3\r\nabc\r\n" if b"chunked" in head or b"-3" in head else b"abc"
    tail = b"0\r\n\r\n" if b"chunked" in head else b""
    exchange = only([(True, GET), (False, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body + tail)])
    assert exchange.errors == ([error] if error else [])
    assert exchange.response_length == length
    assert exchange.header("x-folded") == ("one two" if b"Folded" in head else "")


def test_bare_newlines_and_odd_bytes_in_headers() -> None:
    exchange = only([(True, b"GET /\xff HTTP/1.1\nHost: \xc3\xa4\nX: \xe4\n\n"), (False, b"HTTP/1.1 200\nContent-Length: 1\n\nx")])
    assert (exchange.target, exchange.request_headers, exchange.status, exchange.reason) == ("/\xff", [("Host", "ä"), ("X", "\xe4")], 200, "")


def test_endless_heads_are_cut_and_marked() -> None:
    long = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 1000) for number in range(1000))
    exchange = only([(True, b"GET /long HTTP/1.1\r\nHost: a\r\n" + long + b"\r\n" + GET[:0]), (False, OK)])
    assert exchange.errors == ["request: the head of the request is longer than 262144 bytes: the rest is not kept"]
    assert 200 < len(exchange.request_headers) < 300
    assert exchange.status == 200
    many = only([(True, b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 9000 + b"\r\n"), (False, OK)])
    assert (len(many.request_headers), many.errors) == (2000, ["request: there are more than 2000 headers"])
    feeder = Feeder()
    for _ in range(4000):
        feeder.call(True, b"GET /" + b"x" * 500 if not feeder.now > 1000 else b"x" * 1000)
        assert feeder.engine.held < 600_000
    feeder.finish()


@pytest.mark.parametrize(("talk", "closed", "ended"), [
    ([(True, GET)], "the connection was closed before the response", "the trace ended before the response"),
    ([(True, GET), (False, OK[:-2])], "the connection was closed before the end of the response", "the trace ended before the end of the response"),
    ([(True, GET), (False, b"HTTP/1.1 200 OK\r\n\r\nab")], None, "the trace ended before the end of the response"),
    ([(True, GET[:-2])], "request: the connection was closed before the end of the request's head",
     "request: the trace ended before the end of the request's head"),
])
def test_early_ends(talk: Talk, closed: str | None, ended: str) -> None:
    first, second = Feeder(), Feeder()
    for sent, data in talk:
        first.call(sent, data)
        second.call(sent, data)
    [one], [other] = first.close(), second.finish()
    assert one.errors[:1] == ([closed] if closed else [])
    assert other.errors[0] == ended
    assert other.ended_ns is None
    assert one.ended_ns == first.now


def test_other_protocols_are_counted_and_dropped() -> None:
    feeder = Feeder()
    feeder.call(False, b"220 mail.test ESMTP\r\n")
    feeder.call(True, b"EHLO a.test\r\n")
    feeder.call(False, b"250 HELP\r\n", missing=1000)
    assert feeder.close() == []
    assert feeder.engine.not_http == {1: 21 + 13 + 10 + 1000}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 1000):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body[at:at + 1000]), body[at:at + 1000]))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_real_client_and_a_real_server() -> None:
    feeder = Feeder()

    class Recorded(socket.socket):
        def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
            feeder.call(True, bytes(data))
            super().sendall(data, flags)

        def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
            size = super().recv_into(buffer, nbytes, flags)
            feeder.call(False, bytes(memoryview(buffer)[:size]))
            return size

    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Recorded() as sock:
            sock.connect(server.server_address)
            client = http.client.HTTPConnection("a.test")
            client.sock = sock
            bodies = [bytes([number]) * 2311 * number for number in range(1, 6)]
            for body in bodies:
                client.request("POST", f"/{len(body)}", body)
                assert client.getresponse().read() == body
        server.shutdown()
        thread.join()
    found = feeder.close()
    assert [(one.target, one.request_body, one.response_body, one.errors) for one in found] == [(f"/{len(body)}", body, body, []) for body in bodies]
