"""Bodies: encodings, limits, bombs, times of arrival, and the memory of all together."""

from __future__ import annotations

import gzip
import random
import zlib

import brotli
import pytest
import zstandard

from tests.unit.http_talks import GET, Feeder, chunked, observe, response
from tracer.http.bodies import Body
from tracer.http.budget import Budget
from tracer.session.exchanges import Exchange

TEXT = b"".join(b"line %d of a text that is packed, %d\n" % (number, number * number) for number in range(601))


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}


def answered(answer: bytes, max_body: int = 262144, step: int = 1 << 30) -> Exchange:
    [exchange] = observe([(True, GET), (False, answer)], max_body, lambda call: range(0, len(answer), step))
    return exchange


@pytest.mark.parametrize("step", [1, 97, 1 << 30])
@pytest.mark.parametrize("encoding", [*PACK, "identity", "GZip, identity", "gzip, br", "deflate,zstd,gzip"])
def test_encodings(encoding: str, step: int) -> None:
    packed = TEXT
    for name in encoding.lower().replace(" ", "").split(","):
        packed = PACK.get(name, bytes)(packed)
    exchange = answered(response(packed, f"Content-Encoding: {encoding}"), step=step)
    assert exchange.response_body == TEXT
    assert (exchange.response_bytes, exchange.response_length, exchange.response_cut, exchange.errors) == (len(packed), len(TEXT), False, [])


def test_both_kinds_of_deflate_and_several_members() -> None:
    assert answered(response(bare(TEXT), "Content-Encoding: deflate")).response_body == TEXT
    assert answered(response(gzip.compress(b"one") + gzip.compress(b"two"), "Content-Encoding: gzip")).response_body == b"onetwo"
    assert answered(response(zstandard.compress(b"one") + zstandard.compress(b"two"), "Content-Encoding: zstd")).response_body == b"onetwo"
    assert answered(response(gzip.compress(b"one") + bytes(512), "Content-Encoding: gzip")).errors == []


def test_transfer_encodings_are_undone_too() -> None:
    answer = chunked(gzip.compress(TEXT), headers="").replace(b"chunked", b"gzip, chunked", 1)
    assert answered(answer).response_body == TEXT


def test_a_body_is_kept_up_to_its_limit() -> None:
    exchange = answered(response(b"x" * 1000), 300)
    assert (exchange.response_body, exchange.response_length, exchange.response_bytes, exchange.response_cut) == (b"x" * 300, 1000, 1000, True)
    assert answered(response(b"x" * 300), 300).response_cut is False
    for kind in ("application/json", "text/event-stream; charset=utf-8", "application/x-ndjson", "application/problem+json"):
        assert len(answered(response(b"x" * 5000, f"Content-Type: {kind}"), 300).response_body) == 2400
    nothing = answered(response(b"x" * 1000), 0)
    assert (nothing.response_body, nothing.response_length, nothing.response_cut, nothing.errors) == (b"", 1000, True, [])
    packed = answered(response(gzip.compress(TEXT), "Content-Encoding: gzip"), 300)
    assert (packed.response_body, packed.response_length, packed.response_cut, packed.errors) == (TEXT[:300], None, True, [])


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("layers", [1, 2])
def test_bombs_stop_at_the_limit(encoding: str, layers: int) -> None:
    packed = bytes(20 << 20)
    for _ in range(layers):
        packed = PACK[encoding](packed) if encoding != "br" else brotli.compress(packed, quality=1)
    exchange = answered(response(packed, f"Content-Encoding: {', '.join([encoding] * layers)}", "Content-Type: application/json"))
    assert exchange.response_body == bytes(len(exchange.response_body))
    assert 262144 <= len(exchange.response_body) <= 8 * 262144
    assert (exchange.response_length, exchange.response_cut) == (None, True)
    assert exchange.errors == ["the response body: compressed more than 100 times: it is not read to its end"]


