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


def test_the_url_is_as_a_person_writes_it() -> None:
    assert (WHOLE.url, WHOLE.header("content-type"), WHOLE.header("host", of_request=True)) == ("https://a.example:8443/x?y=z", "text/plain", "a")
    assert [Exchange(authority="a", target="/", library=library).url for library in ("", "nss")] == ["http://a/", "https://a/"]
    assert Exchange(target="*").url == "*"


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
    **dict.fromkeys(("request_marks", "response_marks"), MARKS), "messages": st.lists(MESSAGES, max_size=5),
    "side": st.sampled_from(("client", "server")),
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


def test_equal_bodies_are_stored_once() -> None:
    packer = ExchangePacker()
    body = bytes(range(256)) * 100
    first = list(packer.packed_blocks([Exchange(request_body=body, response_body=body), Exchange(response_body=body)]))
    later = list(packer.packed_blocks([Exchange(response_body=body)]))
    assert [kind for kind, _ in first] == [BlockKind.BODIES, BlockKind.EXCHANGES]  # bodies first: what is named is there
    assert first[0][1].count(body) == 1
    assert [kind for kind, _ in later] == [BlockKind.EXCHANGES]


def test_blocks_stay_small(tmp_path: Path) -> None:
    many = [Exchange(number=number, target=f"/{number}", request_body=b"%d" % number * 50_000, request_headers=[("x", "y" * 200)] * 4)
            for number in range(1, 101)] + [Exchange(number=101, response_body=bytes(6 << 20))]
    blocks = list(ExchangePacker().packed_blocks(many))
    assert [kind for kind, _ in blocks].count(BlockKind.BODIES) == 6
    assert all(len(raw) < (4 << 20) + 10_000 for kind, raw in blocks if kind == BlockKind.BODIES and len(raw) < 6 << 20)
    assert stored(many, tmp_path) == many
    rows = [Exchange(number=number) for number in range(1, 20_001)]
    assert [kind for kind, _ in ExchangePacker().packed_blocks(rows)] == [BlockKind.EXCHANGES] * 3
    assert stored(rows, tmp_path) == rows


def test_an_exchange_that_is_too_large_says_so(tmp_path: Path) -> None:
    huge = Exchange(target="/" * (5 << 20), request_headers=[("a" * 5000, "b")] * 1000, response_marks=[(n, n) for n in range(70_000)],
                    messages=[SocketMessage(n, True, "text", b"x", 1) for n in range(40_000)], errors=["first"], request_cut=True)
    found, = stored([huge], tmp_path)
    assert len(found.target) == 1 << 16
    assert (len(found.request_headers), len(found.request_headers[0][0]), len(found.response_marks), len(found.messages)) == (125, 1024, 125, 50)
    assert found.errors == ["first", "Its last messages were not kept: 13786.", "It was too large to be kept whole."]
    assert found.messages[49].data == b"x"


def test_a_body_beyond_all_bounds_is_cut(tmp_path: Path) -> None:
    found, = stored([Exchange(response_body=bytes((32 << 20) + 1), request_length=1 << 80)], tmp_path)
    assert (len(found.response_body), found.response_cut, found.request_cut, found.request_length) == (32 << 20, True, False, (1 << 63) - 1)


def forged(path: Path, *maps: Any, bodies: bool = True) -> tuple[list[Exchange], tuple[str, ...]]:
    with (path / "a.ebt").open("wb") as file:
        writer = SessionWriter(file)
        writer.write_map(BlockKind.META, {})
        for value in maps:
            writer.write_map(BlockKind.EXCHANGES, value)
        writer.close({})
    with open_session(str(path / "a.ebt")) as session:
        return read_exchanges(session, bodies=bodies)


ODD = (None, True, -1, 1 << 63, (1 << 64) - 1, 1.5, float("nan"), "x", b"x", [], [None], [1, 2, 3], [[]], {}, {"a": 1}, ["a", 1], [2, 2, 1, 1])


