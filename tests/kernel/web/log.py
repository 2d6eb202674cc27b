"""What a server of the tests was asked and what it answered, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ("NUMBER", "Headers", "Logged", "Reply")

NUMBER = "x-exchange"
"""The header in which each response bears the number of its log entry: so a trace that mixes up pairs is found out."""

Headers = list[tuple[str, str]]


@dataclass
class Reply:
    """A response, planned. Without `framing` it is sent with content-length; "chunked" means so only over HTTP/1.1."""

    body: bytes = b""  # as the program is to understand it
    status: int = 200
    headers: Headers = field(default_factory=list)
    pieces: list[bytes] | None = None  # what is written, one after the other; None: the body at once
    pause: float = 0.0  # seconds before each piece but the first
    first: float = 0.0  # seconds before the first piece, when the headers are out
    framing: str = "length"  # length, chunked, close
    told: dict[str, object] = field(default_factory=dict)  # what a language model's answer says

    def written(self) -> list[bytes]:
        return [self.body] if self.pieces is None else self.pieces


@dataclass
class Logged:
    """One exchange, or one WebSocket, as the server knows it. Header names are in the case that went over the wire."""

    number: int
    protocol: str  # http/1.0, http/1.1, h2, websocket
    connection: int
    method: str
    target: str
    authority: str
    headers: Headers
    body: bytes = b""
    status: int = 0
    reply_headers: Headers = field(default_factory=list)
    reply: bytes = b""
    reply_bytes: int = 0  # as it was sent: compressed, without the frames of chunks
    stream: int = 0  # of HTTP/2
    messages: list[tuple[bool, str, bytes]] = field(default_factory=list)  # (from the client, text or binary, data)
    marks: list[tuple[int, int]] = field(default_factory=list)  # (bytes sent before, CLOCK_MONOTONIC ns) of each piece
    told: dict[str, object] = field(default_factory=dict)
    ended: bool = False  # the response is out
