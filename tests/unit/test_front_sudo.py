"""An ordinary user's tracer through sudo: a fake sudo on PATH, and real identities where the tests run as root."""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.unit.front_fake import SESSION
from tests.unit.front_support import FAKE, LIVE, Terminal, until
from tracer.target import rights

ROOT = Path(__file__).parents[2]
NOBODY = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can take another user's identity")


class FakeSudo:
    """A folder for PATH with a `sudo` that runs ``script``; $worker starts the fake worker as sudo would."""

    def __init__(self, front, script, steps=(LIVE,)):
        self.bin = front.folder / "bin"
        self.bin.mkdir()
        plan = json.dumps({"log": str(front.log), "steps": steps})
        (self.bin / "sudo").write_text(
            f"#!/bin/sh\necho \"$@\" >{self.bin}/words\nenv >{self.bin}/env\nls -l /proc/self/fd >{self.bin}/fds\n"
            f"for socket in \"$@\"; do :; done\nworker() {{ '{sys.executable}' '{FAKE}' join '{plan}' \"$socket\"; }}\n{script}\n")
        (self.bin / "sudo").chmod(0o755)
        self.front = front

    def command(self, *words, patience_s=5):
        return [sys.executable, str(FAKE), f"sudo:{patience_s}", *words]

    def run(self, *words, patience_s=5, **variables):
        before = set(Path("/tmp").glob("ebtrace-*"))
        result = subprocess.run(self.command(*words, patience_s=patience_s), cwd=self.front.folder, capture_output=True, text=True, timeout=30,
                                stdin=subprocess.DEVNULL, env={**self.variables(), **variables})
        sockets = [path for path in set(Path("/tmp").glob("ebtrace-*")) - before if (path / "front").exists()]
        assert sockets == []
        return result

    def variables(self):
        return {**{name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}, "PATH": f"{self.bin}:{os.environ['PATH']}"}


def test_the_worker_comes_through_sudo_and_the_target_does_not(front):
    sudo = FakeSudo(front, "worker")
    result = sudo.run("run", "-q", "--", "sh", "-c", "echo $PPID; exit 4")
    assert (result.returncode, result.stderr) == (4, "")
    assert front.received()[1] == {"do": "stop", "exit_status": 4}
    assert (front.folder / front.sessions()[0]).read_bytes() == SESSION
    words = (sudo.bin / "words").read_text().split()
    assert words[:5] == ["--", sys.executable, "-I", "-m", "tracer.worker"]
    assert len(words) == 6
    assert "SUDO_PROMPT=[sudo] password for %p, to start the tracer: " in (sudo.bin / "env").read_text()


def test_sudo_gets_no_descriptor_of_ours_and_no_terminal_to_read(front):
    sudo = FakeSudo(front, "worker")
    sudo.run("run", "-q", "--", "true")
    lines = [line.split()[-3:] for line in (sudo.bin / "fds").read_text().splitlines()[1:]]
    seen = {int(fd): path for fd, _, path in lines if "/proc/" not in path and "bin/fds" not in path}
    assert seen[0].startswith("pipe:")  # ended: with use_pty a sudo that had the terminal there would eat the target's input
    assert set(seen) <= {0, 2, 10}  # 10: the script that sh reads


def test_the_socket_is_private(front):
    sudo = FakeSudo(front, "ls -ld \"${socket%/*}\" >\"$0.socket\"; worker")
    sudo.run("run", "-q", "--", "true")
    assert (sudo.bin / "sudo.socket").read_text().split()[0] == "drwx------"


