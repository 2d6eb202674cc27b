"""The exchanges over HTTP as rows of a table, without what was said in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from report.connections import Connection
from report.processes import Process
from tracer.session.exchanges import Exchange

__all__ = ("HttpRow", "http_rows", "remotes_of")


@dataclass(frozen=True)
class HttpRow:
    """One exchange. Times: ns after the start of the session. None is what was not seen."""

    number: int
    method: str
    url: str
    status: int | None
    reason: str
    protocol: str  # http/1.0, http/1.1, h2, websocket
    side: str  # client, server: which end the traced process is
    request_bytes: int  # of the body, on the wire
    response_bytes: int
    request_length: int | None  # of the body, decompressed
    response_length: int | None
    started_ns: int
    sent_ns: int | None  # last byte of the request
    first_byte_ns: int | None  # of the response
    ended_ns: int | None
    pid: int | None
    process: str | None  # its title
    tls: bool
    library: str
    connection: int
    stream: int
    sock: int
    remote: str | None
    redacted: int  # secrets that were taken out
    errors: tuple[str, ...]
    content_type: str  # of the response
    request_cut: bool
    response_cut: bool
    messages: int  # of a WebSocket


def http_rows(exchanges: Iterable[Exchange], processes: Mapping[int, Process], remotes: Mapping[int, str], origin: int) -> Iterator[HttpRow]:
    """The rows in the order of the exchanges. ``processes`` by their number, ``remotes`` by sock; ``origin``: when the session began."""
    def since(at_ns: int | None) -> int | None:
        return None if at_ns is None else at_ns - origin

    for one in exchanges:
        process = processes.get(one.proc)
        yield HttpRow(
            one.number, one.method, one.url, one.status, one.reason, one.protocol, one.side, one.request_bytes, one.response_bytes,
            one.request_length, one.response_length, one.started_ns - origin, since(one.sent_ns), since(one.first_byte_ns), since(one.ended_ns),
            process.pid if process else None, process.title if process else None, one.tls, one.library, one.connection, one.stream, one.sock,
            remotes.get(one.sock), one.redacted, tuple(one.errors), one.header("content-type"), one.request_cut, one.response_cut,
            len(one.messages),
        )


def remotes_of(connections: Iterable[Connection]) -> dict[int, str]:
    """The other end of each socket that has one."""
    return {row.sock: row.remote for row in connections if row.sock and row.remote}
