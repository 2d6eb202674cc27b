from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from report.html.phases import phases_of


def row(**fields: Any) -> dict[str, Any]:
    return {"connection": 1, "side": "client", "pid": 7, "sock": 0, "remote": "192.0.2.1:443", "url": "https://a.example:8443/x", "tls": True,
            "started_ns": 1000, "sent_ns": 1100, "first_byte_ns": 1500, "ended_ns": 2000, **fields}


def connection(**fields: Any) -> dict[str, Any]:
    return {"pid": 7, "sock": 0, "remote": "192.0.2.1:443", "opened_ns": 300, "connected_ns": 700, "connect_ms": 0.0003, **fields}


def lookup(**fields: Any) -> dict[str, Any]:
    return {"name": "a.example", "at_ns": 100, "latency_ns": 150, **fields}


def phases(*rows: dict[str, Any], connections: tuple[dict[str, Any], ...] = (), dns: tuple[dict[str, Any], ...] = ()) -> list[Any]:
    return phases_of({"http": rows, "connections": connections, "dns": dns})


OWN = [("send", 1000, 1100), ("wait", 1100, 1500), ("stream", 1500, 2000)]


def test_from_the_name_to_the_last_byte() -> None:
    found = phases(row(), connections=(connection(),), dns=(lookup(at_ns=20), lookup(), lookup(name="b.example", at_ns=200)))
    assert found == [[("dns", 100, 250), ("connect", 400, 700), ("tls", 700, 1000), *OWN]]


def test_the_socket_tells_most() -> None:
    others = connection(opened_ns=900, connected_ns=950), connection(sock=4, pid=9, remote="x")
    assert phases(row(sock=4), connections=others)[0][0] == ("connect", 400, 700)
    assert phases(row(sock=5), connections=others)[0][0] == ("connect", 900, 950)


def test_what_follows_on_a_connection_finds_it_open() -> None:
    assert phases(row(), row(started_ns=2100, sent_ns=2100, first_byte_ns=2200, ended_ns=2200), connections=(connection(),))[1] == [
        ("send", 2100, 2100), ("wait", 2100, 2200), ("stream", 2200, 2200)]


def test_other_ends_and_times_are_others() -> None:
    for other in (connection(pid=8), connection(remote="192.0.2.2:443"), connection(opened_ns=1001), connection(opened_ns=None)):
        assert phases(row(), connections=(other,)) == [OWN]
    assert phases(row(remote=None), connections=(connection(),)) == [OWN]
    assert phases(row(side="server"), connections=(connection(),)) == [OWN]
    assert phases(row(tls=False), connections=(connection(),)) == [[("connect", 400, 700), *OWN]]
    assert phases(row(), connections=(connection(connected_ns=1001),)) == [OWN]
    late, old = lookup(at_ns=280, latency_ns=800), lookup(at_ns=-3_000_000_000, latency_ns=5)
    for dns in (late, old, lookup(latency_ns=None)):
        assert phases(row(), connections=(connection(),), dns=(dns,)) == [[("connect", 400, 700), ("tls", 700, 1000), *OWN]]


def test_what_was_not_seen_has_no_phase() -> None:
    assert phases(row(sent_ns=None)) == [[("wait", 1000, 1500), ("stream", 1500, 2000)]]
    assert phases(row(first_byte_ns=None)) == [[("send", 1000, 1100), ("wait", 1100, 2000)]]
    assert phases(row(first_byte_ns=None, ended_ns=None)) == [[("send", 1000, 1100)]]
    assert phases(row(ended_ns=None)) == [OWN[:2]]
    assert phases(row(sent_ns=None, first_byte_ns=None, ended_ns=None)) == [[]]


def test_an_answer_may_come_before_all_was_sent() -> None:
    assert phases(row(sent_ns=1800)) == [[("send", 1000, 1800)]]
    assert phases(row(url="http://[", sent_ns=900), connections=(connection(),), dns=(lookup(),))[0][-1] == ("stream", 1500, 2000)


number, maybe = st.integers(-(1 << 63), 1 << 63), st.none() | st.integers(-5000, 5000)
forged = st.fixed_dictionaries({"started_ns": st.integers(-5000, 5000), "sent_ns": maybe, "first_byte_ns": maybe, "ended_ns": maybe,
                                "connection": st.integers(0, 2), "sock": st.integers(0, 2), "url": st.text(max_size=20)})
ends = st.fixed_dictionaries({"opened_ns": maybe, "connected_ns": maybe, "connect_ms": st.none() | st.floats(-1, 1), "sock": st.integers(0, 2)})
looked_up = st.fixed_dictionaries({"at_ns": number, "latency_ns": st.none() | number, "name": st.sampled_from(["", "a.example"])})


@given(st.lists(forged, max_size=5), st.lists(ends, max_size=5), st.lists(looked_up, max_size=3))
def test_forged_times_never_run_backwards(rows: list[Any], connections: list[Any], dns: list[Any]) -> None:
    found = phases(*(row(**fields) for fields in rows), connections=tuple(connection(**fields) for fields in connections), dns=tuple(dns))
    assert len(found) == len(rows)
    assert all(start <= end for part in found for _, start, end in part)
