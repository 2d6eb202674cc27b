"""`ebtrace attach` and `ebtrace -p` with a fake worker: which processes it takes, how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.front_fake import SESSION
from tests.unit.front_support import ENDED, LIVE, sleeping, until
from tracer.commands.attach import _pids
from tracer.errors import UsageError
from tracer.target.process import check, unseen


@pytest.fixture
def target():
    process = sleeping()
    yield process
    assert process.poll() is None, "the target was disturbed"
    process.kill()
    process.wait()


def test_it_ends_when_nothing_is_left_to_trace(front, target):
    result = front.run("-p", target.pid, steps=(LIVE, ENDED))
    assert result.returncode == 0
    assert front.sessions() == [name := f"ebtrace-sleep.{target.pid}.ebt"]
    assert (front.folder / name).read_bytes() == SESSION
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == f"ebtrace: see: ebtrace stats {name}"
    assert front.received()[1] == {"do": "stop", "exit_status": None}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(front, target, number):
    ready = front.folder / "ready"
    process = front.start("attach", "-q", "-p", target.pid, "--ready-file", ready)
    until(ready.exists, "the probes to be live")
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0
    assert (front.folder / front.sessions()[0]).read_bytes() == SESSION


def test_a_signal_before_the_probes_are_live_leaves_nothing(front, target):
    process = front.start("-p", target.pid, steps=(f"wait {front.folder / 'never'}", LIVE))
    until(front.received, "the worker to start")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130
    assert front.sessions() == []


def test_the_worker_is_told_everything(front, target):
    words = ["-o", "s.ebt", "-p", f"{target.pid},{os.getpid()}", "--no-children", "--duration", "2.5", "--counts", "-p", target.pid]
    assert front.run("attach", *words, steps=(LIVE, ENDED)).returncode == 0
    start = front.received()[0]
    assert {name: start[name] for name in ("pid", "pids", "children", "duration_s", "mode", "expression")} == {
        "pid": target.pid, "pids": [target.pid, os.getpid()], "children": False, "duration_s": 2.5, "mode": "counts", "expression": ""}
    assert start["meta"] == {"command": ["sleep", "1000"], "kind": "attach", "cwd": os.getcwd(), "output": str(front.folder / "s.ebt")}


@pytest.mark.parametrize(("step", "words"), [
    ("die", "the tracer was killed by SIGKILL"), ({"is": "failed", "message": "the disk is full", "remedy": "", "status": 1}, "the disk is full")])
def test_a_worker_that_dies_ends_it_and_says_so(front, target, step, words):
    ready = front.folder / "ready"
    result = front.run("-p", target.pid, "--ready-file", ready, steps=(LIVE, f"wait {ready}", step))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"ebtrace: the session is incomplete, but readable up to its last block: {words}",
                                          f"see: ebtrace stats {front.sessions()[0]}"]


def test_a_worker_that_cannot_start_leaves_no_session(front, target):
    result = front.run("-p", target.pid, steps=({"is": "failed", "message": "no", "remedy": "yes", "status": 3},))
    assert (result.returncode, result.stderr) == (3, "ebtrace: no\nyes\n")
    assert front.sessions() == []


def test_progress_is_not_written_to_a_file(front, target):
    progress = {"is": "progress", "seconds": 1.0, "calls": 5, "lost": 0, "bytes": 9}
    assert "calls  " not in front.run("-p", target.pid, steps=(LIVE, progress, ENDED)).stderr


# processes that cannot be traced

def refusal(front, pid):
    result = front.run("-p", pid)
    assert front.sessions() == front.received() == []
    assert result.returncode == 1
    first, second = result.stderr.splitlines()
    return first, second


def test_a_dead_process(front):
    process = subprocess.Popen(["true"])
    process.wait()
    assert refusal(front, process.pid) == (f"ebtrace: there is no process {process.pid}", "list the running ones: ps -ef")
    assert refusal(front, 10**30)[0] == f"ebtrace: there is no process {10**30}"


def test_a_process_that_the_kernel_hides_from_programs_of_its_own():
    mine, gone = os.getpid(), subprocess.Popen(["true"])
    gone.wait()
    assert str(unseen([gone.pid, mine])) == f"this kernel shows process {mine} to no BPF program"
    assert str(unseen([gone.pid])) == f"process {gone.pid} has ended"


def test_a_zombie(front):
    process = subprocess.Popen(["true"])
    until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text(), "the end")
    assert refusal(front, process.pid)[0] == f"ebtrace: process {process.pid} has already ended"
    process.wait()


def test_a_thread(front):
    script = "import threading as t; t.Thread(target=t.Event().wait, daemon=True).start(); print(t.enumerate()[1].native_id, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        thread = int(process.stdout.readline())
        assert refusal(front, thread) == (f"ebtrace: {thread} is a thread of process {process.pid}",
                                          f"trace the process, with all its threads: ebtrace -p {process.pid}")
        process.communicate("\n")


def test_a_kernel_thread(front):
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[6]) & 0x200000:
            assert refusal(front, int(entry.parent.name))[0] == f"ebtrace: {entry.parent.name} is a thread of the kernel"
            return
    pytest.skip("this /proc shows no kernel threads (a container)")


def test_itself():
    from tracer.errors import TargetError

    for pid in (0, os.getpid()):
        with pytest.raises(TargetError, match="cannot trace itself"):
            check(pid, privileged=True)


def test_a_process_of_another_user(front):
    if os.getuid() == 0:
        script = "import os, sys; sys.path.insert(0, sys.argv[1])\n" \
                 "from tracer.errors import PermissionMissing; from tracer.target.process import check\n" \
                 "os.setresuid(65534, 65534, 65534); check(1, privileged=False)\n" \
                 "try: check(1, privileged=True)\n" \
                 "except PermissionMissing as error: print(error.message)"
        result = subprocess.run([sys.executable, "-c", script, str(Path(__file__).parents[2])], capture_output=True, text=True, timeout=20)
        assert (result.stdout, result.stderr) == ("process 1 belongs to another user\n", "")
    else:
        from tracer.errors import PermissionMissing

        check(1, privileged=False)  # sudo will decide
        with pytest.raises(PermissionMissing):
            check(1, privileged=True)


# the words

def test_process_ids_as_strace_takes_them():
    assert _pids(["1"]) == [1]
    assert _pids(["1,2", "3 4\n", "2", "5, 6"]) == [1, 2, 3, 4, 5, 6]
    for words in (["x"], ["1,-2"], ["1.5"], ["²"]):
        with pytest.raises(UsageError, match="takes process ids"):
            _pids(words)
    for words in ([], [""], [" , "]):
        with pytest.raises(UsageError, match="no process is given"):
            _pids(words)


@pytest.mark.parametrize(("words", "message"), [
    (["attach"], "no process is given"), (["-p"], "option '-p' requires an argument"), (["-p", "x"], "-p takes process ids, not 'x'"),
    (["-p", "1", "--duration", "0"], "invalid value for '--duration'"), (["-p", "1", "extra"], "got unexpected extra argument"),
    (["-z"], "no such option"),
])
def test_bad_usage(front, words, message):
    result = front.run(*words)
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first.startswith(f"ebtrace: {message}")
    assert second in ("see: ebtrace attach --help", "see: ebtrace --help", "give one: ebtrace -p PID")
