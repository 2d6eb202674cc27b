"""Large bodies, slow ones, many at once, and WebSockets, over TLS."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest

from tests.kernel.lab import Lab
from tests.kernel.web import programs
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.clients import CLIENTS, library_of, trusting
from tests.kernel.web.compare import MAX_BODY, all_in_clear, same
from tests.kernel.web.plans import many, plan
from tests.kernel.web.routes import events
from tests.kernel.web.server import Server
from tracer.stream.lanes import bulk_bytes

LARGE = 10 << 20
# One request over HTTP/2, as bytes: a client that reads as many at a time as it is told.
_IN_PIECES = """
import socket, ssl, struct, sys
import hpack
port, authority, target, size = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
def frame(kind, flags, stream, payload): return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
context = ssl.create_default_context(cafile=authority)
context.set_alpn_protocols(["h2"])
sock = context.wrap_socket(socket.create_connection(("localhost", port)), server_hostname="localhost")
names = [(":method", "GET"), (":scheme", "https"), (":authority", f"localhost:{port}"), (":path", target)]
sock.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, 0, 0, struct.pack(">HI", 4, 2**31 - 1))
             + frame(8, 0, 0, struct.pack(">I", 2**31 - 70000)) + frame(1, 5, 1, hpack.Encoder().encode(names)))
ended, held, wanted = False, b"", 9
while not ended:
    held += sock.recv(min(size, wanted - len(held)))
    if len(held) == 9 and wanted == 9:
        wanted = 9 + int.from_bytes(held[:3], "big")
    if len(held) == wanted:
        ended = held[3] in (0, 1) and held[4] & 1 and held[8] == 1
        held, wanted = b"", 9
sock.close()
"""
MIXED = [("GET", f"/bytes/{LARGE}"), ("POST", "/echo", LARGE), ("GET", f"/gzip/{LARGE}"), ("GET", "/bytes/31")]


@pytest.mark.parametrize(("client", "limit"), [
    ("curl", MAX_BODY), ("curl", 16 << 20), ("curl", 1009), ("curl", 0), ("curl-http2-parallel", MAX_BODY), ("curl-http2-parallel", 16 << 20),
    ("go-parallel", MAX_BODY), ("bun-fetch-parallel", 16 << 20)])
def test_bodies_of_ten_megabytes(lab: Lab, web: Server, trust: Certificate, client: str, limit: int) -> None:
    """They are kept up to the limit, and counted as read in clear whether they are kept or not."""
    words = CLIENTS[client].words(lab.folder, plan(web.url, MIXED), str(trust.authority))
    # They come within half a second: what is busy elsewhere then is given room to wait.
    options = ("--ring-mb", "64") if limit == MAX_BODY else ("--max-body", str(limit))
    session = lab.trace(words, *options, **trusting(trust)).whole()
    library = CLIENTS[client].library or library_of("curl")
    same(session, web, library=library, limit=limit)
    all_in_clear(session, library)
    plaintext = session.stats["tls"]["plaintext"]
    assert plaintext["bytes"] > 3 * LARGE
    if limit <= MAX_BODY:  # the rest of the large bodies never left the kernel, whatever the protocol
        assert plaintext["kept"] < 5 * bulk_bytes(limit)


@pytest.mark.parametrize("client", ["curl", "httpx-http2", "node-fetch", "bun-fetch", "go"])
def test_events_have_the_times_at_which_they_came(lab: Lab, web: Server, trust: Certificate, client: str) -> None:
    told = CLIENTS[client]
    session = lab.trace(told.words(lab.folder, plan(web.url, [("GET", "/sse/23")]), str(trust.authority)), **trusting(trust)).whole()
    (ours,) = same(session, web, library=told.library or library_of("curl")).values()
    (logged,) = web.log
    starts = {len(b"".join(events(count))) for count in range(23)}
    written = dict(reversed(logged.marks))  # the end of the chunks is no event, and has the last one's place or none
    assert {offset for offset, _ in ours.response_marks} <= starts  # each was written by itself, 3 ms after the one before
    assert len(ours.response_marks) > 2  # a client on a busy machine may read some of them together
    assert all(at_ns >= written[offset] for offset, at_ns in ours.response_marks)
    assert all(after > before for (_, before), (_, after) in pairwise(ours.response_marks))


@pytest.mark.slow
@pytest.mark.parametrize("client", ["python-threads", "python-asyncio", "go-parallel"])
def test_five_hundred_at_once(lab: Lab, web: Server, trust: Certificate, client: str) -> None:
    """On as many connections, all open before any is used."""
    told = CLIENTS[client]
    session = lab.trace(told.words(lab.folder, plan(web.url, many(500)), str(trust.authority)), **trusting(trust)).whole()
    assert len(same(session, web, library=told.library)) == 500
    all_in_clear(session, told.library)


@pytest.mark.parametrize("client", ["httpx-http2-parallel", "node-http2", "go-http2-parallel"])
def test_hundreds_of_streams_on_one_connection(lab: Lab, web: Server, trust: Certificate, client: str) -> None:
    told = CLIENTS[client]
    session = lab.trace(told.words(lab.folder, plan(web.url, many(251)), str(trust.authority)), **trusting(trust)).whole()
    assert len(same(session, web, library=told.library)) == 251
    assert len(all_in_clear(session, told.library)) == 1


def test_frames_of_http2_that_come_in_the_smallest_pieces(lab: Lab, web: Server, trust: Certificate) -> None:
    """Their heads are cut at every place, and the kernel follows them all the same: behind the limit it keeps heads alone."""
    length, limit = 300_007, 1009
    words = [sys.executable, "-c", _IN_PIECES, str(web.port), str(trust.authority), f"/bytes/{length}", "8"]
    session = lab.trace(words, "--max-body", str(limit), "--ring-mb", "64").whole()
    (ours,) = same(session, web, library="openssl", limit=limit).values()
    assert ours.response_bytes == length
    plaintext = session.stats["tls"]["plaintext"]
    assert plaintext["bytes"] > length
    assert bulk_bytes(limit) <= plaintext["kept"] < bulk_bytes(limit) + 20_000  # a frame of 16 kB may begin right before the limit


@pytest.mark.parametrize("program", ["node", "bun"])
def test_a_websocket(lab: Lab, web: Server, trust: Certificate, program: str) -> None:
    """Compressed messages, text and binary, both ways: the server sends back what it gets."""
    sizes = [7, 131, -1009, 70_001, 0, -200_003]
    url = f"wss://localhost:{web.port}/socket?a=b"
    words = [str({"node": programs.node, "bun": programs.bun}[program]()), str(programs.TARGETS / "socket.mjs"), url, *map(str, sizes)]
    session = lab.trace(words, **trusting(trust)).whole()
    library = {"node": "openssl", "bun": "boringssl"}[program]
    (ours,) = same(session, web, library=library).values()
    assert [message.length for message in ours.messages if message.sent and message.kind != "close"] == [abs(size) for size in sizes]
    assert [message.kind for message in ours.messages if message.kind not in ("text", "binary")] == ["close", "close"]
    all_in_clear(session, library)
