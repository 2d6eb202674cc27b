"""Whatever comes, in whatever pieces: nothing fails, memory and work stay in proportion, and pieces make no difference."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from dataclasses import asdict
from types import FrameType

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.http_talks import DEFLATED, GET, OK, SWITCHED, UPGRADE, Feeder, Peers, Talk, chunked, frame, observe, response, socket_frame
from tracer.http.engine import Engine
from tracer.http.segment import Segment
from tracer.http.sniff import PREFACE

TEXT = b"".join(b"some text, %d\n" % number for number in range(300))
PACKER = zlib.compressobj(wbits=-15)
PACKED = [(PACKER.compress(text) + PACKER.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in (b"one message", b"one message", TEXT)]


def spoken() -> Talk:
    peers = Peers()
    for stream in (1, 3, 5):
        peers.ask(stream, f"/{stream}", b"body" * stream, "POST", **{"x-own": str(stream)})
    for stream in (5, 1, 3):
        peers.answer(stream, TEXT[:stream * 500], b"end", **{"content-type": "application/json"})
    return peers.talk


TALKS: dict[str, Talk] = {
    "plain": [(True, GET), (False, OK), (True, GET * 3), (False, OK + chunked(b"a", b"bc" * 50, trailers=b"X: y\r\n") + OK)],
    "encoded": [part for pack, name in ((gzip.compress, "gzip"), (zlib.compress, "deflate"), (brotli.compress, "br"), (zstandard.compress, "zstd"))
                for part in ((True, GET), (False, response(pack(TEXT), f"Content-Encoding: {name}")))],
    "posts": [(True, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: u\r\n\r\n"),
              (False, b"HTTP/1.1 100 Continue\r\n\r\n" + OK), (True, b"HEAD / HTTP/1.1\r\n\r\n"),
              (False, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), (True, GET), (False, b"HTTP/1.0 200 OK\r\n\r\n" + TEXT)],
    "joined": [(False, b'{"rest": 1}' + OK), (True, b"more rest" + GET), (False, OK), (True, GET), (False, chunked(b"x"))],
    "tunnel": [(True, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n"), (True, GET), (False, OK)],
    "socket": [(True, UPGRADE), (False, DEFLATED + socket_frame(1, PACKED[0], packed=True)),
               (True, socket_frame(1, b"hi", mask=b"1234", final=False)),
               (True, socket_frame(9, b"p", mask=b"1234") + socket_frame(0, b"ho", mask=b"4321")), (False, socket_frame(1, PACKED[1], packed=True)),
               (False, socket_frame(2, PACKED[2], packed=True) + socket_frame(8, b"\3\xe8")), (True, socket_frame(8, b"\3\xe8", mask=b"abcd"))],
    "http/2": spoken(),
    "http/2 joined": spoken()[4:],
    "nothing": [(True, b"\x16\3\1\2\0\1\0\1\xfc" + bytes(200)), (False, b"220 smtp\r\n"), (True, b"EHLO x\r\n")],
}
INSERTED = (GET, OK, PREFACE, frame(4, 0, 0), SWITCHED, b"\r\n\r\n", b"HTTP/1.1 ", b"ffffffff\r\n", b"Content-Length: 99999999999\r\n")


@pytest.mark.parametrize("name", TALKS)
def test_every_byte_for_itself_makes_the_same_exchanges(name: str) -> None:
    talk = TALKS[name]
    assert observe(talk, cuts=lambda call: range(1 << 16)) == observe(talk)


@given(st.sampled_from(sorted(TALKS)), st.lists(st.sets(st.integers(1, 3000), max_size=12), max_size=12))
@settings(max_examples=150, deadline=None)
def test_pieces_make_no_difference(name: str, cuts: list[set[int]]) -> None:
    talk = TALKS[name]
    assert observe(talk, cuts=lambda call: cuts[call] if call < len(cuts) else ()) == observe(talk)


def mutated(data: bytes, chance: random.Random) -> bytes:
    work = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(work) + 1)
        what = chance.randrange(6)
        if what == 0:
            work[at:at + 1] = bytes([chance.choice((0, 0x0A, 0x0D, 0x20, 0x30, 0x3A, 0x80, 0xFF, chance.randrange(256)))])
        elif what == 1:
            del work[at:at + chance.randint(1, 40)]
        elif what == 2:
            work[at:at] = chance.randbytes(chance.randint(1, 20))
        elif what == 3:
            work[at:at] = work[chance.randrange(len(work) + 1):][:chance.randint(1, 500)]
        elif what == 4:
            work[at:at] = chance.choice(INSERTED)
        elif work:
            at = chance.randrange(len(work))
            work[at] ^= 1 << chance.randrange(8)
    return bytes(work)


@pytest.mark.parametrize("name", TALKS)
def test_thousands_of_mutations(name: str) -> None:
    chance = random.Random(11)
    for _ in range(300):
        feeder = Feeder(chance.choice((0, 100, 262144)))
        for sent, data in TALKS[name]:
            said = mutated(data, chance) if chance.random() < 0.6 else data
            cuts = [chance.randrange(len(said) + 1) for _ in range(chance.randrange(4))]
            kept = chance.choice((len(said), len(said), len(said), chance.randrange(len(said) + 1)))
            feeder.call(sent if chance.random() < 0.97 else not sent, said[:kept], len(said) - kept, cuts)
            if chance.random() < 0.05:
                feeder.lose(sent, chance.choice((1, 100, 1 << 20, 1 << 40, -5)))
            assert feeder.engine.held < 4 << 20
        for exchange in feeder.close() if chance.random() < 0.5 else feeder.finish():
            assert len(exchange.errors) <= 20
            assert exchange.protocol in ("http/1.0", "http/1.1", "h2", "websocket")
            assert len(exchange.request_body) <= 8 * 262144
            str(asdict(exchange)).encode()
        assert feeder.engine.held == 0


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=300), st.integers(0, 1 << 62), st.integers(0, 1 << 62)), max_size=30))
@settings(deadline=None)
def test_random_bytes_at_random_positions(segments: list[tuple[bool, bytes, int, int]]) -> None:
    engine = Engine()
    for at, (sent, data, position, more) in enumerate(segments):
        engine.feed(Segment(1, at, sent, position, data, len(data) + more, 1, 1))
    engine.finish()
    assert engine.faults == 0


@pytest.mark.parametrize("data", [
    GET * 60, OK * 60, b"\r\n" * 1000, b"GET " * 600, b"GET /" + b"x" * 2400, b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 500, bytes(8000), b"A" * 2400,
    PREFACE + frame(4, 0, 0) * 250, PREFACE + frame(1, 5, 1, b"\xbe" * 2400), PREFACE + b"".join(frame(1, 5, 2 * n + 1, b"\x82") for n in range(220)),
    b"\0\0\4\3" * 600, UPGRADE + SWITCHED, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 400,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbad\r\n" + b"HTTP/1." * 330, b"CONNECT a:1 HTTP/1.1\r\n\r\n" * 100,
], ids=lambda data: repr(bytes(data[:24])))
@pytest.mark.parametrize("step", [1, 4000])
def test_work_is_in_proportion(data: bytes, step: int) -> None:
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    feeder, other = Feeder(), Feeder()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        feeder.call(True, data, cuts=range(0, len(data), step))
        other.call(True, GET)
        other.call(False, data, cuts=range(0, len(data), step))
    finally:
        sys.setprofile(before)
    assert calls < 100 * len(data)
    feeder.finish()
    other.finish()
