"""Who the target is, whose the session file is, and what happens without rights. Makes a temporary user with sudo rights, and removes it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import DEADLINE, EBTRACE, need


@dataclass
class User:
    """A temporary ordinary user and a folder that is his."""

    name: str
    uid: int
    gid: int
    home: Path

    def identity(self) -> dict[str, Any]:
        """Options that make subprocess start a program as this user, on no terminal."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "USER": self.name, "TMPDIR": str(self.home / "tmp"), "MARK": "kept"}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "env": environment, "cwd": self.home, "start_new_session": True}

    def runs(self, *words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "encoding": "utf-8", "timeout": DEADLINE, "check": False}
        return subprocess.run([*words], **(options | self.identity() | more))


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    """A new user without any rights."""
    need(shutil.which("useradd") is not None, "needs useradd")
    name = f"ebtrace{os.getpid()}"
    subprocess.run(["useradd", "--no-create-home", "--user-group", "--shell", "/bin/sh", name], check=True, capture_output=True)
    try:
        entry = pwd.getpwnam(name)
        with tempfile.TemporaryDirectory(prefix="ebtrace-home-") as folder:
            home = User(name, entry.pw_uid, entry.pw_gid, Path(folder))
            (home.home / "tmp").mkdir()
            for path in (home.home, home.home / "tmp"):
                os.chown(path, entry.pw_uid, entry.pw_gid)
            need(home.runs(EBTRACE, "--version").returncode == 0, "needs a checkout that other users may read")
            yield home
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)


@pytest.fixture
def sudoer(user: User) -> Iterator[User]:
    """The same user while he may use sudo without a password."""
    need(shutil.which("sudo") is not None, "needs sudo")
    rule = Path("/etc/sudoers.d") / user.name
    try:
        rule.write_text(f"{user.name} ALL=(ALL) NOPASSWD: ALL\n")
        rule.chmod(0o440)
        yield user
    finally:
        rule.unlink()


def is_his(path: Path, user: User) -> bool:
    status = path.stat()
    return (status.st_uid, status.st_gid, status.st_mode & 0o777) == (user.uid, user.gid, 0o600)


def test_run_by_an_ordinary_user_with_sudo_rights(lab: Lab, sudoer: User) -> None:
    path = sudoer.home / "run.ebt"
    look = "id -u; id -G; id -ru; pwd; umask; env | grep -v '^_=' | sort; ls /proc/self/fd; grep -E '^(Sig[BIC]|Cap)' /proc/self/status"
    plain = sudoer.runs("/bin/sh", "-c", look)
    traced = sudoer.runs(EBTRACE, "run", "-o", path, "--", "/bin/sh", "-c", look)
    assert traced.returncode == 0, traced.stderr
    assert traced.stdout == plain.stdout
    assert traced.stdout.startswith(f"{sudoer.uid}\n")
    assert is_his(path, sudoer)
    assert list((sudoer.home / "tmp").iterdir()) == []
    assert Session(path).whole().calls("execve") >= 5


def test_counts_are_exact_through_sudo(lab: Lab, sudoer: User) -> None:
    path = sudoer.home / "family.ebt"
    traced = sudoer.runs(EBTRACE, "run", "-o", path, "--", lab.target("family"))
    assert traced.returncode == 5, traced.stderr
    assert Session(path).whole().returned == lab.strace("family")


def test_attach_by_an_ordinary_user_with_sudo_rights(lab: Lab, sudoer: User) -> None:
    with Lab(sudoer.home, lab.target) as his:
        target = his.start("calls getppid 1009", **sudoer.identity())
        tracer = his.attach(target.pid, **sudoer.identity())
        target.release()
        assert target.end() == 0
        assert tracer.finish().whole().calls("getppid") == 1009
        assert is_his(tracer.path, sudoer)


def test_sudo_ebtrace_run_keeps_the_user(sudoer: User) -> None:
    path = sudoer.home / "sudo.ebt"
    traced = sudoer.runs("sudo", "-n", EBTRACE, "run", "-o", path, "--", "/bin/sh", "-c", "id -u; id -G; id -ru")
    assert traced.returncode == 0, traced.stderr
    assert traced.stdout == sudoer.runs("/bin/sh", "-c", "id -u; id -G; id -ru").stdout
    assert is_his(path, sudoer)
    assert Session(path).whole().calls("execve") >= 3


def test_sudo_ebtrace_run_as_root_is_asked_for(sudoer: User) -> None:
    path = sudoer.home / "root.ebt"
    traced = sudoer.runs("sudo", "-n", EBTRACE, "run", "--as-root", "-o", path, "--", "id", "-u")
    assert (traced.returncode, traced.stdout) == (0, "0\n"), traced.stderr


def test_without_rights_nothing_is_started(user: User) -> None:
    mark, path = user.home / "mark", user.home / "none.ebt"
    refused = user.runs(EBTRACE, "run", "-o", path, "--", "touch", mark)
    assert refused.returncode == 3
    assert refused.stderr.splitlines()[-2 if len(refused.stderr.splitlines()) > 1 else -1].startswith("ebtrace: ")
    assert "Traceback" not in refused.stderr
    assert not mark.exists()
    assert not path.exists()


def test_another_users_process_without_rights(lab: Lab, user: User) -> None:
    target = lab.start("calls")
    refused = user.runs(EBTRACE, "attach", "-p", str(target.pid), "-o", user.home / "other.ebt")
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    assert not (user.home / "other.ebt").exists()
    target.release()
    assert target.end() == 0


def test_a_folder_he_may_not_write_to(lab: Lab, sudoer: User) -> None:
    """The file is opened as the user who typed the command, though the tracer could write anywhere."""
    mark = sudoer.home / "mark"
    refused = sudoer.runs(EBTRACE, "run", "-o", "/etc/ebtrace-test.ebt", "--", "touch", mark)
    assert refused.returncode == 1
    assert "ebtrace-test.ebt" in refused.stderr
    assert not Path("/etc/ebtrace-test.ebt").exists()
    assert not mark.exists()


def test_capabilities_instead_of_root(lab: Lab, user: User) -> None:
    need(shutil.which("capsh") is not None, "needs capsh: apt install libcap2-bin")
    capabilities, path = "cap_bpf,cap_perfmon", user.home / "caps.ebt"
    words = ["capsh", "--keep=1", f"--user={user.name}", f"--inh={capabilities}", f"--addamb={capabilities}", "--", "-c", 'exec "$@"', "sh"]
    traced = user.runs(*words, EBTRACE, "run", "-o", path, "--", lab.target("calls"), "getppid", "1009", user=0, group=0)
    assert traced.returncode == 0, traced.stderr
    assert Session(path).whole().calls("getppid") == 1009
    assert is_his(path, user)
