"""bpf/streams.c and plain.h: HTTP in clear comes out byte for byte, by whatever call it is sent and received."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from report.exchanges import exchanges_of
from tests.kernel.lab import Lab, Session
from tests.kernel.support import cli
from tracer.session.exchanges import Exchange
from tracer.session.reader import open_session

SIZE = 300_007


def body(size: int) -> bytes:
    """What targets/plain.c sends."""
    return bytes((7 * i + 11 * (i // 256)) & 0xFF for i in range(size))


def exchanges(session: Session) -> list[Exchange]:
    with open_session(str(session.path)) as file:
        return exchanges_of(file)


def both_ends(session: Session, size: int, times: int) -> list[Exchange]:
    """Checks that both ends were seen whole; the exchanges of the client."""
    found = exchanges(session)
    for side in ("client", "server"):
        mine = [one for one in found if one.side == side]
        assert [(one.method, one.target, one.status, one.scheme, one.library, one.errors) for one in mine] == [
            ("POST", "/up", 200, "http", "", [])] * times
        assert [(one.request_bytes, one.response_bytes) for one in mine] == [(size, size)] * times
        assert len({one.sock for one in mine}) == len({one.connection for one in mine}) == 1
    assert len(found) == 2 * times
    assert len({one.sock for one in found}) == 2
    return [one for one in found if one.side == "client"]


@pytest.mark.parametrize("transport", ["ring", "perf"])
@pytest.mark.parametrize("how", ["rw", "once", "v", "send", "msg", "to", "wait"])
def test_bodies_are_equal_by_every_call(lab: Lab, how: str, transport: str) -> None:
    size = SIZE if transport == "ring" else 50_021  # perf buffers have little room until the scribe has started
    session = lab.trace(f"plain {how} {size} 3", "--max-body", "1M", "--transport", transport).whole()
    for one in both_ends(session, size, 3):
        assert one.request_body == one.response_body == body(size)
        assert (one.request_cut, one.response_cut) == (False, False)
        assert one.started_ns <= (one.sent_ns or 0) <= (one.first_byte_ns or 0) <= (one.ended_ns or 0)


@pytest.mark.parametrize("transport", ["ring", "perf"])
@pytest.mark.parametrize("how", ["one", "once"])
def test_over_tcp(lab: Lab, how: str, transport: str) -> None:
    session = lab.trace(f"plain {how} 211 7 tcp", "--transport", transport).whole()
    for one in both_ends(session, 211, 7):
        assert one.request_body == one.response_body == body(211)
    assert session.stats["ledger"]["plaintext"]["delivered"] >= (2 * 7 * 2 * 211 if how == "one" else 2 * 7 * 2)


@pytest.mark.parametrize("words", ["", " tcp"])
def test_other_descriptors_of_a_socket(lab: Lab, words: str) -> None:
    session = lab.trace(f"plain rw 1009 3{words} copied").whole()
    for one in both_ends(session, 1009, 3):
        assert one.request_body == one.response_body == body(1009)


def test_more_vectors_than_are_looked_at(lab: Lab) -> None:
    """What is not kept is counted nevertheless: the exchange behind it is whole."""
    session = lab.trace("plain vv 100003 2", "--max-body", "1M").whole()
    found = exchanges(session)
    assert [(one.status, one.request_bytes, one.response_bytes, one.request_cut, one.response_cut) for one in found] == [
        (200, 100_003, 100_003, True, True)] * 4
    for one in found:
        assert [re.sub(r"\d+", "N", error) for error in one.errors] == [
            "the request body: N bytes are missing at N", "the response body: N bytes are missing at N"]
        assert body(100_003).startswith(one.request_body[:10_000])


def test_headers_only(lab: Lab) -> None:
    session = lab.trace(f"plain once {SIZE} 3", "--max-body", "0").whole()
    for one in both_ends(session, SIZE, 3):
        assert (one.request_body, one.response_body, one.request_cut, one.response_cut) == (b"", b"", True, True)
        assert one.header("content-length") == str(SIZE)


def test_as_much_of_a_body_as_was_asked_for(lab: Lab) -> None:
    session = lab.trace(f"plain rw {SIZE} 2", "--max-body", "10000").whole()
    for one in both_ends(session, SIZE, 2):
        assert (one.request_body, one.response_body) == (body(10_000), body(10_000))
        assert (one.request_cut, one.response_cut) == (True, True)


@pytest.mark.parametrize("transport", ["ring", "perf"])
@pytest.mark.parametrize("words", ["", " tcp"])
def test_a_socket_that_was_open_before(lab: Lab, transport: str, words: str) -> None:
    target = lab.start(f"plain rw 5003 3{words} early")
    tracer = lab.attach(target.pid, "--transport", transport)
    target.release()
    assert target.end() == 0
    session = tracer.finish().whole()
    for one in both_ends(session, 5003, 3):
        assert one.request_body == one.response_body == body(5003)


@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_what_is_no_http(lab: Lab, transport: str) -> None:
    session = lab.trace(f"plain rw {SIZE} 2 nonsense", "--transport", transport).whole()
    assert exchanges(session) == []
    assert session.stats["ledger"]["plaintext"] == {"counted": 0, "delivered": 0, "sampled_out": 0, "lost": 0, "unaccounted": 0}


def test_a_watch_that_dies_keeps_nobody_waiting(lab: Lab) -> None:
    target = lab.start("plain rw 1009 3")
    tracer = lab.attach(target.pid)
    (watch,) = (pid for pid in Path(f"/proc/{tracer.worker()}/task/{tracer.worker()}/children").read_text().split())
    os.kill(int(watch), signal.SIGKILL)
    target.release()
    assert target.end() == 0
    session = tracer.finish()
    assert any("looks for TLS libraries has died" in problem for problem in session.stats["session"]["problems"])
    assert len(exchanges(session)) == 6


def test_nothing_is_lost_for_the_other_lanes(lab: Lab) -> None:
    """The calls themselves are told as ever."""
    session = lab.trace("plain once 1009 101").whole()
    assert session.calls("write") >= 2 * 101
    assert session.rows["write"]["bytes"] >= 2 * 101 * 1009
    assert len(session.stats["http"]) == 2 * 101
    assert cli("stats", session.path).returncode == 0
