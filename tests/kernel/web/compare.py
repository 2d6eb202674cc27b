"""What ebtrace says was exchanged, against the log of the server at the other end."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from report.exchanges import exchanges_of
from tests.kernel.lab import Session
from tests.kernel.web.log import NUMBER, Headers, Logged
from tests.kernel.web.server import Server
from tracer.session.exchanges import Exchange
from tracer.session.reader import open_session

__all__ = ("MAX_BODY", "READABLE", "all_in_clear", "exchanges", "same", "without_secrets")

MAX_BODY = 262144  # --max-body, when nothing else is said
READABLE = 8       # bodies that people read (JSON, events) are kept up to so many times that


def exchanges(session: Session) -> list[Exchange]:
    with open_session(str(session.path)) as opened:
        return exchanges_of(opened)


def same(session: Session, server: Server, *, library: str, limit: int = MAX_BODY, side: str = "client") -> dict[int, Exchange]:
    """Each exchange that the server has logged is there once, paired right, with the same bytes, and there are no others.

    ``library`` is what read it, "" for plain text. Returns the exchanges by the server's numbers.
    """
    log, found = server.quiet(), exchanges(session)
    ours = {int(exchange.header(NUMBER) or 0): exchange for exchange in found}
    assert sorted(ours) == [logged.number for logged in log], [(one.method, one.url, one.status, one.errors) for one in found]
    assert len(found) == len(log)
    for logged in log:
        _one(ours[logged.number], logged, limit)
        assert (ours[logged.number].library, ours[logged.number].side) == (library, side)
        assert ours[logged.number].url == f"{_scheme(server, logged)}://localhost:{server.port}{logged.target}"
    _connections(log, ours)
    _document(session, ours)
    return ours


def _scheme(server: Server, logged: Logged) -> str:
    return server.scheme if logged.protocol != "websocket" else {"http": "ws", "https": "wss"}[server.scheme]


def _one(ours: Exchange, logged: Logged, limit: int) -> None:
    what = f"{logged.method} {logged.target}"
    assert (ours.protocol, ours.method, ours.target, ours.authority, ours.status, ours.stream) == (
        logged.protocol, logged.method, logged.target, logged.authority, logged.status, logged.stream), what
    assert without_secrets(ours.request_headers, logged.headers) == logged.headers, what
    if logged.protocol == "websocket":  # the rest of the server's headers is its library's business
        assert [(message.sent, message.kind, message.data, message.length) for message in ours.messages if message.kind in ("text", "binary")] == [
            (sent, kind, data[:limit], len(data)) for sent, kind, data in logged.messages]
    else:
        assert without_secrets(ours.response_headers, logged.reply_headers) == logged.reply_headers, what
        assert ours.messages == []
        coded = "Content-Encoding" in dict(logged.reply_headers) or "content-encoding" in dict(logged.reply_headers)
        for kept, length, cut, whole in (
            (ours.request_body, ours.request_length, ours.request_cut, logged.body),
            (ours.response_body, ours.response_length, ours.response_cut, logged.reply),
        ):
            assert kept == whole[:len(kept)], what
            assert min(limit, len(whole)) <= len(kept) <= limit * READABLE, what
            assert cut is (len(kept) < len(whole)), what
            assert length == len(whole) or (coded and cut and length is None), what  # no more is decompressed than is kept
        if ("Transfer-Encoding", "chunked") not in logged.reply_headers:
            assert ours.response_bytes == logged.reply_bytes, what
    assert ours.errors == [], what
    assert ours.started_ns <= (ours.sent_ns or 0), what
    assert ours.started_ns <= (ours.first_byte_ns or 0) <= (ours.ended_ns or 0), what
    for marks, whole in ((ours.request_marks, logged.body), (ours.response_marks, logged.reply)):
        assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(marks)), what
        assert all(0 <= offset <= len(whole) for offset, _ in marks), what
    if logged.marks and ours.response_body:  # nothing is read before it was written
        assert ours.response_marks, what
        assert ours.response_marks[0][1] >= logged.marks[0][1], what


def without_secrets(ours: Headers, theirs: Headers) -> Headers:
    """``ours``, in which what was redacted is told in full: for a comparison of all the rest."""
    plain = [(name, value) for name, value in ours if not name.startswith(":")]
    if len(plain) != len(theirs):
        return plain
    return [(name, true) if "[redacted:" in value else (name, value) for (name, value), (_, true) in zip(plain, theirs)]


def _connections(log: Iterable[Logged], ours: dict[int, Exchange]) -> None:
    """What went over one connection is known to have, and over another one not."""
    pairs = {(logged.connection, ours[logged.number].connection, ours[logged.number].sock) for logged in log}
    assert len({theirs for theirs, _, _ in pairs}) == len({own for _, own, _ in pairs}) == len(pairs)
    assert all(sock for _, _, sock in pairs)


def _document(session: Session, ours: dict[int, Exchange]) -> None:
    """`ebtrace stats --json` tells the same."""
    rows = {row["number"]: row for row in session.stats["http"]}
    assert len(rows) == len(session.stats["http"]) == len(ours)
    pids = {process["pid"] for process in session.stats["processes"]}
    remotes = {row["remote"] for row in session.stats["connections"]}
    for exchange in ours.values():
        row = rows[exchange.number]
        for name in ("method", "url", "status", "reason", "protocol", "side", "request_bytes", "response_bytes", "request_length", "response_length",
                     "tls", "library", "connection", "stream", "sock", "redacted", "errors", "request_cut", "response_cut"):
            assert row[name] == getattr(exchange, name), name
        assert row["messages"] == len(exchange.messages)
        assert row["pid"] in pids
        assert row["remote"] in remotes
        assert 0 <= row["started_ns"] <= row["first_byte_ns"] <= row["ended_ns"]


def all_in_clear(session: Session, library: str) -> list[dict[str, Any]]:
    """All that the session's TLS connections moved was read in clear; returns those that moved something."""
    tls = session.stats["tls"]
    connections: list[dict[str, Any]] = [row for row in tls["connections"] if row["app_sent"] or row["app_received"]]
    assert connections, tls
    for row in connections:
        assert row["percent"] == 100.0, row
        assert 0 < row["seen_sent"] <= row["app_sent"] < row["sent_bytes"], row
        assert 0 < row["seen_received"] <= row["app_received"] < row["received_bytes"], row
        assert row["library"] == library, row
        assert row["reason"] == "", row
    assert tls["percent"] == 100.0
    assert library in {image["library"] for image in tls["images"]}
    return connections
