"""`ebtrace attach`: takes in what already runs, all of it, counts from then on, and leaves it as it was."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import EBTRACE, wait_until

PARENT, ALL = 5 + 7 + 11 + 13, 5 + 7 + 11 + 13 + 19 + 31  # getppid calls of the target `tree`


@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_counts_equal_those_of_strace(lab: Lab, transport: str) -> None:
    family = lab.start("family")
    tracer = lab.attach(family.pid, "--transport", transport)
    family.release()
    assert family.end() == 5
    session = tracer.finish().whole()
    assert session.returned == lab.strace_attached(lab.start("family"))
    assert session.stats["session"]["exit_status"] in (5, None)
    assert session.processes[family.pid]["exit_status"] == 5


def test_threads_and_descendants_that_already_run_are_taken_in(lab: Lab) -> None:
    tree = lab.start("tree")
    tracer = lab.attach(tree.pid)
    tree.release()
    assert tree.end() == 0
    session = tracer.finish().whole()
    said = {tuple(map(int, line.split()[:2])) for line in tree.before}
    assert {(process["pid"], process["ppid"]) for process in session.stats["processes"]} == said
    assert session.calls("getppid") == ALL
    assert sorted(Counter(call["tid"] for call in session.calls_of("getppid")).values()) == [5, 7, 11, 13, 19, 31]
    assert all(process["argv"] == [lab.target("tree")] for process in session.stats["processes"])


def test_children_can_be_left_out(lab: Lab) -> None:
    tree = lab.start("tree")
    tracer = lab.attach(tree.pid, "--no-children")
    tree.release()
    assert tree.end() == 0
    session = tracer.finish().whole()
    assert session.calls("getppid") == PARENT
    assert list(session.processes) == [tree.pid]


def test_a_thread_storm_under_way_is_taken_in_whole(lab: Lab) -> None:
    """Threads that start while the probes go live are neither missed nor counted twice: from "ready" on every call is there."""
    storm = lab.start("threads 64 211")
    tracer = lab.attach(storm.pid)
    storm.release()
    assert storm.end() == 0
    session = tracer.finish().whole()
    assert Counter(call["tid"] for call in session.calls_of("getppid")) == {int(tid): 211 for tid in storm.rest.split()}


def test_the_short_spelling(lab: Lab) -> None:
    target = lab.start("calls getppid 1009")
    path, ready = lab.file(".ebt"), lab.file(".ready")
    tracer = lab.program([EBTRACE, "-p", str(target.pid), "-o", path, "--ready-file", ready])
    wait_until(ready.exists)
    target.release()
    target.end()
    assert tracer.end() == 0, tracer.stderr
    assert Session(path).whole().calls("getppid") == 1009


def test_what_is_born_while_the_probes_go_live_is_not_missed(lab: Lab) -> None:
    # GIVEN a program that forks and starts threads all the time
    busy = lab.start("busy 101")
    # WHEN it is taken in meanwhile
    tracer = lab.attach(busy.pid)
    busy.release()
    assert busy.end() == 0
    session = tracer.finish().whole()
    # THEN every process and thread made from then on is there, with all its calls
    made = {kind: [int(line.split()[1]) for line in busy.rest.splitlines() if line.startswith(kind)] for kind in ("process", "thread")}
    calls = Counter(call["tid"] for call in session.calls_of("getppid"))
    assert len(made["process"]) == len(made["thread"]) == 101
    assert {tid: calls[tid] for tid in made["process"] + made["thread"]} == dict.fromkeys(made["process"] + made["thread"], 7)
    assert all(session.processes[pid]["ppid"] == busy.pid for pid in made["process"])
    assert session.calls("getppid") == len(session.calls_of("getppid"))


@pytest.mark.parametrize("what", ["zombie", "headless"])
def test_what_has_ended_before_is_not_waited_for(lab: Lab, what: str) -> None:
    """A child that is a zombie, or a first thread that has ended, makes no call and has no end to come."""
    target = lab.start(f"remains {what} 1009")
    tracer = lab.attach(target.pid)
    target.release()
    assert target.end() == 0
    session = tracer.finish().whole()
    assert session.calls("getppid") == 1009
    assert session.processes[target.pid]["exit_status"] == 0


def test_the_ledger_closes_also_when_stopped_in_a_storm(lab: Lab) -> None:
    storm = lab.start("calls getppid 1000000000")
    storm.release()
    for _ in range(3):
        session = lab.attach(storm.pid, "--duration", "0.2").finish()
        assert session.stats["session"]["complete"] is True
        assert session.calls("getppid") == session.stats["ledger"]["syscalls"]["counted"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_leaves_the_target_running(lab: Lab, number: int) -> None:
    # GIVEN a traced target that is inside a call
    target = lab.start("calls getppid 1009 pause 1 getppid 2003")
    tracer = lab.attach(target.pid)
    target.release()
    assert target.line() == "paused"
    wait_until(lambda: Path(f"/proc/{target.pid}/syscall").read_text().startswith("0 0x0 "))
    # WHEN the tracer is told to stop
    os.kill(tracer.pid, number)
    session = tracer.finish().whole()
    # THEN the open call is accounted for, and the target goes on
    assert session.calls("getppid") == 1009
    assert session.rows["read"]["unfinished"] == 1
    assert [call.get("unfinished", False) for call in session.calls_of("read")] == [False, True]
    assert session.processes[target.pid]["ended_ns"] is None
    target.release()
    assert target.line() == "done"
    assert target.end() == 0


def test_it_ends_after_the_duration(lab: Lab) -> None:
    target = lab.start("calls getppid 1009 pause 1")
    tracer = lab.attach(target.pid, "--duration", "0.5")
    target.release()
    session = tracer.finish().whole()
    assert session.calls("getppid") == 1009
    assert session.stats["session"]["duration_s"] >= 0.4
    assert target.popen.poll() is None


def test_files_opened_before_have_names(lab: Lab) -> None:
    target = lab.start("opened 1009")
    tracer = lab.attach(target.pid)
    target.release()
    assert target.end() == 0
    files = {row["path"]: row for row in tracer.finish().whole().stats["files"]}
    assert (files["/dev/zero"]["reads"], files["/dev/zero"]["read_bytes"]) == (1009, 7063)


def test_a_target_killed_in_a_call(lab: Lab) -> None:
    target = lab.start("blocked read")
    tracer = lab.attach(target.pid)
    target.release()
    wait_until(lambda: Path(f"/proc/{target.pid}/syscall").read_text().startswith("0 0x3 "))
    os.kill(target.pid, signal.SIGKILL)
    assert target.end() == -signal.SIGKILL
    session = tracer.finish().whole()
    assert session.rows["read"]["unfinished"] == 1
    assert session.processes[target.pid]["exit_status"] == 137
