"""The front on a real terminal: Ctrl-C, Ctrl-Z and fg, window size, full-screen programs, the progress line."""

import os
import re
import shutil
import signal
import sys
import time

import pytest

from tests.unit.front_support import ENDED, LIVE, Terminal, sleeping, until

COUNTS = "import os, signal, time\n" \
         "seen = []\n" \
         "for name in ('SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'): signal.signal(getattr(signal, name), lambda number, _: seen.append(number))\n" \
         "print('ready', flush=True)\n" \
         "while not seen: signal.pause()\n" \
         "time.sleep(0.3); print('seen', *map(int, seen), os.get_terminal_size().columns, flush=True)"

# One process: a key that comes while a shell starts another one is sometimes lost on it, with ebtrace or without.
ECHO = "import sys\nprint('up', flush=True)\nfor line in sys.stdin: print('got', line, end='', flush=True)\nsys.exit(9)\n"


@pytest.fixture
def shell(front):
    """An interactive shell, whose function ``ebtrace`` has a worker that is live at once."""
    if shutil.which("bash") is None:
        pytest.skip("bash, which does the job control here, is not installed")
    quoted = " ".join(f"'{word}'" for word in front.command())
    (front.folder / "echo.py").write_text(ECHO)
    (front.folder / "later.py").write_text("import sys, time\nprint('up', flush=True)\ntime.sleep(0.5)\nprint('later')\nsys.exit(3)\n")
    (front.folder / "rc").write_text(
        f"python='{sys.executable}'\nPS1='prompt> '\nbind 'set enable-bracketed-paste off'\n"
        f"ebtrace() {{ command {quoted} \"$@\"; }}\n")
    with Terminal(["bash", "--noprofile", "--rcfile", "rc", "-i"], front.folder) as terminal:
        terminal.expect("prompt> ")
        yield terminal


