"""Exchanges: one HTTP request with its response, or one WebSocket, as the session keeps them and as both sides of it know them.

How a session keeps them is told in packing.py, which writes them; report/exchanges.py reads them. Everything here has passed the
redaction before it was written.

All times are CLOCK_MONOTONIC, ns. None is what was not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ("Exchange", "Mark", "SocketMessage")

Headers = list[tuple[str, str]]
Mark = tuple[int, int]
"""(offset, at_ns): the decoded body from this offset on arrived at this time. In the order of both."""


@dataclass(slots=True)
class SocketMessage:
    """One message of a WebSocket, its fragments joined and inflated."""

    at_ns: int
    sent: bool  # by the traced process
    kind: str  # text, binary, close, ping, pong
    data: bytes  # what was kept
    length: int  # bytes of the whole message, inflated as far as it was read


@dataclass(slots=True)
class Exchange:
    """One request and its response.

    ``protocol`` is "http/1.0", "http/1.1", "h2" or "websocket" (then the request is the handshake, and ``messages`` follow). A body is
    what the program means by it: without chunks, and decompressed; ``*_bytes`` is its length on the wire, ``*_length`` its length
    decompressed. It is kept up to a limit; ``*_cut`` says that some of it is missing.
    """

    number: int = 0  # 1, 2, ... in the order in which they were completed
    connection: int = 0  # equal for all exchanges on one connection
    stream: int = 0  # of HTTP/2; else 0
    sock: int = 0  # rec_socket.sock; 0 if the socket is not known
    proc: int = 0  # of the first byte of the request, or whatever was seen first
    tid: int = 0
    library: str = ""  # the TLS library that was read ("openssl", "boringssl", "gnutls", "nss", "go"); "" for plain text
    protocol: str = "http/1.1"
    side: str = "client"  # which end the traced process is: client, server
    method: str = ""
    scheme: str = ""  # http, https, ws, wss
    authority: str = ""  # host and port, as the request names them
    target: str = ""  # path and query
    status: int | None = None
    reason: str = ""
    request_headers: Headers = field(default_factory=list)  # names in the case in which they were sent, undecodable bytes as latin-1
    response_headers: Headers = field(default_factory=list)
    request_trailers: Headers = field(default_factory=list)
    response_trailers: Headers = field(default_factory=list)
    interim: list[int] = field(default_factory=list)  # 1xx statuses before the response
    request_body: bytes = b""
    response_body: bytes = b""
    request_bytes: int = 0
    response_bytes: int = 0
    request_length: int | None = None  # None: not known (what is compressed was not read to its end)
    response_length: int | None = None
    request_cut: bool = False
    response_cut: bool = False
    request_marks: list[Mark] = field(default_factory=list)
    response_marks: list[Mark] = field(default_factory=list)
    started_ns: int = 0  # first byte of the request; of the response if the request was not seen
    sent_ns: int | None = None  # last byte of the request
    first_byte_ns: int | None = None  # first byte of the response
    ended_ns: int | None = None  # last byte of the response; of a WebSocket: its close
    messages: list[SocketMessage] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # short sentences: what is missing, malformed or was ended early
    redacted: int = 0  # secrets that were taken out

    @property
    def tls(self) -> bool:
        """Whether it was read out of a TLS connection."""
        return bool(self.library)

    @property
    def url(self) -> str:
        """As a person would write it."""
        scheme = self.scheme or ("https" if self.tls else "http")
        return f"{scheme}://{self.authority}{self.target}" if self.authority else self.target

    def header(self, name: str, *, of_request: bool = False) -> str:
        """The first header of this name, in any case; "" if there is none."""
        headers = self.request_headers if of_request else self.response_headers
        return next((value for key, value in headers if key.lower() == name), "")
