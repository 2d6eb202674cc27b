"""bpf/lanes.h: what finds no room is counted, one flood does not drown another lane, and the totals stay exact."""

from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import EBTRACE, cli


@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_a_full_ring_is_counted_and_totals_stay_exact(lab: Lab, transport: str) -> None:
    # GIVEN a tracer with the smallest buffers, whose draining half is stopped
    storm = lab.start("calls getppid 300007 fork 101 pause 1 access 13")
    tracer = lab.attach(storm.pid, "--transport", transport, "--ring-mb", "1")
    worker = tracer.worker()
    os.kill(worker, signal.SIGSTOP)
    # WHEN far more calls are made than fit
    storm.release()
    assert storm.line() == "paused"
    os.kill(worker, signal.SIGCONT)
    storm.release()
    assert storm.line() == "done"
    session = tracer.finish()
    # THEN the loss is told, in the lane where it was, and nothing else is wrong
    lane = session.stats["ledger"]["syscalls"]
    assert lane["lost"] > 200_000
    assert lane["delivered"] > 1000
    assert lane["counted"] == sum(row["calls"] for row in session.rows.values())
    assert session.calls("getppid") == 300007
    assert session.rows["faccessat"]["errors"] == 13
    assert session.stats["ledger"]["lifecycle"]["lost"] == 0
    assert len(session.processes) == 102
    assert len(session.events) > 1000
    assert "lost" in cli("stats", session.path).stdout
    assert "lost" in tracer.stderr


def test_totals_are_exact_in_a_storm_on_all_processors(lab: Lab) -> None:
    """Nothing is left for the tracer to run on, so records may be lost; totals may not."""
    storm = lab.target("calls")
    session = lab.trace(["/bin/sh", "-c", f"{storm} getppid 1000003 & {storm} getpid 1000033 & wait"])
    assert session.stats["ledger"]["syscalls"]["counted"] == sum(row["calls"] for row in session.rows.values())
    assert session.stats["ledger"]["lifecycle"]["lost"] == 0
    assert 1000003 <= session.calls("getppid") <= 1000004  # the shell and the targets ask, too
    assert 1000033 <= session.calls("getpid") <= 1000040
    assert len(session.processes) == 3


def test_records_of_one_thread_follow_each_other(lab: Lab) -> None:
    """No record twice, none from the future: each call starts after the one before has ended."""
    session = lab.trace("calls getppid 30011").whole()
    calls = sorted((event for event in session.events if event["type"] == "syscall"), key=lambda event: event["ts_ns"])
    assert len(calls) == session.stats["ledger"]["syscalls"]["counted"]
    assert all(first["ts_ns"] + first["duration_ns"] <= second["ts_ns"] for first, second in pairwise(calls))


def test_two_sessions_at_once_on_one_target_are_both_exact(lab: Lab) -> None:
    family = lab.start("family")
    tracers = [lab.attach(family.pid), lab.attach(family.pid, "--transport", "perf"), lab.attach(family.pid, "--counts")]
    family.release()
    assert family.end() == 5
    full, perf, counts = (tracer.finish().whole() for tracer in tracers)
    assert full.returned == perf.returned == counts.returned == lab.strace_attached(lab.start("family"))
    assert full.processes.keys() == perf.processes.keys() == counts.processes.keys()


def test_a_session_inside_a_session_is_exact(lab: Lab) -> None:
    """ebtrace traces ebtrace: the inner target is seen by both."""
    inner = lab.file(".ebt")
    tracer = lab.tracer("run", "--", EBTRACE, "run", "-o", inner, "--", lab.target("calls"), "getppid", "10007")
    assert tracer.end() == 0, tracer.stderr
    assert Session(inner).whole().calls("getppid") == 10007
    assert Session(tracer.path).calls("getppid") >= 10007
