"""Undoes content encodings piece by piece, so that a bomb costs no more than the piece at which it is given up."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

__all__ = ("FAILURES", "Decoder", "decoders")

FAILURES = (zlib.error, brotli.error, zstandard.ZstdError, MemoryError, ValueError)
_PIECE = 64 << 10  # bytes of output at a time
_INPUT = 16 << 10  # bytes of input at a time: what is left of one is copied for each member in it
_ZSTD_INPUT = 256  # zstandard's object has no limit for its output: four bytes may become 128 kB
_ZSTD_WINDOW = 8 << 20  # what every decoder has to support by RFC 8878, and browsers do not go beyond
_MEMBERS = 1000  # gzip members and zstd frames one after the other
_STACK = 5


class Decoder(Protocol):
    """One encoding of one body."""

    cost: int  # bytes of memory before it puts anything out, about

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What ``data``, the next of the encoded body, unpacks to."""
        ...

    def whole(self) -> bool:
        """Whether the encoded body may end here."""
        ...


class _Gzip:
    cost = 64 << 10

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)
        self._members = 0  # that have ended
        self._fresh = True

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _INPUT):
            yield from self._pieces(data[at:at + _INPUT])

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        full = False  # the last piece was cut at its limit: there may be more, though all input is consumed
        while data or full:
            if self._fresh and self._members and (data[0] != 0x1F or self._members > _MEMBERS):
                return  # padding behind the last member, which everyone ignores
            self._fresh = False
            out = self._member.decompress(data, _PIECE)
            full = len(out) == _PIECE
            if out:
                yield out
            if self._member.eof:
                data, full = self._member.unused_data, False
                self._members += 1
                self._member, self._fresh = zlib.decompressobj(31), True
            else:
                data = self._member.unconsumed_tail

    def whole(self) -> bool:
        return self._fresh


class _Deflate:
    """Both of what is called so: zlib's format, as the standard has it, and bare deflate, as some servers send."""

    cost = 64 << 10

    def __init__(self) -> None:
        self._inner: zlib._Decompress | None = None
        self._first = b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._inner is None:
            data = self._first + data
            if len(data) < 2:
                self._first = data
                return
            wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._inner = zlib.decompressobj(15 if wrapped else -15)
        for at in range(0, len(data), _INPUT):
            piece, full = data[at:at + _INPUT], False
            while (piece or full) and not self._inner.eof:
                out = self._inner.decompress(piece, _PIECE)
                full = len(out) == _PIECE
                if out:
                    yield out
                piece = self._inner.unconsumed_tail

    def whole(self) -> bool:
        return (self._inner is None and not self._first) or (self._inner is not None and self._inner.eof)


class _Brotli:
    cost = 128 << 10

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._inner.is_finished():
            return
        out = self._inner.process(data, output_buffer_limit=_PIECE)
        while True:
            if out:
                yield out
            # All input may be consumed, and there is more output nevertheless: only a piece below the limit says that there is not.
            if self._inner.is_finished() or (self._inner.can_accept_more_data() and len(out) < _PIECE):
                return
            out = self._inner.process(b"", output_buffer_limit=_PIECE)

    def whole(self) -> bool:
        return bool(self._inner.is_finished())


class _Zstd:
    cost = 128 << 10

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._context.decompressobj()
        self._frames = 0
        self._fresh = True

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _ZSTD_INPUT):
            piece = data[at:at + _ZSTD_INPUT]
            while piece and self._frames <= _MEMBERS:
                self._fresh = False
                out = self._frame.decompress(piece)
                if out:
                    yield out
                if not self._frame.eof:
                    break
                piece = self._frame.unused_data
                self._frames += 1
                self._frame, self._fresh = self._context.decompressobj(), True

    def whole(self) -> bool:
        return self._fresh


_KNOWN: dict[str, type[_Gzip | _Deflate | _Brotli | _Zstd]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate, "br": _Brotli, "zstd": _Zstd}


def decoders(encoding: str) -> tuple[list[Decoder], str]:
    """Decoders for a Content-Encoding in the order in which they are to be used, and the name of an encoding that is not known."""
    names = [name for name in (part.strip().lower() for part in encoding.split(",")) if name and name != "identity"]
    unknown = next((name for name in names if name not in _KNOWN), "")
    if unknown or len(names) > _STACK:
        return [], unknown[:40] or "more than five encodings"
    return [_KNOWN[name]() for name in reversed(names)], ""