def test_entries_of_any_form_do_no_harm(tmp_path: Path) -> None:
    entries = [{name: value} for name in (*FIELDS, "messages_data") for value in ODD]
    found, problems = forged(tmp_path, {"exchanges": [*entries, 7, None, []]}, {"exchanges": 7}, {"other": 1}, {"exchanges": [{"x": 4}]})
    assert len(found) == len(entries) + 1
    assert problems == ("Entries that are no HTTP exchanges were left out: 3.",)
    plain = Exchange()
    for one in found:
        for name in FIELDS:
            value, usual = getattr(one, name), getattr(plain, name)
            assert type(value) is type(usual) or (usual is None and type(value) is int), name
            assert value is None or not isinstance(value, int) or 0 <= value < 1 << (64 if name == "sock" else 63)
        assert all(isinstance(part, str) for pair in one.request_headers for part in pair)
        assert one.request_marks == sorted(one.request_marks)


LEAVES = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=5) | st.binary(max_size=5) | st.floats()
JSON_LIKE = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                         max_leaves=8)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from((*FIELDS, "messages_data")), JSON_LIKE, max_size=12), max_size=4))
def test_forged_entries(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    assert len(forged(tmp_path, {"exchanges": entries})[0]) == len(entries)


def test_what_names_a_body_that_is_not_there_says_so(tmp_path: Path) -> None:
    (one,), _ = forged(tmp_path, {"exchanges": [{"response_body": 5, "request_body": 6, "messages_data": 9, "messages": [1, True, "text", 9, 9]}]})
    assert (one.response_body, one.response_cut, one.request_cut, one.errors) == (b"", True, True, ["A body is missing in the session."])
    assert (one.messages[0].data, one.messages[0].length) == (b"", 9)
    (one,), _ = forged(tmp_path, {"exchanges": [{"response_body": 5}]}, bodies=False)
    assert (one.response_cut, one.errors) == (False, [])


def test_there_is_room_for_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("report.exchanges._MOST", 3)
    found, problems = forged(tmp_path, {"exchanges": [{"number": number} for number in range(10)]})
    assert ([one.number for one in found], problems) == ([0, 1, 2], ("HTTP exchanges beyond the first 3 were left out: 7.",))
    monkeypatch.setattr("report.exchanges._ROOM", 10_000)
    found, problems = forged(tmp_path, {"exchanges": [{"target": "/" * 9000}, {}]})
    assert (found, problems) == ([], ("HTTP exchanges beyond the first 0 were left out: 2.",))


def test_bodies_have_a_bound_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("report.exchanges._BODY_ROOM", 100)
    found = stored([Exchange(number=1, response_body=bytes(90)), Exchange(number=2, response_body=b"x" * 20), Exchange(number=3, response_body=b"y")],
                   tmp_path)
    assert [(len(one.response_body), one.response_cut) for one in found] == [(90, False), (0, True), (1, False)]
    assert found[1].errors == ["A body is not here: the session holds more of them than are read at once."]
    monkeypatch.setattr("report.exchanges._USE_ROOM", 100)
    found = stored([Exchange(number=number, response_body=bytes(40)) for number in range(4)], tmp_path)
    assert [len(one.response_body) for one in found] == [40, 40, 0, 0]


@pytest.mark.parametrize("raw", [b"", b"\x90", b"\xc0", b"\xa1x", bytes(8 << 20) + b"\x80"])
def test_what_is_no_map_is_not_written(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(ValueError, match="EXCHANGES"):
        written([(BlockKind.EXCHANGES, raw)], tmp_path)
    with pytest.raises(ValueError, match="EXCHANGES"):
        written([(BlockKind.EXCHANGES, b"\x80" + bytes(MAP_LIMIT))], tmp_path)


def test_a_forged_table_is_one_damaged_block(tmp_path: Path) -> None:
    with open_session(str(written([(BlockKind.BODIES, b"\x81\xa2id\x01"), (BlockKind.EXCHANGES, b"\x80")], tmp_path))) as session:
        session.check()
        assert len(session.problems) == 1
        assert "BODIES" in session.problems[0]
