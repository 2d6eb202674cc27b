from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from report.exchanges import exchanges_of, read_exchanges
from tests.unit.report_sessions import ORIGIN
from tracer.session.exchanges import Exchange, SocketMessage
from tracer.session.format import MAP_LIMIT, BlockKind
from tracer.session.packing import FIELDS, ExchangePacker
from tracer.session.reader import open_session
from tracer.session.writer import SessionWriter

WHOLE = Exchange(
    number=7, connection=3, stream=5, sock=1 << 60, proc=2, tid=200, library="openssl", protocol="h2", side="server", method="POST", scheme="https",
    authority="a.example:8443", target="/x?y=z", status=200, reason="OK", request_headers=[("Host", "a"), ("X", "\udcff")],
    response_headers=[("content-type", "text/plain")], request_trailers=[("a", "b")], response_trailers=[("c", "d")], interim=[100, 103],
    request_body=b"asked\0\xff", response_body=b"answered" * 1000, request_bytes=7, response_bytes=99, request_length=7, response_length=8000,
    request_cut=True, response_cut=True, request_marks=[(0, 5)], response_marks=[(0, 10), (4000, 20)], started_ns=ORIGIN, sent_ns=ORIGIN + 1,
    first_byte_ns=ORIGIN + 2, ended_ns=ORIGIN + 3, messages=[SocketMessage(1, True, "text", b"hi", 2), SocketMessage(2, False, "binary", b"", 0),
                                                               SocketMessage(3, False, "binary", b"\xff\0", 900)],
    errors=["cut"], redacted=3)


def stored(exchanges: list[Exchange], path: Path, **how: Any) -> list[Exchange]:
    with open_session(str(written(ExchangePacker().packed_blocks(exchanges), path))) as session:
        found = exchanges_of(session, **how)
        session.check()
        assert session.problems == []
    return found


def written(blocks: Iterable[tuple[BlockKind, bytes]], path: Path) -> Path:
    with (path / "a.ebt").open("wb") as file:
        writer = SessionWriter(file)
        writer.write_map(BlockKind.META, {})
        for kind, raw in blocks:
            writer.write_packed(kind, raw)
        writer.close({})
    return path / "a.ebt"


def test_a_whole_exchange_comes_back_as_it_was(tmp_path: Path) -> None:
    assert all(getattr(WHOLE, name) != getattr(Exchange(), name) for name in FIELDS if name != "protocol")
    assert stored([WHOLE, Exchange()], tmp_path) == [Exchange(), WHOLE]  # in the order of their start


def test_without_bodies_there_are_none(tmp_path: Path) -> None:
    found, = stored([WHOLE], tmp_path, bodies=False)
    assert (found.request_body, found.response_body, [m.data for m in found.messages]) == (b"", b"", [b"", b"", b""])
    assert (found.response_length, found.response_cut, found.errors) == (8000, True, ["cut"])


NUMBERS = st.integers(0, (1 << 63) - 1)
PAIRS = st.lists(st.tuples(st.text(), st.text()), max_size=4)
MARKS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5).map(lambda marks: list(zip(sorted(m[0] for m in marks), sorted(m[1] for m in marks))))
MESSAGES = st.builds(lambda at, sent, data, more: SocketMessage(at, sent, "text", data, len(data) + more),
                     NUMBERS, st.booleans(), st.binary(max_size=50), st.integers(0, 9))
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("request_headers", "response_headers", "request_trailers", "response_trailers"), PAIRS),
    **dict.fromkeys(("request_marks", "response_marks"), MARKS), "messages": st.lists(MESSAGES, max_size=5), "side": st.sampled_from(("client", "server")),
    "status": st.none() | st.integers(0, 999), "interim": st.lists(st.integers(100, 199), max_size=3), "errors": st.lists(st.text(), max_size=3),
    **dict.fromkeys(("request_body", "response_body"), st.binary(max_size=300)), **dict.fromkeys(("request_cut", "response_cut"), st.booleans()),
    **dict.fromkeys(("request_length", "response_length", "sent_ns", "first_byte_ns", "ended_ns"), st.none() | st.integers(1, (1 << 63) - 1)),
}
EXCHANGES = st.builds(Exchange, **{
    name: SPECIAL.get(name, st.text() if isinstance(getattr(Exchange(), name), str) else NUMBERS) for name in FIELDS})


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(EXCHANGES, max_size=6))
def test_any_exchanges_come_back_as_they_were(tmp_path: Path, exchanges: list[Exchange]) -> None:
    assert stored(exchanges, tmp_path) == sorted(exchanges, key=lambda one: (one.started_ns, one.number))
