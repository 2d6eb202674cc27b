"""Lost bytes, and connections that were there before the tracer was."""

from __future__ import annotations

import gzip

import pytest

from tests.unit.http_talks import GET, OK, Feeder, Peers, chunked, frame, observe, response
from tracer.http.sniff import PREFACE
from tracer.session.exchanges import Exchange

UNSEEN = "joined in the middle, or bytes were lost: the request was not seen"


def test_a_gap_of_a_hundred_megabytes_costs_nothing() -> None:
    feeder = Feeder()
    for _ in range(3):
        feeder.call(True, GET)
        feeder.call(False, b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n" + b"x" * 1000, missing=104857600 - 1000 - 10)
        feeder.call(False, b"y" * 10)
    found = feeder.close()
    assert [(one.response_body, one.response_bytes, one.response_length, one.response_cut) for one in found] == [
        (b"x" * 1000 + b"y" * 10, 104857600, 104857600, True)] * 3
    assert [one.errors for one in found] == [["the response body: 104856590 bytes are missing at 1000"]] * 3


def test_a_gap_behind_the_limit_is_no_error() -> None:
    feeder = Feeder(max_body=1000)
    feeder.call(True, GET)
    feeder.call(False, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 1000, missing=4000)
    [exchange] = feeder.close()
    assert (exchange.response_length, exchange.response_cut, exchange.errors) == (5000, True, [])


def test_a_gap_within_a_chunk_and_at_its_end() -> None:
    whole = chunked(b"a" * 5000, b"b" * 10)
    for begin, size in ((100, 1000), (100, whole.index(b"aa\r\n") + 2 - 100)):
        feeder = Feeder()
        feeder.call(True, GET)
        feeder.call(False, whole[:begin], missing=size)
        feeder.call(False, whole[begin + size:])
        [exchange] = feeder.close()
        assert exchange.response_body == b"a" * (5000 - size) + b"b" * 10
        assert exchange.errors == [f"the response body: {size} bytes are missing at {begin - whole.index(b'aaa')}"]


def test_a_lost_chunk_boundary_loses_no_other_message() -> None:
    whole = chunked(b"a" * 500, b"b" * 500)
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.call(False, whole[:300])
    feeder.lose(False, 400)
    feeder.call(False, whole[700:])
    feeder.call(True, GET)
    feeder.call(False, OK)
    first, second = feeder.close()
    assert first.response_body == b"a" * (300 - whole.index(b"aaa"))
    assert first.errors[0] == "chunks of the response are missing: where the response ends is not known"
    assert (first.response_cut, first.response_length) == (True, None)
    assert (second.status, second.response_body, second.errors) == (200, b"hello", [])


def test_chunks_go_on_behind_lost_ones_where_a_call_begins_with_one() -> None:
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.call(False, chunked(b"data: 1\n\n")[:-5])
    feeder.lose(False, 700)
    feeder.call(False, b"not the size of a chunk")
    for number in (5, 6):
        feeder.call(False, b"9\r\ndata: %d\n\n\r\n" % number)
    feeder.call(False, b"0\r\n\r\n")
    [exchange] = feeder.close()
    assert exchange.response_body == b"data: 1\n\ndata: 5\n\ndata: 6\n\n"
    assert (exchange.response_cut, exchange.response_length, exchange.ended_ns) == (True, None, 1005)
    assert exchange.errors == ["the response body: 723 bytes are missing at 9"]


def test_a_lost_response_is_not_given_to_the_next_request() -> None:
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.lose(False, 5000)
    feeder.call(True, GET.replace(b"/a", b"/b"))
    feeder.call(False, OK)
    first, second = feeder.close()
    assert (first.target, first.status, first.errors) == ("/a", None, ["bytes were lost before the response"])
    assert (second.target, second.status) == ("/b", 200)
    assert second.errors == ["bytes were lost before the response: it may belong to another request"]


def test_a_torn_head_is_kept_as_far_as_it_goes() -> None:
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.call(False, b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-", missing=200)
    feeder.call(True, GET)
    feeder.call(False, OK)
    first, second = feeder.close()
    assert (first.status, first.header("server")) == (200, "x")
    assert "response: 200 bytes are missing in the head of the response" in first.errors
    assert (second.status, second.errors) == (200, [])


def test_a_compressed_body_ends_at_a_gap() -> None:
    text = b"".join(b"%d, " % (number * number) for number in range(9000))
    packed = gzip.compress(text)
    whole = response(packed, "Content-Encoding: gzip")
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.call(False, whole[:9000], missing=50)
    feeder.call(False, whole[9050:] + OK)
    first = feeder.done[0]
    assert first.response_body == text[:len(first.response_body)] != b""
    assert (first.response_bytes, first.response_length, first.response_cut) == (len(packed), None, True)


def test_bytes_that_come_again_are_read_once() -> None:
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.call(False, OK[:30])
    feeder.lose(False, -20)
    feeder.call(False, OK[10:])
    [exchange] = feeder.close()
    assert (exchange.response_body, exchange.errors) == (b"hello", [])


@pytest.mark.parametrize("tail", [b"", b"rest of a body", b"rest of a body\r\n0\r\n\r\n", b'{"a": "HTTP/1.1 200 OK"}', bytes(3000)])
@pytest.mark.parametrize("step", [1, 13, 1 << 30])
def test_joining_behind_the_request(tail: bytes, step: int) -> None:
    found = observe([(False, tail + OK), (True, GET), (False, OK)], cuts=lambda call: range(0, 4000, step))
    assert [(one.target, one.status, one.response_body, one.errors, one.side) for one in found] == [
        ("", 200, b"hello", [UNSEEN], "client"), ("/a", 200, b"hello", [], "client")]


@pytest.mark.parametrize("step", [1, 13, 1 << 30])
def test_joining_within_an_upload_and_a_response_to_head(step: int) -> None:
    found = observe([(True, b"rest of an upload"), (True, GET), (False, OK)], cuts=lambda call: range(0, 4000, step))
    assert [(one.target, one.status, one.errors) for one in found] == [("/a", 200, [])]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    found = observe([(False, head), (True, GET), (False, OK)], cuts=lambda call: range(0, 4000, step))
    assert [(one.target, one.response_length, one.errors) for one in found] == [("", 0, [UNSEEN]), ("/a", 5, [])]


def spoken() -> Peers:
    peers = Peers()
    for stream in range(1, 20, 2):
        peers.ask(stream, f"/{stream}", **{"x-same": "same", "x-own": str(stream)})
        peers.answer(stream, b"%d" % stream, **{"x-answer": "same", "content-type": "text/plain"})
    return peers


@pytest.mark.parametrize("missed", range(1, 24))
def test_joining_http_2_never_invents_headers(missed: int) -> None:
    talk = spoken().talk
    whole = {one.stream: one for one in observe(talk)}
    found = observe(talk[missed:])
    for one in found:
        known = whole[one.stream]
        for name in ("request_headers", "response_headers"):
            for pair, right in zip(getattr(one, name), getattr(known, name)):
                assert all(part in ("?", truth) for part, truth in zip(pair, right))
        assert one.method in ("", "GET")
        assert one.target in ("", "?", known.target)
        assert one.response_body == known.response_body
        assert one.status in (None, 200)
        if "?" in str(one.request_headers) or not one.target:
            assert one.errors


def h2(missing: int, where: int) -> list[Exchange]:
    feeder = Feeder()
    feeder.call(True, PREFACE + frame(4, 0, 0) + frame(1, 5, 1, b"\x82\x84\x86"))
    data = frame(4, 0, 0) + frame(1, 4, 1, b"\x88") + frame(0, 0, 1, b"a" * 1000) + frame(0, 0, 1, b"b" * 1000)
    feeder.call(False, data[:where], missing=missing)
    feeder.call(False, data[where + missing:] + frame(0, 1, 1, b"end"))
    feeder.call(True, frame(1, 5, 3, b"\x82\x84\x86"))
    feeder.call(False, frame(1, 5, 3, b"\x88"))
    return feeder.close()


def test_a_gap_within_a_frame_of_data_is_stepped_over() -> None:
    first, second = h2(500, 100)
    assert first.response_body == b"a" * 500 + b"b" * 1000 + b"end"
    assert (first.response_length, first.response_cut) == (2003, True)
    assert first.errors == ["the response body: 500 bytes are missing at 72"]
    assert (second.status, second.errors) == (200, [])


def test_a_gap_that_swallows_frame_heads_is_marked() -> None:
    first, second = h2(1500, 100)
    assert first.response_body[:72] == b"a" * 72
    assert (first.response_length, first.response_cut) == (None, True)
    assert any("bytes are missing on the connection: parts of this may be missing" in error for error in first.errors)
    assert (second.status, second.errors) == (200, [])


def test_http_2_in_the_middle_of_a_download() -> None:
    feeder = Feeder()
    feeder.call(False, b"z" * 700 + frame(0, 1, 5, b"last") + frame(0, 0, 7, b"part"))
    feeder.call(False, frame(0, 0, 7, b"more") + frame(0, 1, 7, b"."))
    feeder.call(True, frame(1, 5, 9, b"\x82\x84\x86"))
    feeder.call(False, frame(1, 5, 9, b"\x88"))
    found = {one.stream: one for one in feeder.close()}
    assert found[9].errors == []
    assert found[7].response_body in (b"more.", b"partmore.")
