"""bpf/process.c: the traced set follows every fork, clone, exec and exit; the processes come out as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import Lab
from tests.kernel.support import cli, wait_until


def test_not_one_of_ten_thousand_short_processes_is_missed(lab: Lab) -> None:
    session = lab.trace("forks 10000").whole()
    printed = [int(line) for line in session.output.splitlines()[1:]]
    (main,) = session.processes.keys() - set(printed)
    assert len(printed) == len(session.processes) - 1 == 10000
    for number, pid in enumerate(printed):
        process = session.processes[pid]
        assert (process["ppid"], process["exit_status"]) == (main, number % 251)
        assert process["started_ns"] <= process["ended_ns"]
    assert session.calls("getppid") == 10000
    assert session.rows["exit_group"]["unfinished"] == session.calls("exit_group") == 10001
    assert (session.calls("clone"), session.calls("vfork"), session.calls("wait4")) == (5000, 5000, 10000)


def test_two_fork_storms_at_once_on_all_processors(lab: Lab) -> None:
    storm = lab.target("forks")
    session = lab.trace(["/bin/sh", "-c", f"{storm} 2003 & {storm} 2003 & wait"]).whole()
    printed = {int(line) for line in session.output.splitlines() if not line.startswith("ready")}
    assert len(printed) == 4006
    assert printed < session.processes.keys()
    assert len(session.processes) == 4006 + 3
    assert session.calls("getppid") >= 4006  # the shell asks once, too


def test_a_storm_of_threads_keeps_their_ids(lab: Lab) -> None:
    session = lab.trace("threads 64 211").whole()
    ready, *tids = session.output.splitlines()
    assert Counter(call["tid"] for call in session.calls_of("getppid")) == {int(tid): 211 for tid in tids}
    assert [process["pid"] for process in session.stats["processes"]] == [int(ready.split()[1])]
    assert {call["pid"] for call in session.calls_of("getppid")} == set(session.processes)
    assert {event["tid"] for event in session.events if event["type"] == "thread"} == {int(tid) for tid in tids}


def test_the_tree_is_what_the_programs_say(lab: Lab) -> None:
    session = lab.trace("family", status=5).whole()
    said = {tuple(line.split()) for line in session.output.splitlines() if line[0].isdigit()}
    assert {(str(process["pid"]), str(process["ppid"])) for process in session.stats["processes"]} == {words[:2] for words in said}
    by_role = Counter(role for _, _, role in said)
    assert by_role == {"parent": 1, "child": 3, "leaf": 1}
    argv = {pid: process["argv"] for pid, process in session.processes.items()}
    for pid, _, role in said:
        if role == "leaf":
            assert argv[int(pid)] == ["family", "leaf"]
            assert session.processes[int(pid)]["exit_status"] == 9
        if role == "parent":
            assert argv[int(pid)] == ["family", "last"]
            assert session.processes[int(pid)]["exit_status"] == 5


def test_long_arguments_are_cut_and_marked(lab: Lab) -> None:
    session = lab.trace("execs chain 100000 3").whole()
    execs = [event for event in session.events if event["type"] == "exec"]
    assert session.rows["execve"]["calls"] == len(execs) == 4
    assert [event["file"] for event in execs] == [lab.target("execs"), *["/proc/self/exe"] * 3]
    assert execs[0]["argv"] == [lab.target("execs"), "chain", "100000", "3"]
    (process,) = session.stats["processes"]
    assert process["argv"][:4] == ["execs", "chain", "100000", "0"]
    assert process["argv_state"] == "cut"
    assert 10_000 < len(process["argv"][4]) < 100_000
    assert set(process["argv"][4][:10_000]) == {"x"}


def test_arguments_below_the_limit_are_whole(lab: Lab) -> None:
    session = lab.trace("execs chain 16000 1").whole()
    (process,) = session.stats["processes"]
    assert process["argv"] == ["execs", "chain", "16000", "0", "x" * 16000]
    assert process["argv_state"] == "whole"


def test_a_thread_that_execs_becomes_the_process(lab: Lab) -> None:
    session = lab.trace(["/usr/bin/env", lab.target("execs"), "thread", "/bin/echo", "hi"]).whole()
    _, ids, said = session.output.splitlines()
    pid, tid = map(int, ids.split())
    assert said == "hi"
    (process,) = session.stats["processes"]
    assert (process["pid"], process["argv"], process["exe"], process["exit_status"]) == (pid, ["/bin/echo", "hi"], "/bin/echo", 0)
    (execed,) = [event for event in session.events if event["type"] == "exec" and event["argv"] == ["/bin/echo", "hi"]]
    assert execed["tid"] == pid
    assert tid != pid
    assert session.calls_of("write")[-1]["tid"] == pid


def test_failed_execs_are_errors_and_hostile_arguments_survive(lab: Lab) -> None:
    session = lab.trace("execs fail").whole()
    assert (session.rows["execve"]["calls"], session.rows["execve"]["errors"]) == (5, 3)
    assert [call.get("error") for call in session.calls_of("execve")] == [None, "ENOENT", "EACCES", "EFAULT", None]
    (process,) = session.stats["processes"]
    assert process["argv"] == ["true", "with space", "", "\udcff\udcfe", "line\nbreak"]
    assert process["exe"] == "/bin/true"


ENDS = [("exit 7", 7), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)]


@pytest.mark.parametrize(("script", "status"), ENDS)
def test_exit_statuses_are_a_shells(lab: Lab, script: str, status: int) -> None:
    session = lab.trace(["/bin/sh", "-c", f"sh -c '{script}' 2>/dev/null; exit 3"], status=3).whole()
    parent, child = session.stats["processes"]
    assert (parent["exit_status"], child["exit_status"]) == (3, status)
    assert child["ppid"] == parent["pid"]
    assert session.stats["session"]["exit_status"] == 3


def test_a_script_is_shown_as_it_was_started(lab: Lab) -> None:
    script = lab.file(".sh")
    script.write_text("#!/bin/sh -e\nexit 11\n")
    script.chmod(0o755)
    session = lab.trace([str(script), "one"], status=11).whole()
    (process,) = session.stats["processes"]
    assert process["argv"] == ["/bin/sh", "-e", str(script), "one"]
    assert str(script) in (process["exe"], *process["argv"])


def test_a_daemon_that_outlives_its_parent_is_not_disturbed(lab: Lab) -> None:
    fifo = lab.file(".fifo")
    os.mkfifo(fifo)
    # GIVEN a command that leaves a daemon behind, which waits until somebody reads its FIFO
    session = lab.trace(f"daemon {fifo} 103", status=6)
    daemon = int(session.output.splitlines()[1])
    # WHEN the command has ended: its status is ours, and the session is whole
    session.whole()
    assert session.processes[daemon]["ended_ns"] is None
    assert session.stats["session"]["exit_status"] == 6
    # THEN the daemon goes on untraced and ends its work
    with fifo.open() as reader:
        assert reader.read() == "done\n"
    wait_until(lambda: not os.path.exists(f"/proc/{daemon}") or "Z" in subprocess.getoutput(f"cat /proc/{daemon}/stat"))
    assert session.calls("getppid") == 0


@pytest.fixture
def many_pids() -> Iterator[None]:
    """The kernel gives out more than 32,768 pids."""
    limit = Path("/proc/sys/kernel/pid_max")
    before = limit.read_text()
    if int(before) < 1 << 17:
        limit.write_text("4194304")
    yield
    limit.write_text(before)


@pytest.mark.usefixtures("many_pids")
@pytest.mark.parametrize("mode", [(), ("--counts",)])
def test_threads_whose_numbers_fall_on_the_same_slot(lab: Lab, mode: tuple[str, ...]) -> None:
    session = lab.trace("kin 1009", *mode).whole()
    pids = list(map(int, session.output.split()))
    calls = {}
    for pid in pids:
        shown = cli("stats", "--json", "--pid", str(pid), session.path)
        (row,) = (row for row in json.loads(shown.stdout)["syscalls"] if row["name"] == "getppid")
        calls[pid] = row["calls"]
    assert calls == dict(zip(pids, (1009, 2018, 3027, 1009)))


def test_rows_of_the_ended_are_used_again_while_others_go_on(lab: Lab) -> None:
    """Processes that find their place for totals taken, and free later; totals are read several times meanwhile."""
    program = """
import os, time
calls = [os.getppid, os.getuid, os.getgid, os.geteuid, os.getegid, os.getpgrp, os.times, os.getcwd, os.sched_yield]
for turn in range(2400):
    if turn % 60 == 0 and os.fork() == 0:
        for more in range(300):
            for call in calls:
                call()
            time.sleep(0.005)
        os._exit(0)
    if os.fork() == 0:
        os.getppid()
        os._exit(0)
    time.sleep(0.001)
while True:
    try: os.wait()
    except ChildProcessError: break
"""
    session = lab.trace([sys.executable, "-c", program]).whole()
    assert session.calls("getppid") == 2400 + 40 * 300
    assert session.calls("sched_yield") == 40 * 300
    assert len(session.calls_of("getppid")) == 2400 + 40 * 300