def test_no_sudo(front, tmp_path):
    (tmp_path / "bin").mkdir()
    for name in ("sh", "touch"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    result = subprocess.run([sys.executable, str(FAKE), "sudo:5", "run", "--", "touch", "ran"], cwd=tmp_path, capture_output=True, text=True,
                            env={"PATH": str(tmp_path / "bin")}, timeout=20)
    assert result.returncode == 3
    assert result.stderr.splitlines() == ["ebtrace: tracing needs root rights, and sudo is not installed",
                                          "run it as root, or give this user the rights that `ebtrace doctor` lists"]
    assert not (tmp_path / "ran").exists()
    assert front.sessions() == []


@pytest.mark.parametrize(("script", "patience_s", "words"), [
    ("exit 1", 5, "sudo refused to start the tracer, and tracing needs root rights"),
    ("kill -INT $$; sleep 5", 5, "cancelled: without root rights nothing can be traced"),
    ("exit 0", 0.3, "sudo ran, but the tracer did not answer within 0 s"),
    ("worker & echo $$ >$0.pid; exec sleep 1000 >/dev/null 2>&1", 0.3, "sudo ran, but the tracer did not answer within 0 s"),
])
def test_a_sudo_that_fails(front, script, patience_s, words):
    sudo = FakeSudo(front, script)
    result = sudo.run("run", "--", "touch", "ran", patience_s=patience_s)
    assert result.returncode == 3
    assert result.stderr.splitlines()[0] == f"ebtrace: {words}"
    assert not (front.folder / "ran").exists()
    assert front.sessions() == []
    if (sudo.bin / "sudo.pid").exists():
        os.kill(int((sudo.bin / "sudo.pid").read_text()), 9)


def test_a_mistake_is_told_before_the_password_is_asked_for(front):
    sudo = FakeSudo(front, "worker")
    (front.folder / "s.ebt").touch()
    for words, status in ((["--", "no-such-command"], 127), (["-o", "s.ebt", "--", "true"], 1), (["-o", "none/x", "--", "true"], 1), ([], 2)):
        assert sudo.run("run", *words).returncode == status
    assert sudo.run("-p", "999999999").returncode == 1
    assert not (sudo.bin / "words").exists()


def test_ctrl_c_at_the_password_ends_it_cleanly(front):
    sudo = FakeSudo(front, "printf 'Password: ' >/dev/tty; stty -echo </dev/tty; trap 'stty echo </dev/tty; exit 1' INT; read line </dev/tty; exit 1")
    with Terminal(sudo.command("run", "--", "touch", "ran"), front.folder, variables=sudo.variables()) as terminal:
        terminal.expect("Password: ")
        terminal.type("\x03")
        terminal.expect("ebtrace: cancelled: without root rights nothing can be traced")
        assert terminal.process.wait(20) == 3
    assert not (front.folder / "ran").exists()
    assert front.sessions() == []


def test_sigterm_while_the_password_is_asked_for(front):
    sudo = FakeSudo(front, "echo $$ >$0.pid; exec sleep 1000")
    process = subprocess.Popen(sudo.command("run", "--", "touch", "ran"), cwd=front.folder, env=sudo.variables(), stdin=subprocess.DEVNULL)
    pid = int(until(lambda: (sudo.bin / "sudo.pid").exists() and (sudo.bin / "sudo.pid").read_text(), "sudo"))
    process.terminate()
    assert process.wait(20) == 128 + 15
    os.kill(pid, 9)
    assert not (front.folder / "ran").exists()
    assert front.sessions() == []


def test_the_worker_has_left_sudo_and_the_terminal_when_the_target_runs(front):
    sudo = FakeSudo(front, "echo $$ >$0.pid; worker")
    gate = front.folder / "gate"
    process = subprocess.Popen(sudo.command("run", "-q", "--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.01; done"), cwd=front.folder,
                               env=sudo.variables(), stdin=subprocess.DEVNULL)
    until(front.received, "the worker to start")
    until(front.sessions, "the session")
    assert not os.path.exists(f"/proc/{(sudo.bin / 'sudo.pid').read_text().strip()}")
    worker, = [pid for pid in front.processes() if pid != process.pid]
    assert os.getsid(worker) == worker
    assert {os.readlink(f"/proc/{worker}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
    gate.touch()
    assert process.wait(20) == 0


def test_a_worker_refuses_the_front_of_another_user(front):
    sudo = FakeSudo(front, f"export SUDO_UID={os.getuid() + 1}; worker 2>/dev/null")
    result = sudo.run("run", "--", "touch", "ran")
    assert (result.returncode, result.stderr.splitlines()[0]) == (3, "ebtrace: sudo refused to start the tracer, and tracing needs root rights")
    assert not (front.folder / "ran").exists()


# identities

@pytest.fixture
def shared():
    """A folder that every user can enter and write to, with the program in it."""
    with tempfile.TemporaryDirectory(prefix="front-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


@pytest.fixture
def open_to_others():
    """Skips where the checkout or its Python lies in a folder that is closed to other users."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tracer.commands._cli; open({str(FAKE)!r}).close()"
    try:
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the checkout or its Python is closed to other users")


def as_user(script, folder, **variables):
    """Runs Python as root under a sudo that was called by nobody."""
    environment = {"PATH": os.environ["PATH"], "SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody", "SUDO_COMMAND": "x",
                   "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/root-shell", "MAIL": "/var/mail/root", "OWN": "1"}
    return subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"], cwd=folder, text=True,
                          capture_output=True, timeout=20, env={**environment, **variables}, umask=0o022)


def front_as(folder, *words, **variables):
    """The front with a fake worker, as root under a sudo that was called by nobody."""
    plan = json.dumps({"log": str(folder / "worker.log"), "steps": [LIVE]})
    return as_user(f"sys.path.insert(0, {str(FAKE.parent)!r})\nimport front_fake\nsys.argv = {['front_fake', plan, *words]!r}\nfront_fake.main()",
                   folder, **variables)


@needs_root
def test_under_sudo_the_target_is_the_user_who_called_it(shared):
    script = "grep -E '^(Uid|Gid|Groups|CapEff|CapPrm)' /proc/self/status; env | sort"
    result = front_as(shared, "run", "-q", "--ready-file", "ready", "--", "sh", "-c", script)
    groups = " ".join(map(str, os.getgrouplist(pwd.getpwuid(NOBODY).pw_name, NOBODY)))
    user = pwd.getpwuid(NOBODY)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[:5] == [f"Uid: {' '.join([str(NOBODY)] * 4)}", f"Gid: {' '.join([str(NOBODY)] * 4)}", f"Groups: {groups}",
                         "CapPrm: 0000000000000000", "CapEff: 0000000000000000"]
    assert set(lines[5:]) - {f"_={shutil.which('env')}"} == {
        f"HOME={user.pw_dir}", f"LOGNAME={user.pw_name}", f"MAIL=/var/mail/{user.pw_name}", "OWN=1", f"PATH={os.environ['PATH']}", f"PWD={shared}",
        f"SHELL={user.pw_shell}", f"USER={user.pw_name}"}
    session, = shared.glob("*.ebt")
    assert (session.stat().st_uid, session.stat().st_gid, stat.S_IMODE(session.stat().st_mode)) == (NOBODY, NOBODY, 0o600)
    assert (shared / "ready").stat().st_uid == NOBODY
    assert json.loads((shared / "worker.log").read_text().splitlines()[0])["do"] == "start"


@needs_root
def test_as_root_keeps_root(shared):
    result = front_as(shared, "run", "-q", "--as-root", "--", "sh", "-c", "id -u; echo $HOME $SUDO_USER")
    assert result.stdout == "0\n/root nobody\n"
    session, = shared.glob("*.ebt")
    assert session.stat().st_uid == 0


@needs_root
def test_plain_root_stays_root(shared):
    result = front_as(shared, "run", "-q", "--", "sh", "-c", "id -u; echo $HOME", SUDO_UID="", SUDO_GID="")
    assert result.stdout == "0\n/root\n"
    assert front_as(shared, "run", "-q", "--", "id", "-u", SUDO_UID="0", SUDO_GID="0").stdout == "0\n"


@needs_root
def test_under_sudo_the_users_rights_decide(shared):
    (shared / "mine").mkdir(mode=0o700)
    (shared / "mine" / "tool").write_text("#!/bin/sh\necho ran\n")
    (shared / "mine" / "tool").chmod(0o755)
    result = front_as(shared, "run", "--", "mine/tool")
    assert (result.returncode, result.stderr) == (126, "ebtrace: cannot run 'mine/tool': Permission denied\n")
    result = front_as(shared, "run", "-o", "mine/s.ebt", "--", "true")
    assert result.returncode == 1
    assert not (shared / "mine" / "s.ebt").exists()


@needs_root
def test_under_sudo_a_missing_command_may_be_sudos_path(shared):
    result = front_as(shared, "run", "--", "no-such-command")
    assert result.returncode == 127
    assert result.stderr.splitlines()[1].startswith("sudo has its own PATH")


@needs_root
def test_a_caller_that_no_password_file_knows(shared):
    result = front_as(shared, "run", "-q", "--", "sh", "-c", "id -u; id -G; echo $HOME $USER", SUDO_UID="54321", SUDO_GID="54322", SUDO_USER="ghost")
    assert result.stdout == "54321\n54322\n/ ghost\n"


@needs_root
def test_an_identity_is_borrowed_and_given_back(shared):
    result = as_user(
        "import os; from tracer.target.privilege import acting_as, caller\n"
        "def ids(): return os.getresuid(), os.getresgid(), os.getgroups()\n"
        "before = ids()\n"
        "try:\n"
        "    with acting_as(caller()): print(os.geteuid(), os.getegid(), os.getuid()); open('file', 'w').close(); raise KeyError\n"
        "except KeyError: print(ids() == before)", shared)
    assert (result.stdout, result.stderr) == (f"{NOBODY} {NOBODY} 0\nTrue\n", "")
    assert (shared / "file").stat().st_uid == NOBODY


@needs_root
@pytest.mark.parametrize(("capabilities", "may"), [("", False), ("+bpf,+perfmon", True), ("+bpf", False), ("+sys_admin", True)])
@pytest.mark.usefixtures("open_to_others")
def test_capabilities_instead_of_root(capabilities, may):
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv, which hands out the capabilities, is not installed")
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tracer.target.rights import can_trace, capable; print(can_trace(), capable(39))"
    sets = [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"] if capabilities else []
    command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *sets, sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert result.stdout == f"{may} {'bpf' in capabilities}\n"


def test_root_may_trace_without_being_asked_which_capabilities(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert rights.can_trace()


@needs_root
@pytest.mark.usefixtures("open_to_others")
def test_an_ordinary_user_is_asked_by_sudo_and_a_sudo_that_gives_no_root_is_noticed(shared):
    """The whole way, `main` as the console script calls it, as nobody."""
    plan = json.dumps({"log": "log", "steps": []})
    (shared / "sudo").write_text(f"#!/bin/sh\nfor socket in \"$@\"; do :; done\nexec '{sys.executable}' '{FAKE}' join '{plan}' \"$socket\"\n")
    (shared / "sudo").chmod(0o755)
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tracer.commands import main; sys.exit(main(['run', '--', 'touch', 'ran']))"
    result = subprocess.run([sys.executable, "-c", script], cwd=shared, capture_output=True, text=True, timeout=20, user=NOBODY, group=NOBODY,
                            extra_groups=[], env={"PATH": f"{shared}:{os.environ['PATH']}"})
    assert (result.returncode, result.stderr.splitlines()[0]) == (3, "ebtrace: sudo did not give the tracer root rights")
    assert [path.name for path in shared.iterdir() if path.name != "log"] == ["sudo"]