def test_a_bomb_of_nothing_stops_too() -> None:
    packed = gzip.compress(gzip.compress(b"") * 2_000_000)  # forty megabytes that unpack to no byte
    exchange = answered(response(packed, "Content-Encoding: gzip, gzip"))
    assert (exchange.response_body, exchange.response_length, exchange.response_cut) == (b"", None, True)
    assert exchange.errors == ["the response body: compressed more than 100 times: it is not read to its end"]


@pytest.mark.parametrize("step", [1, 7, 1 << 30])
def test_lies_about_the_encoding(step: int) -> None:
    plain = answered(response(b"no gzip at all", "Content-Encoding: gzip"), step=step)
    assert (plain.response_body, plain.response_length) == (b"no gzip at all", 14)
    assert plain.errors == ["the response body: cannot be decompressed (gzip), kept as it is"]
    unknown = answered(response(b"abc", "Content-Encoding: rot13"), step=step)
    assert (unknown.response_body, unknown.errors) == (b"abc", ["the response body: its content encoding is not known: rot13"])
    early = answered(response(gzip.compress(TEXT)[:-20], "Content-Encoding: gzip"), step=step)
    assert early.response_body == TEXT[:len(early.response_body)] != b""
    assert (early.response_length, early.response_cut) == (None, True)
    assert early.errors == ["the response body: what is compressed ends early (gzip)"]
    torn = bytearray(gzip.compress(random.Random(7).randbytes(9000)))
    torn[5000:5100] = bytes(100)
    spoilt = answered(response(bytes(torn) + b"x", "Content-Encoding: gzip"), step=step)
    assert spoilt.errors == ["the response body: cannot be decompressed (gzip)"]


def test_marks_say_when_what_arrived() -> None:
    feeder = Feeder()
    feeder.call(True, GET)
    feeder.call(False, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    packer = zlib.compressobj(wbits=31)
    for number in range(1, 4):
        data = packer.compress(b"data: %d\n\n" % number) + packer.flush(zlib.Z_SYNC_FLUSH)
        feeder.call(False, b"%x\r\n%s\r\n" % (len(data), data))
    end = packer.flush()
    feeder.call(False, b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))
    [exchange] = feeder.close()
    assert exchange.response_body == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
    assert exchange.response_marks == [(0, 1002), (9, 1003), (18, 1004)]
    assert (exchange.first_byte_ns, exchange.ended_ns, exchange.response_length) == (1001, 1005, 27)


def test_marks_are_bounded() -> None:
    body = Body("", "text/event-stream", 262144, Budget(64 << 20))
    for number in range(70_000):
        body.add(b"x", number)
    assert len(body.marks) == 65536
    assert body.marks[-1] == (65535, 65535)
    assert len(body.finish(True)) == 70_000


def test_all_bodies_together_have_a_limit() -> None:
    feeder = Feeder()
    others = [Feeder(connection=number) for number in range(2, 502)]
    for other in others:
        other.engine = feeder.engine
    piece = b"y" * 65536
    for other in others:
        other.call(True, GET)
        other.call(False, b"HTTP/1.1 200 OK\r\nContent-Type: text/json\r\nContent-Length: 10485760\r\n\r\n")
    for _ in range(160):
        for other in others:
            other.call(False, piece)
            assert feeder.engine.held <= 68 << 20
    found = [exchange for other in others for exchange in other.done]
    assert len(found) == 500
    assert {exchange.response_length for exchange in found} == {10 << 20}
    assert all(exchange.response_cut for exchange in found)
    assert "the response body: cut, because too much was under way at once" in found[0].errors
    assert min(len(exchange.response_body) for exchange in found) > 8000
    assert feeder.engine.held == 0


def test_connections_have_a_limit() -> None:
    engine = Feeder().engine
    done = 0
    for number in range(5000):
        feeder = Feeder(connection=number)
        feeder.engine = engine
        feeder.call(True, GET)
        done += len(feeder.done)
    assert done == 5000 - 4096
    assert len(engine.finish()) == 4096
    assert engine.held == 0
