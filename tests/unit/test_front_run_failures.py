"""`ebtrace run` with a fake worker: every way it can fail."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.front_fake import SESSION
from tests.unit.front_support import LIVE, until


def zombies_of(parent):
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [pid for pid in children if ") Z " in Path(f"/proc/{pid}/stat").read_text()]


# commands that cannot be run

def test_a_missing_command(front):
    result = front.run("run", "--", "no-such-command")
    assert (result.returncode, result.stderr) == (127, "ebtrace: cannot run 'no-such-command': No such file or directory\n")
    assert front.sessions() == front.received() == []


def test_files_that_are_no_commands(front):
    (front.folder / "plain").write_text("#!/bin/sh\n")
    for word, status, reason in (("./plain", 126, "Permission denied"), (".", 127, "No such file or directory"), ("/", 126, "Permission denied"),
                                 ("./none", 127, "No such file or directory"), ("./plain/x", 126, "Not a directory"),
                                 ("", 127, "No such file or directory")):
        result = front.run("run", "--", word)
        assert (result.returncode, result.stderr) == (status, f"ebtrace: cannot run {word!r}: {reason}\n")
    assert front.sessions() == front.received() == []


def test_path_is_searched_as_the_shell_does(front):
    for folder, mode in (("first", 0o644), ("second", 0o755)):
        (front.folder / folder).mkdir()
        (front.folder / folder / "tool").write_text("#!/bin/sh\necho $0\n")
        (front.folder / folder / "tool").chmod(mode)
    path = os.environ["PATH"]
    result = front.run("run", "-q", "--", "tool", env={"PATH": f"none:first:second:{path}"})
    assert result.stdout == "second/tool\n"
    result = front.run("run", "-q", "--", "tool", env={"PATH": f"first:{path}"})
    assert (result.returncode, result.stderr) == (126, "ebtrace: cannot run 'tool': Permission denied\n")
    result = front.run("run", "-q", "-o", "other", "--", "tool", cwd=front.folder / "second", env={"PATH": f":{path}"})
    assert result.returncode == 0


def test_a_script_without_an_interpreter_line_runs_in_sh(front):
    script = front.folder / "script"
    script.write_text("echo $# $1; exit 4\n")
    script.chmod(0o755)
    result = front.run("run", "-q", "--", "./script", "a b", "c")
    assert (result.returncode, result.stdout) == (4, "2 a b\n")


def test_an_exec_that_fails_late_leaves_no_session(front):
    script = front.folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    result = front.run("run", "--", "./script")
    assert result.returncode == 127
    assert result.stderr == "ebtrace: cannot run './script': No such file or directory\n" \
                            "its interpreter is missing: see the first line of ./script\n"
    assert front.sessions() == []


def test_a_program_that_itself_ends_with_127_keeps_its_session(front):
    assert front.run("run", "-q", "--", "sh", "-c", "exit 127").returncode == 127
    assert len(front.sessions()) == 1


# errors

def test_an_existing_output_is_not_overwritten(front):
    kept, ran = front.folder / "kept.ebt", front.folder / "ran"
    kept.write_text("kept")
    result = front.run("run", "-o", "kept.ebt", "--", "touch", ran)
    assert result.returncode == 1
    assert "--force" in result.stderr
    assert (kept.read_text(), ran.exists()) == ("kept", False)
    assert front.run("run", "-q", "-o", "kept.ebt", "--force", "--", "touch", ran).returncode == 0
    assert (kept.read_bytes(), ran.exists()) == (SESSION, True)


def test_an_output_that_cannot_be_made(front):
    result = front.run("run", "-o", "none/s.ebt", "--", "touch", "ran")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 2
    assert not (front.folder / "ran").exists()


@pytest.mark.parametrize(("status", "remedy"), [(1, ""), (2, "do that"), (3, "do this"), (3, None)])
def test_a_worker_that_fails_before_it_is_live(front, status, remedy):
    failed = {"is": "failed", "message": "no BPF here", "status": status, **({} if remedy is None else {"remedy": remedy})}
    result = front.run("run", "--", "touch", "ran", steps=(failed,))
    assert result.returncode == status
    expected = ["ebtrace: no BPF here"] + ([remedy] if remedy else ["see what this host can do: ebtrace doctor"] if remedy is None else [])
    assert result.stderr.splitlines() == expected
    assert front.sessions() == []
    assert not (front.folder / "ran").exists()


@pytest.mark.parametrize(("step", "words"), [
    ("die", "ebtrace: the tracer was killed by SIGKILL before it was ready"),
    ("crash", "ebtrace: the tracer failed: ValueError: fake crash (front_fake.py:"),
])
def test_a_worker_that_dies_before_it_is_live(front, step, words):
    result = front.run("run", "--", "touch", "ran", steps=(step,))
    assert result.returncode == 1
    assert result.stderr.startswith(words)
    assert front.sessions() == []
    assert not (front.folder / "ran").exists()


@pytest.mark.parametrize(("step", "words"), [
    ("die", "the tracer was killed by SIGKILL"),
    ("crash", "the tracer failed: ValueError: fake crash"),
    ({"is": "failed", "message": "the disk is full", "remedy": "", "status": 1}, "the disk is full"),
])
def test_a_worker_that_dies_later_does_not_disturb_the_target(front, step, words):
    gate = front.folder / "gate"
    script = "echo up; read line; echo $line; exit 9"
    process = front.start("run", "-q", "--", "sh", "-c", script, steps=(LIVE, f"wait {gate}", step), stdin=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    gate.touch()
    if step == "die":  # the front hears of it, and stays: its child, the worker, is a zombie until the target's end
        worker = until(lambda: zombies_of(process.pid), "the worker's death")
        assert len(worker) == 1
    out, err = process.communicate("still here\n", timeout=20)
    assert (process.returncode, out) == (9, "still here\n")
    first, second = err.splitlines()
    assert first.startswith(f"ebtrace: the session is incomplete, but readable up to its last block: {words}")
    assert second == f"see: ebtrace stats {front.sessions()[0]}"


def test_a_closed_stderr_changes_nothing(front):
    command = ["sh", "-c", "exec 0<&- 2>&-; exec \"$@\"", "sh", *front.command("run", "--", "sh", "-c", "ls -l /proc/$$/fd; exit 5")]
    result = subprocess.run(command, cwd=front.folder, stdout=subprocess.PIPE, text=True, timeout=20)
    assert result.returncode == 5
    assert [line.split()[-3] for line in result.stdout.splitlines()[1:]] == ["1"]
    assert len(front.received()) == 2
