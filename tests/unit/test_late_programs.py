"""Programs that are loaded while the target runs: whoever needs one waits for it, and what cannot be loaded any more is told."""

from __future__ import annotations

import threading

import pytest

from tracer.errors import HostError
from tracer.kernel import tracing as module
from tracer.kernel.probes import LATE, SOCKET_CENSUS, UNFINISHED
from tracer.kernel.tracing import Tracing
from tracer.records import CensusKind


@pytest.fixture
def tracing() -> Tracing:
    """Without maps: whatever needs those is not asked for."""
    made = Tracing.__new__(Tracing)
    made.maps, made._fds, made.problems = {}, {}, []
    made._programs, made._loading = {}, None
    made._image = {"programs": dict.fromkeys(LATE, b"code"), "blanks": dict.fromkeys(LATE, ((), ())), "places": dict.fromkeys(LATE, 7)}
    return made


def loads(monkeypatch: pytest.MonkeyPatch, refused: str = "", go_on: threading.Event | None = None) -> list[str]:
    seen: list[str] = []

    def load(name: str, code: bytes, place: int) -> int:
        if go_on is not None:
            assert go_on.wait(10)
        seen.append(name)
        if name == refused:
            raise HostError(f"no memory to load the probe {name}")
        return 1000 + len(seen)

    monkeypatch.setattr(module, "load", load)
    return seen


def test_whoever_needs_one_waits_for_it(tracing: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    seen = loads(monkeypatch, go_on=go_on)
    tracing.load_late()
    assert tracing._programs == {}
    threading.Timer(0.05, go_on.set).start()
    assert tracing._late(UNFINISHED) == 1001 + LATE.index(UNFINISHED)
    assert tracing._late(SOCKET_CENSUS) == 1001 + LATE.index(SOCKET_CENSUS)
    assert seen == list(LATE)


def test_without_a_beginning_it_is_loaded_on_demand(tracing: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = loads(monkeypatch)
    assert (tracing._late(UNFINISHED), tracing._late(UNFINISHED)) == (1001, 1001)
    assert seen == [UNFINISHED]


def test_what_this_kernel_has_not_is_no_problem(tracing: Tracing, monkeypatch: pytest.MonkeyPatch) -> None:
    loads(monkeypatch)
    del tracing._image["programs"][SOCKET_CENSUS]
    assert tracing.sockets(CensusKind.ALIVE) == b""
    assert tracing.problems == []


@pytest.mark.parametrize("early", [True, False])
def test_what_cannot_be_loaded_is_told(tracing: Tracing, monkeypatch: pytest.MonkeyPatch, early: bool) -> None:
    loads(monkeypatch, refused=SOCKET_CENSUS)
    if early:
        tracing.load_late()
    assert tracing.sockets(CensusKind.BOUND) == tracing.sockets(CensusKind.ALIVE) == b""
    assert tracing.problems == [
        "Nothing is told of sockets that were open before the trace or at its end: no memory to load the probe on_socket_census."]
    assert tracing._late(UNFINISHED) is not None