@pytest.mark.parametrize(("key", "number"), [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
def test_a_key_reaches_the_target_once_and_not_the_front(front, key, number):
    with Terminal(front.command("run", "--", sys.executable, "-c", COUNTS), front.folder) as terminal:
        terminal.expect("ready")
        terminal.type(key)
        terminal.expect(f"seen {number:d} 80\r\n")
        terminal.expect("ebtrace: 12,345 calls")
        assert terminal.process.wait(20) == 0


def test_ctrl_c_ends_a_target_that_does_not_handle_it(shell):
    shell.type("ebtrace run -- sh -c 'echo up; exec sleep 1000'; echo status $?\n")
    shell.expect("up\r\n")
    shell.type("\x03")
    shell.expect("ebtrace: see: ebtrace stats ebtrace-sh")
    shell.expect("status 130")
    shell.type("exit\n")


def test_a_new_window_size_reaches_the_target_once(front):
    with Terminal(front.command("run", "-q", "--", sys.executable, "-c", COUNTS), front.folder) as terminal:
        terminal.expect("ready")
        terminal.resize(10, 33)
        terminal.expect(f"seen {signal.SIGWINCH:d} 33\r\n")


def test_nothing_is_drawn_before_the_target_ends(front):
    with Terminal(front.command("run", "--", "sh", "-c", "printf A; sleep 0.2; printf B"), front.folder) as terminal:
        terminal.process.wait(20)
        assert terminal.rest().startswith("ABebtrace: ")


def test_ctrl_z_and_fg(shell):
    shell.type("ebtrace run -q -- $python echo.py\n")
    shell.expect("up\r\n")
    for n in range(3):
        shell.type("\x1a")
        shell.expect(r"\[1\]\+  Stopped")
        shell.expect("prompt> ")
        shell.type(f"echo shell {n}\n")
        shell.expect(f"\nshell {n}\r\n")
        shell.expect("prompt> ")
        shell.type("fg\n")
        shell.expect("\ncommand .*\r\n")
        shell.type(f"line {n}\n")
        shell.expect(f"got line {n}\r\n")
    shell.type("\x04")
    shell.expect("prompt> ")
    shell.type("echo status $?\n")
    shell.expect("status 9\r\n")
    shell.type("exit\n")


def test_stopped_in_the_background_it_goes_on_with_bg(front, shell):
    shell.type("ebtrace run -q -- $python later.py\n")
    shell.expect("up\r\n")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.type("bg\n")
    shell.expect("later\r\n")
    shell.type("wait %1; echo status $?\n")
    shell.expect("status 3\r\n")
    shell.type("exit\n")


def test_a_target_stopped_alone_takes_the_front_along(shell):
    """As top does: it restores the terminal at Ctrl-Z, then stops itself with SIGSTOP, which the front does not get."""
    shell.type("ebtrace run -q -- sh -c 'echo up; kill -STOP $$; echo again'; echo status $?\n")
    shell.expect("up\r\n")
    shell.expect("Stopped")
    shell.type("fg\n")
    shell.expect("again\r\n")
    shell.type("exit\n")


def test_suspend_in_a_traced_shell(shell):
    shell.type("ebtrace run -q -- bash --norc --noprofile -i\n")
    shell.expect("bash.*[$#] ")
    shell.type("PS1='inner: '\n")
    shell.expect("inner: $")
    shell.type("suspend\n")
    shell.expect("Stopped")
    shell.expect("prompt> ")
    shell.type("fg\n")
    shell.expect("inner: ")
    shell.type("exit 6\n")
    shell.expect("prompt> ")
    shell.type("echo status $?\n")
    shell.expect("status 6\r\n")
    shell.type("exit\n")


def test_without_a_shell_a_stopped_target_is_continued(front):
    """The front leads the terminal's session: nobody could ever continue it."""
    with Terminal(front.command("run", "-q", "--", "sh", "-c", "kill -STOP $$; echo went on"), front.folder) as terminal:
        terminal.expect("went on")
        assert terminal.process.wait(20) == 0


def test_continuing_the_front_alone_continues_the_target(front, shell):
    shell.type("ebtrace run -q -- sh -c 'echo up; kill -STOP $$; echo again $$'\n")
    shell.expect("up\r\n")
    shell.expect("Stopped")
    shell.type("kill -CONT $(jobs -p)\n")
    shell.expect("again")
    shell.type("exit\n")


def test_a_full_screen_program(front, shell):
    if shutil.which("less") is None:
        pytest.skip("less, the full-screen program here, is not installed")
    (front.folder / "lines").write_text("".join(f"line {n}\n" for n in range(1, 301)))
    shell.type("ebtrace run -q -- less lines\n")
    shell.expect("line 20")
    shell.type("G")
    shell.expect("END")
    shell.press_until("\x1a", "Stopped")
    shell.type("stty -a | tr ';' '\\n' | grep -o ' -*icanon'; fg\n")
    shell.expect("\n icanon")
    shell.expect("line 300")
    shell.type("q")
    shell.expect("prompt> ")
    shell.type("echo status $?\n")
    shell.expect("status 0")
    shell.type("exit\n")


def test_hanging_up_the_terminal_ends_target_and_front(front):
    with Terminal(front.command("run", "-q", "--", "sleep", "1000"), front.folder):
        until(lambda: front.received() and front.sessions(), "the start")
        pid = front.received()[0]["pid"]
        until(lambda: os.readlink(f"/proc/{pid}/exe").endswith("sleep") or "sleep" in os.readlink(f"/proc/{pid}/exe"), "exec")
    until(lambda: len(front.received()) == 2, "the end")
    assert front.received()[1]["exit_status"] == 128 + signal.SIGHUP
    assert not os.path.exists(f"/proc/{pid}")


# attach

@pytest.fixture
def sleeper():
    process = sleeping()
    yield process
    process.kill()
    process.wait()


def progress(seconds):
    return {"is": "progress", "seconds": seconds, "calls": 1234567, "lost": 0, "bytes": 4_500_000}


@pytest.mark.parametrize("columns", [80, 20, 2])
def test_the_progress_line_is_rewritten_in_place_and_taken_away(front, sleeper, columns):
    gates = [front.folder / f"gate{n}" for n in range(2)]
    steps = (LIVE, progress(1.0), f"wait {gates[0]}", progress(2.0), f"wait {gates[1]}", ENDED)
    whole = "%d s  1,234,567 calls  0 lost  4.5 MB  (Ctrl-C ends)"
    with Terminal(front.command("-p", sleeper.pid, steps=steps), front.folder, columns=columns) as terminal:
        for n, gate in enumerate(gates):
            terminal.expect(re.escape("\r" + (whole % (n + 1))[:columns - 1] + "\x1b[K"))
            gate.touch()
        terminal.expect(re.escape("\r\x1b[K") + "ebtrace: 12,345 calls")
        assert terminal.process.wait(20) == 0


def test_quiet_and_dumb_terminals_get_no_progress_line(front, sleeper):
    for words, term in ((["-q"], "xterm"), ([], "dumb")):
        command = front.command("-p", sleeper.pid, "--force", *words, steps=(LIVE, progress(1.0), ENDED))
        with Terminal(command, front.folder, variables={"TERM": term}) as terminal:
            assert "lost  " not in terminal.rest()


def test_in_the_background_nothing_is_drawn(front, shell, sleeper):
    go = front.folder / "go"
    quoted = " ".join(f"'{word}'" for word in front.command("-p", sleeper.pid, steps=(LIVE, progress(1.0), f"wait {go}", progress(2.0), ENDED)))
    shell.type(f"{quoted} & \n")
    until(lambda: len(front.received()) >= 1, "the start")
    time.sleep(0.2)
    go.touch()
    shell.expect("ebtrace: see: ")
    assert "1,234,567" not in shell.output.replace(quoted, "")
    shell.type("exit\n")


def test_ctrl_c_ends_attach_well(front, shell, sleeper):
    shell.type(f"ebtrace -p {sleeper.pid}; echo status $?\n")
    until(front.received, "the start")
    until(lambda: front.sessions(), "the session")
    time.sleep(0.1)
    shell.type("\x03")
    shell.expect("status 0")
    assert sleeper.poll() is None
    shell.type("exit\n")
