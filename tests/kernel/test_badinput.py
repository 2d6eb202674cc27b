"""What is asked for in vain: one sentence, the right status, nothing started, nothing overwritten, nothing left behind."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from zlib import crc32

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import cli


def refused(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """The command said what is wrong in its own words, and ended with this status."""
    assert result.returncode == status, result.stderr
    assert result.stderr.startswith(("ebtrace: ", "Usage: ebtrace"))
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.fixture(scope="module")
def dead_pid() -> int:
    """The pid of a process that has ended; pids are given out in turn, so it stays free for a while."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


def test_dead_pid(lab: Lab, dead_pid: int) -> None:
    refused(cli("attach", "-o", lab.folder / "x.ebt", "-p", str(dead_pid)), 1, str(dead_pid))
    assert list(lab.folder.iterdir()) == []


def test_pids_that_are_no_programs(lab: Lab) -> None:
    for pid in ("0", "2"):  # 2 is the kernel's thread that starts kernel threads
        refused(cli("attach", "-o", lab.folder / "x.ebt", "-p", pid), 1)
    assert list(lab.folder.iterdir()) == []


def test_zombie(lab: Lab) -> None:
    zombie = lab.start("calls")
    zombie.release()
    assert zombie.line() == "done"
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    refused(cli("attach", "-o", lab.folder / "x.ebt", "-p", str(zombie.pid)), 1, str(zombie.pid))
    assert list(lab.folder.iterdir()) == []


@pytest.mark.parametrize("words", [
    ("run",), ("run", "--"), ("attach",), ("attach", "-p", "abc"), ("attach", "-p", "-1"), ("nonsense",),
    ("run", "--nonsense", "--", "/bin/true"),
    ("run", "--sample", "0", "--", "/bin/true"), ("run", "--ring-mb", "0", "--", "/bin/true"), ("run", "--transport", "pigeon", "--", "/bin/true"),
    ("run", "--summary", "--counts", "--", "/bin/true"), ("attach", "-p", "1", "--duration", "-1"), ("stats",), ("export", "x.ebt", "--to", "stone"),
])
def test_bad_usage(lab: Lab, words: tuple[str, ...]) -> None:
    refused(cli(*words, cwd=lab.folder), 2)
    assert list(lab.folder.iterdir()) == []


def test_missing_command(lab: Lab) -> None:
    for command in ("/nonexistent/command", "no-such-command-anywhere", ""):
        refused(cli("run", "-o", lab.folder / "x.ebt", "--", command), 127, command)
    assert list(lab.folder.iterdir()) == []


def test_a_command_that_is_not_executable(lab: Lab) -> None:
    plain = lab.file("plain")
    plain.write_text("#!/bin/sh\n")
    for command in (str(plain), str(lab.folder)):
        refused(cli("run", "-o", lab.folder / "x.ebt", "--", command), 126, command)
    assert not (lab.folder / "x.ebt").exists()


def test_an_existing_output_is_kept_without_force(lab: Lab) -> None:
    path, mark = lab.file(".ebt"), lab.file("mark")
    path.write_text("precious")
    refused(cli("run", "-o", path, "--", "touch", mark), 1, str(path), "--force")
    refused(cli("attach", "-o", path, "-p", str(os.getpid())), 1, str(path), "--force")
    assert path.read_text() == "precious"
    assert not mark.exists()
    assert cli("run", "--force", "-o", path, "--", "touch", mark).returncode == 0
    assert mark.exists()
    Session(path).whole()


def test_an_output_that_cannot_be_written(lab: Lab) -> None:
    mark, link = lab.file("mark"), lab.file(".ebt")
    (lab.folder / "precious").write_text("precious")
    link.symlink_to("precious")
    for path in (Path("/nonexistent/folder/x.ebt"), Path("/proc/x.ebt"), lab.folder, link):
        refused(cli("run", "-o", path, "--", "touch", mark), 1, str(path.parent))
    assert not mark.exists()
    assert (lab.folder / "precious").read_text() == "precious"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A whole session."""
    path = tmp_path_factory.mktemp("good") / "good.ebt"
    assert cli("run", "-o", path, "--", "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7; do /bin/echo $i; done").returncode == 0
    return Session(path).whole()


def read_partly(path: Path, good: Session) -> None:
    """Not readable at all, or readable with a sentence on what is missing, or all there (the index may go); never a wrong answer or a crash."""
    shown = cli("stats", "--json", path)
    assert "Traceback" not in shown.stderr
    if shown.returncode != 0:
        refused(shown, 4, str(path))
        return
    session = Session(path)
    facts = session.stats["session"]
    if facts["complete"]:
        assert [session.stats[part] for part in ("ledger", "syscalls", "processes", "files")] == [
            good.stats[part] for part in ("ledger", "syscalls", "processes", "files")]
        return
    assert facts["problems"]
    human = cli("stats", path)
    assert human.returncode == 0
    assert " ".join(facts["problems"][0].split()) in " ".join((human.stdout + human.stderr).split())


FOREIGN = {"empty": b"", "elf": b"\x7fELF" + bytes(500), "text": b"plain text\n" * 100, "zeros": bytes(4096), "gzip": b"\x1f\x8b\x08" + bytes(64)}


@pytest.mark.parametrize("content", FOREIGN)
def test_foreign_files(lab: Lab, content: str) -> None:
    path = lab.file(".ebt")
    path.write_bytes(FOREIGN[content])
    refused(cli("stats", path), 4, str(path))
    refused(cli("stats", "--json", path), 4, str(path))
    refused(cli("export", path, "--to", "jsonl", "-o", "-"), 4, str(path))


def test_a_newer_file_is_told_from_a_foreign_one(lab: Lab, good: Session) -> None:
    path, whole = lab.file(".ebt"), good.path.read_bytes()
    header = whole[:8] + (2).to_bytes(4, "little") + whole[12:16]  # magic, version, session
    path.write_bytes(header + crc32(header).to_bytes(4, "little") + whole[20:])
    refused(cli("stats", path), 4, str(path), "newer")


def test_no_file(lab: Lab) -> None:
    for path in (lab.folder / "missing.ebt", lab.folder):
        refused(cli("stats", path), 4, str(path))


def test_truncated(lab: Lab, good: Session) -> None:
    whole = good.path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9, 1.0):
        path = lab.file(".ebt")
        path.write_bytes(whole[: int(len(whole) * share) - 1])
        read_partly(path, good)


def test_corrupted(lab: Lab, good: Session) -> None:
    whole = good.path.read_bytes()
    random.seed(2)
    for where in (10, *sorted(random.sample(range(20, len(whole)), 7))):
        path = lab.file(".ebt")
        path.write_bytes(whole[:where] + bytes([whole[where] ^ 0x41]) + whole[where + 1 :])
        read_partly(path, good)


def test_a_hole_in_the_middle(lab: Lab, good: Session) -> None:
    path, whole = lab.file(".ebt"), good.path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes(512) + whole[half + 512 :])
    read_partly(path, good)
