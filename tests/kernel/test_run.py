"""`ebtrace run`: the target gets the world it would get without us, and gives back its own status."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import EBTRACE, Program, wait_until


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 1", 1), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_the_status_is_the_targets(lab: Lab, script: str, status: int) -> None:
    session = lab.trace(["/bin/sh", "-c", script], status=status).whole()
    assert session.stats["session"]["exit_status"] == status
    assert session.stats["session"]["command"] == ["/bin/sh", "-c", script]


def test_streams_pass_through(lab: Lab) -> None:
    data = b"a\0b\xff" * 50_000
    words = [EBTRACE, "run", "-o", lab.file(".ebt"), "--", "/bin/sh", "-c", "cat; echo told >&2"]
    result = subprocess.run(words, input=data, capture_output=True, check=True, timeout=60)
    assert result.stdout == data
    assert b"told\n" in result.stderr


@pytest.mark.parametrize("look", [
    "grep -E '^(Sig|Shd|Cap|Uid|Gid|Groups|Umask|NoNewPrivs|Seccomp|Cpus_allowed)' /proc/self/status | grep -v SigQ",
    "ls /proc/self/fd", "env | grep -v '^_=' | sort", "cat /proc/self/limits", "pwd", "cat /proc/self/oom_score_adj", "nice",
    "cut -d' ' -f6,19 /proc/self/stat",  # session and nice value
])
def test_the_target_sees_the_same_world(lab: Lab, look: str) -> None:
    command = ["/bin/sh", "-c", look]
    plain = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=True, cwd=lab.folder)
    assert lab.trace(command, cwd=lab.folder).whole().output == plain.stdout != ""


@pytest.mark.parametrize("before", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "7</etc/passwd", "trap '' HUP INT USR1", "ulimit -S -n 32"])
def test_the_target_inherits_what_the_shell_gave(lab: Lab, before: str) -> None:
    """Closed descriptors stay closed and never become the session file; others, ignored signals and limits come through."""
    before = before if before[:1].isalpha() else f"exec {before}"
    look, seen = "ls /proc/self/fd; grep Sig[BI] /proc/self/status; ulimit -n", [lab.file("plain"), lab.file("traced")]
    path = lab.file(".ebt")
    subprocess.run(["/bin/sh", "-c", f'{before}; exec sh -c "({look}) >{seen[0]}"'], check=True, timeout=60)
    subprocess.run(["/bin/sh", "-c", f'{before}; exec {EBTRACE} run -o {path} -- sh -c "({look}) >{seen[1]}"'], check=True, timeout=60)
    assert seen[0].read_text() == seen[1].read_text() != ""
    Session(path).whole()


def test_the_first_call_is_the_exec(lab: Lab) -> None:
    """Nothing of the launcher is in the session, however the command is found."""
    folder = Path(lab.target("calls")).parent
    session = lab.trace(["calls"], env=os.environ | {"PATH": f"/nonexistent:/etc:{folder}:/bin"}).whole()
    first = min((event for event in session.events if event["type"] == "syscall"), key=lambda event: event["ts_ns"])
    assert first["name"] == "execve"
    assert session.returned == lab.strace("calls")


def test_many_at_once_disturb_neither_each_other_nor_the_start(lab: Lab) -> None:
    """With more to do than processors, nothing of the launcher slips into a session, and nothing of the target out of it."""
    tracers = [lab.tracer("run", "--", lab.target("calls"), "getppid", "1009", stdin=subprocess.DEVNULL) for _ in range(16)]
    expected = lab.strace("calls getppid 1009")
    for tracer in tracers:
        assert tracer.finish().whole().returned == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_signals_reach_the_target(lab: Lab, number: int) -> None:
    tracer = lab.tracer("run", "--", lab.target("signalled"))
    tracer.ready()
    os.kill(tracer.pid, number)
    assert tracer.line() == f"signal {number}"
    assert tracer.end() == 5
    assert Session(tracer.path).whole().stats["session"]["exit_status"] == 5


def test_default_name_of_the_session(lab: Lab) -> None:
    tracer = Program([EBTRACE, "run", "--", lab.target("calls")], cwd=lab.folder)
    pid = tracer.ready()
    assert tracer.end() == 0
    tracer.close()
    path = lab.folder / f"ebtrace-calls.{pid}.ebt"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Session(path).whole().stats["session"]["pid"] == pid


def test_words_after_the_command_are_its_own(lab: Lab) -> None:
    assert lab.trace(["/bin/echo", "-o", "x", "--help", "--", "-p"]).output == "-o x --help -- -p\n"


class Terminal:
    """A program on a terminal of its own, of 37 lines and 111 columns."""

    def __init__(self, words: list[str | Path]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 37, 111, 0, 0))
        self.program = Program(
            words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.shown = ""

    def shows(self, text: str) -> bool:
        """Whether the text has been written to the terminal by now."""
        try:
            self.shown += os.read(self.master, 65536).decode(errors="surrogateescape")
        except OSError:  # nothing yet, or (EIO) no program left on the terminal
            pass
        return text in self.shown

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        status = self.program.end()
        self.shows("")
        self.program.close()
        os.close(self.master)
        return status


def test_a_terminal_looks_the_same(lab: Lab) -> None:
    shown = []
    for words in ([lab.target("terminal")], [EBTRACE, "run", "-o", lab.file(".ebt"), "--", lab.target("terminal")]):
        terminal = Terminal(words)
        wait_until(lambda terminal=terminal: terminal.shows("line mode"))
        terminal.type("typed\n")
        wait_until(lambda terminal=terminal: terminal.shows("line typed"))
        assert terminal.end() == 0
        shown.append(terminal.shown)
    plain, traced = shown
    assert plain.startswith("tty 111 size 37x111 foreground 1 line mode 1")
    assert traced.startswith(plain)


@pytest.mark.parametrize(("command", "status"), [("signalled", 5), ("blocked read", 130)])
def test_ctrl_c_goes_to_the_target_only(lab: Lab, command: str, status: int) -> None:
    name, *words = command.split()
    path = lab.file(".ebt")
    terminal = Terminal([EBTRACE, "run", "-o", path, "--", lab.target(name), *words])
    wait_until(lambda: terminal.shows("ready"))
    if words:
        terminal.type("\n")
        pid = int(terminal.shown.split("ready ")[1].split()[0])
        wait_until(lambda: b"pipe" in os.readlink(f"/proc/{pid}/fd/3").encode() and Path(f"/proc/{pid}/syscall").read_text().startswith("0 0x3 "))
    terminal.type("\x03")
    assert terminal.end() == status
    assert Session(path).whole().stats["session"]["exit_status"] == status
