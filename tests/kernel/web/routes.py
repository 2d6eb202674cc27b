"""What the servers of the tests answer to which target. All of it follows from the request: nothing is random.

    /bytes/N            N bytes
    /chunked/N          the same in chunks of odd sizes
    /until-close/N      the same without a length, up to the end of the connection
    /CODING/N           the same compressed, CODING being gzip, deflate, br or zstd; with ?chunked in chunks
    /slow/MS            8 bytes after MS milliseconds
    /sse/N              N events, 3 ms apart
    /status/N           an empty response of this status
    /echo               the body of the request
    /v1/...             a language model (llm.py)
"""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from urllib.parse import urlsplit

import brotli
import zstandard

from tests.kernel.web import llm
from tests.kernel.web.log import Headers, Reply

__all__ = ("CODINGS", "events", "payload", "reply_to")

CODINGS = {"gzip": lambda data: gzip.compress(data, 1), "deflate": zlib.compress, "br": lambda data: brotli.compress(data, quality=1),
           "zstd": zstandard.ZstdCompressor().compress}
_PRIMES = (1, 7, 131, 1009, 8191, 16411)


@cache
def payload(size: int) -> bytes:
    """Bytes of which no two pieces are alike: lines that bear their number."""
    lines = b"".join(b"%07d:%s\n" % (number, b"abcdefghijklmnopqrstuvwxyz"[number % 23:]) for number in range(size // 11 + 1))
    return lines[:size]


def events(count: int) -> list[bytes]:
    return [b"id: %d\nevent: tick\ndata: {\"n\": %d}\ndata: more\n\n" % (number, number) for number in range(count)]


def pieces(data: bytes) -> list[bytes]:
    """In pieces of sizes that fit nothing."""
    found, at, turn = [], 0, 0
    while at < len(data):
        size = _PRIMES[turn % len(_PRIMES)]
        found.append(data[at:at + size])
        at, turn = at + size, turn + 1
    return found


def reply_to(method: str, target: str, headers: Headers, body: bytes) -> Reply:
    """The answer to one request."""
    split = urlsplit(target)
    kind, _, argument = split.path.lstrip("/").partition("/")
    chunked = "chunked" if split.query.startswith("chunked") else "length"
    if kind in ("v1", "v1beta"):
        return llm.reply_to(method, argument, headers, body)
    if kind == "echo":
        return Reply(body, headers=[("Content-Type", "application/octet-stream")])
    if kind == "sse":
        told = events(int(argument))
        return Reply(b"".join(told), headers=[("Content-Type", "text/event-stream")], pieces=told, pause=0.003, framing="chunked")
    if kind == "status":
        return Reply(status=int(argument))
    if kind == "slow":
        return Reply(payload(8), first=int(argument) / 1000)
    if kind in ("bytes", "chunked", "until-close"):
        data = payload(int(argument))
        return Reply(data, headers=[("Content-Type", "text/plain")], pieces=None if kind == "bytes" else pieces(data),
                     framing={"chunked": "chunked", "until-close": "close"}.get(kind, "length"))
    if kind in CODINGS:
        data = payload(int(argument))
        coded = CODINGS[kind](data)
        return Reply(data, headers=[("Content-Type", "text/plain"), ("Content-Encoding", kind)],
                     pieces=pieces(coded) if chunked == "chunked" else [coded], framing=chunked)
    return Reply(b"not here\n", status=404)
