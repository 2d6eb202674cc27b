"""Whatever is killed or runs full: the file reads up to there and says so, the kernel is clean, the target runs on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session, Tracer
from tests.kernel.objects import alive, held_by
from tests.kernel.support import cli, need, wait_until

FIRST, SECOND = 200_003, 2003
COMMAND = f"calls getppid {FIRST} pause 1 getppid {SECOND}"


def gone(*pids: int) -> bool:
    """No such process runs any more."""
    return all(_state(pid) in "XZ" for pid in pids)


def _state(pid: int) -> str:
    """Its letter in /proc/PID/stat; X, dead, for one that does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def something_written(tracer: Tracer) -> bool:
    """Records and totals of the storm are in the file; it is read while it is written."""
    return cli("stats", tracer.path).returncode == 0 and Session(tracer.path).calls("getppid") > 0


@pytest.mark.parametrize("victims", ["worker", "front", "worker front"])
def test_kill_9_of_the_tracer(lab: Lab, victims: str) -> None:
    # GIVEN a session that has written something
    target = lab.start(COMMAND)
    tracer = lab.attach(target.pid)
    worker = tracer.worker()
    objects = held_by(worker)
    assert {kind for kind, _ in objects} == {"prog", "map", "link"}
    assert alive(objects) == objects
    target.release()
    assert target.line() == "paused"
    wait_until(lambda: something_written(tracer))
    # WHEN one half of the tracer, or both, are killed
    for victim in victims.split():
        os.kill({"worker": worker, "front": tracer.pid}[victim], signal.SIGKILL)
    status = tracer.end()
    # THEN no process and nothing in the kernel is left behind
    wait_until(lambda: gone(worker, tracer.pid))
    wait_until(lambda: not alive(objects))
    # AND the file says what it is
    session = Session(tracer.path)
    assert 0 < session.calls("getppid") <= FIRST
    assert len(session.events) > 0
    if "worker" in victims:
        assert session.stats["session"]["complete"] is False
        assert session.stats["session"]["exit_status"] is None
    else:
        assert session.stats["session"]["complete"] is True
        assert session.calls("getppid") == FIRST
    if victims == "worker":
        assert status == 1
        assert "Traceback" not in tracer.stderr
    # AND the target runs on undisturbed
    target.release()
    assert target.line() == "done"
    assert target.end() == 0


@pytest.mark.parametrize("victim", ["worker", "front"])
def test_kill_9_under_run(lab: Lab, victim: str) -> None:
    tracer = lab.tracer("run", "--", lab.target("calls"), *COMMAND.split()[1:])
    pid = tracer.ready()
    worker = tracer.worker(pid)
    objects = held_by(worker)
    tracer.release()
    assert tracer.line() == "paused"
    wait_until(lambda: something_written(tracer))
    os.kill(worker if victim == "worker" else tracer.pid, signal.SIGKILL)
    wait_until(lambda: not alive(objects))
    tracer.release()
    assert tracer.line() == "done"
    wait_until(lambda: gone(pid))
    assert tracer.end() == (0 if victim == "worker" else -signal.SIGKILL)
    session = Session(tracer.path)
    assert session.stats["session"]["complete"] == (victim == "front")
    assert 0 < session.calls("getppid") <= FIRST


def test_a_session_that_ends_well_leaves_nothing_in_the_kernel(lab: Lab) -> None:
    target = lab.start("calls")
    tracer = lab.attach(target.pid)
    worker = tracer.worker()
    objects = held_by(worker)
    target.release()
    target.end()
    tracer.finish().whole()
    assert gone(worker)
    wait_until(lambda: not alive(objects))


def test_the_target_is_killed(lab: Lab) -> None:
    tracer = lab.tracer("run", "--", lab.target("calls"), "getppid", "1009", "pause", "1")
    pid = tracer.ready()
    tracer.release()
    assert tracer.line() == "paused"
    os.kill(pid, signal.SIGKILL)
    assert tracer.end() == 137
    session = Session(tracer.path).whole()
    assert session.calls("getppid") == 1009
    assert session.processes[pid]["exit_status"] == session.stats["session"]["exit_status"] == 137


def test_a_reading_half_that_stands_still_does_not_stop_the_target(lab: Lab) -> None:
    target = lab.start("calls getppid 300007 fork 11")
    tracer = lab.attach(target.pid, "--ring-mb", "1")
    worker = tracer.worker()
    os.kill(worker, signal.SIGSTOP)
    target.release()
    assert target.line() == "done"
    assert target.end() == 0
    os.kill(worker, signal.SIGCONT)
    session = tracer.finish()
    assert session.calls("getppid") == 300007
    assert session.lost > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "ebtrace-test", folder], capture_output=True, check=False)
    need(mounted.returncode == 0, "needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_the_session_and_not_the_target(lab: Lab, small_disk: Path) -> None:
    path = small_disk / "session.ebt"
    (small_disk / "filler").write_bytes(bytes(40_000))
    tracer = lab.tracer("run", "--", lab.target("torn"), "300007", path=path, stdin=subprocess.DEVNULL)
    tracer.ready()
    status = tracer.end()
    assert status == 0  # the target's: it was not disturbed
    assert str(path) in tracer.stderr
    assert "Traceback" not in tracer.stderr
    session = Session(path)
    assert session.stats["session"]["complete"] is False
    assert path.stat().st_size <= 24 * 1024
