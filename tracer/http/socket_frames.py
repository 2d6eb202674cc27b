"""The heads of WebSocket frames, RFC 6455, 5.2."""

from __future__ import annotations

__all__ = ("KINDS", "head_size", "payload_length", "plausible", "valid")

KINDS = {0: "", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
"""What a message is by the opcode of its first frame; 0 continues one."""


def head_size(head: bytes | bytearray) -> int:
    """How long the head is of which this is the beginning, as far as that shows."""
    if len(head) < 2:
        return 2
    size = head[1] & 0x7F
    return 2 + (2 if size == 126 else 8 if size == 127 else 0) + (4 if head[1] & 0x80 else 0)


def payload_length(head: bytes | bytearray) -> int:
    """How many bytes follow a whole head."""
    size = head[1] & 0x7F
    return int.from_bytes(head[2:4] if size == 126 else head[2:10], "big") if size > 125 else size


def valid(head: bytes | bytearray, deflate: bool) -> bool:
    """Whether a whole head is one. ``deflate``: messages may be compressed."""
    opcode, size = head[0] & 0x0F, payload_length(head)
    if opcode not in KINDS or head[0] & 0x30 or size >> 63:
        return False
    if head[0] & 0x40 and (not deflate or opcode not in (1, 2)):
        return False
    return opcode < 8 or (size <= 125 and head[0] & 0x80 != 0)


def plausible(data: bytes, masked: bool, deflate: bool) -> bool:
    """Whether what one call moved is all frames of this side, of which the last ends where it ends."""
    at, size = 0, len(data)
    while at < size:
        head = data[at:at + 14]
        need = head_size(head)
        if len(head) < need or not valid(head[:need], deflate) or bool(head[1] & 0x80) != masked or not head[0] & 0x8F:
            return False
        at += need + payload_length(head[:need])
    return at == size
