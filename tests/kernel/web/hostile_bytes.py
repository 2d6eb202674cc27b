"""The bytes of bad answers: what is small on the wire and large behind it, and frames that nobody should send."""

from __future__ import annotations

import struct
import zlib

import brotli
import hpack
import zstandard

__all__ = ("BOMB_BYTES", "asking", "bomb", "continuations", "frame", "hpack_bomb", "settings", "socket_frames")

BOMB_BYTES = 128 << 20  # behind some kB
_PIECE = bytes(1 << 20)


def asking(name: str, protocol: str) -> str:
    """The request for a case, as text of bytes."""
    if protocol == "h2":
        fields = [(":method", "GET"), (":path", f"/?case={name}"), (":scheme", "https"), (":authority", "localhost")]
        encoder = hpack.Encoder()  # "case=NAME" has to stand in the bytes: no Huffman code
        head = frame(1, 5, 1, encoder.encode(fields, huffman=False))
        return (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings() + head).decode("latin-1")
    lines = [f"GET /?case={name} HTTP/1.1", "Host: localhost"]
    if protocol == "websocket":
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                  "Sec-WebSocket-Extensions: permessage-deflate"]
    return "\r\n".join([*lines, "", ""])


def bomb(coding: str, head: bytes) -> tuple[bytes, ...]:
    """A whole response whose body is ``BOMB_BYTES`` of zeros when it is decompressed."""
    turns = BOMB_BYTES // len(_PIECE)
    if coding == "gzip":
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = b"".join(packer.compress(_PIECE) for _ in range(turns)) + packer.flush()
    elif coding == "br":
        squeezer = brotli.Compressor(quality=2)
        body = b"".join(squeezer.process(_PIECE) for _ in range(turns)) + squeezer.finish()
    else:
        frames = zstandard.ZstdCompressor(level=1).compressobj()
        body = b"".join(frames.compress(_PIECE) for _ in range(turns)) + frames.flush()
    return (head + f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def settings() -> bytes:
    return frame(4, 0, 0, b"")


def hpack_bomb() -> bytes:
    """Headers that put one value of 4 kB into the table, and name it 16,000 times more: 64 MB out of 20 kB."""
    name, value = b"x", b"v" * 4000
    entry = b"\x40" + bytes((len(name),)) + name + b"\x7f" + _integer(len(value) - 127) + value
    block = b"\x88" + entry + b"\xbe" * 16_000  # 62, the newest entry of the table
    parts = [block[at:at + 16_000] for at in range(0, len(block), 16_000)]
    return b"".join(frame(9 if turn else 1, 4 if turn == len(parts) - 1 else 0, 1, part) for turn, part in enumerate(parts))


def continuations() -> tuple[bytes, bytes]:
    """The start of headers, and more of them that never end."""
    literal = b"\x00\x01x" + b"\x7f" + _integer(8000 - 127) + b"v" * 8000
    return frame(1, 0, 1, b"\x88"), frame(9, 0, 1, literal * 2)


def socket_frames(*kinds: str) -> bytes | tuple[bytes, ...]:
    """Frames of a WebSocket: a compressed message of ``BOMB_BYTES``, fragments that never end, an opcode that does not exist."""
    made = {"start": _socket(0x01, b"s" * 65_000), "more": _socket(0x00, b"m" * 65_000) * 10, "odd": _socket(0x8B, b"what is this")}
    if kinds == ("bomb",):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = b"".join(packer.compress(_PIECE) for _ in range(BOMB_BYTES // len(_PIECE))) + packer.flush(zlib.Z_SYNC_FLUSH)
        return _socket(0xC2, data[:-4])
    return made[kinds[0]] if len(kinds) == 1 else tuple(made[kind] for kind in kinds)


def _socket(first: int, data: bytes) -> bytes:
    size = struct.pack(">BQ", 127, len(data)) if len(data) > 65_535 else struct.pack(">BH", 126, len(data))
    return bytes((first,)) + size + data


def _integer(value: int) -> bytes:
    """The rest of an integer of HPACK, when its first byte is full."""
    out = b""
    while value >= 128:
        out += bytes((value % 128 | 128,))
        value //= 128
    return out + bytes((value,))
