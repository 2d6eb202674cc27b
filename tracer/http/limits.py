"""How much of what other programs send is kept while an exchange is not complete."""

from __future__ import annotations

__all__ = (
    "BODIES", "BLOCK", "CONNECTIONS", "FIELDS", "HEAD", "HELD", "LINE", "MARKS", "MESSAGES", "NOT_HTTP", "PARKED", "PIPELINE", "READABLE", "STREAMS",
)

HEAD = 256 << 10  # bytes of the head of a message, or of its trailers
LINE = 64 << 10  # bytes of a request line while it is not known whether it is HTTP
BLOCK = 256 << 10  # bytes of an HTTP/2 header block, and of what it unpacks to
FIELDS = 2000  # header fields of a message
MARKS = 65536  # arrivals noted in a body
READABLE = 8  # bodies that people read (JSON, events) are kept up to so many times the limit of others
MESSAGES = 10_000  # of one WebSocket
PIPELINE = 1000  # requests without a response on one connection
STREAMS = 1024  # unfinished HTTP/2 streams on one connection
PARKED = 256 << 10  # bytes that wait until a response says whether a connection changes its protocol
CONNECTIONS = 4096  # that are remembered
BODIES = 64 << 20  # bytes of all unfinished bodies and messages
HELD = 64 << 20  # bytes of all unfinished heads and header tables
NOT_HTTP = 65536  # connections of which is noted that they are no HTTP
