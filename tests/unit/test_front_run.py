"""`ebtrace run` with a fake worker: holding, exit statuses, what the target inherits, and signals."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.front_fake import SESSION
from tests.unit.front_support import LIVE, until

SEEN = "import os, signal, sys, time\n" \
       "def note(number, _): os.write(1, signal.Signals(number).name.encode() + b'\\n'); os._exit(23)\n" \
       "signal.signal(int(sys.argv[1]), note)\n" \
       "os.write(1, b'ready\\n')\n" \
       "while True: time.sleep(10)\n"


def target_pid(front):
    return until(front.received, "the worker to start")[0]["pid"]


# exit status and session

@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_the_exit_status_is_the_commands(front, status):
    assert front.run("run", "--", "sh", "-c", f"exit {status}").returncode == status
    assert front.received()[1] == {"do": "stop", "exit_status": status}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_command_ended_by_a_signal(front, number):
    assert front.run("run", "--", "sh", "-c", f"kill -{number:d} $$").returncode == 128 + number
    assert front.received()[1]["exit_status"] == 128 + number


def test_the_session_is_private_and_named_after_the_command(front):
    result = front.run("run", "--", "/bin/sh", "-c", "echo out; echo err >&2")
    pid = front.received()[0]["pid"]
    assert front.sessions() == [f"ebtrace-sh.{pid}.ebt"]
    path = front.folder / f"ebtrace-sh.{pid}.ebt"
    assert path.read_bytes() == SESSION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert result.stdout == "out\n"
    assert result.stderr.splitlines() == [
        "err",
        "ebtrace: 12,345 calls in 678 bytes",
        "ebtrace: 111 events = 101 delivered + 7 sampled out + 3 lost (syscalls 3)",
        f"ebtrace: see: ebtrace stats {path.name}",
    ]


def test_quiet_says_nothing_but_problems(front):
    assert front.run("run", "-q", "--", "true").stderr == ""
    done = {"is": "done", "calls": 1, "session_bytes": 2, "ledger": {}, "problems": ["a problem"]}
    assert front.run("run", "-q", "-o", "other", "--", "true", plan={"done": done}).stderr == "ebtrace: a problem\n"


def test_the_worker_is_told_everything(front):
    options = ["-o", "s.ebt", "-e", "trace=%file", "-e", "signal=none", "--summary", "--transport", "perf", "--ring-mb", "8", "--sample", "10", "-f",
               "--max-body", "2M", "--no-redact"]
    assert front.run("run", *options, "--", "echo", "-e", "--", "x").returncode == 0
    start = front.received()[0]
    pid, fd, begun_ns = start.pop("pid"), start.pop("fd"), start.pop("begun_ns")
    assert 0 < time.monotonic_ns() - begun_ns < 20e9
    assert start == {
        "do": "start", "mode": "summary", "transport": "perf", "pids": [pid], "children": True, "expression": "trace=%file;signal=none",
        "sample": 10, "ring_mb": 8, "duration_s": None, "max_body": 2 << 20, "redact": False,
        "meta": {"command": ["echo", "-e", "--", "x"], "kind": "run", "cwd": str(front.folder), "output": str(front.folder / "s.ebt")},
    }
    assert isinstance(fd, int)


def test_options_end_at_the_command_also_without_dashes(front):
    assert front.run("run", "-q", "echo", "-q", "--help").stdout == "-q --help\n"


def test_an_argument_need_not_be_text(front):
    result = front.run("run", "-q", "--", "printf", "%s", b"\xff\xfe".decode(errors="surrogateescape"), text=False)
    assert result.stdout == b"\xff\xfe"
    assert front.received()[0]["meta"]["command"][2] == "\udcff\udcfe"


# holding

def test_the_target_is_held_until_the_probes_are_live(front):
    go, ran, ready = (front.folder / name for name in ("go", "ran", "ready"))
    process = front.start("run", "-q", "--ready-file", ready, "--", "touch", ran, steps=(f"wait {go}", LIVE))
    pid = target_pid(front)
    until(lambda: "pipe_read" in (wchan := Path(f"/proc/{pid}/wchan").read_text()) or wchan == "0", "the target to be held")
    assert os.path.samefile(f"/proc/{pid}/exe", sys.executable)
    assert not ran.exists()
    assert not ready.exists()
    go.touch()
    assert process.wait(20) == 0
    assert ran.exists()
    assert ready.read_text() == f"{pid}\n"
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_held_ends_everything_without_exec(front, number):
    ran = front.folder / "ran"
    process = front.start("run", "--", "touch", ran, steps=(f"wait {front.folder / 'never'}", LIVE))
    pid = target_pid(front)
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 128 + number
    assert not os.path.exists(f"/proc/{pid}")
    assert not ran.exists()
    assert front.sessions() == []


def test_a_target_killed_while_held(front):
    process = front.start("run", "--", "true", steps=(f"wait {front.folder / 'never'}", LIVE))
    os.kill(target_pid(front), signal.SIGKILL)
    assert process.wait(20) == 128 + signal.SIGKILL
    assert front.sessions() == []
    process.communicate()


def test_a_front_killed_while_holding_takes_the_target_along(front):
    ran = front.folder / "ran"
    process = front.start("run", "--", "touch", ran, steps=(f"wait {front.folder / 'never'}", LIVE))
    pid = target_pid(front)
    process.kill()
    process.communicate()
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the held target to leave")
    assert not ran.exists()


def test_a_front_killed_later_leaves_the_target_alone(front):
    process = front.start("run", "--", "sh", "-c", "echo $$; read line; echo survived", stdin=subprocess.PIPE)
    assert process.stdout.readline()
    process.kill()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "survived\n"
    process.communicate()
    until(lambda: len(front.received()) == 2, "the worker to notice")
    assert front.received()[1] is None


def test_exec_is_the_first_call_that_a_tracer_sees(front):
    if subprocess.run(["sh", "-c", "command -v strace"], capture_output=True).returncode:
        pytest.skip("strace, which shows the calls, is not installed")
    trace = front.folder / "trace"
    variables = {**os.environ, **{f"FILLER_{n}": "x" * 500 for n in range(300)}}
    probe = subprocess.run(["strace", "-f", "-o", trace, *front.command("run", "-q", "--", "true", *["y" * 100] * 2000)],
                           cwd=front.folder, env=variables, capture_output=True, timeout=60)
    if b"PTRACE" in probe.stderr:
        pytest.skip("strace may not trace here")
    pid = str(front.received()[0]["pid"])
    calls = [words[1] for line in trace.read_text().splitlines() if (words := line.split(maxsplit=1))[0] == pid and "resumed>" not in words[1]]
    exec_at = max(n for n, call in enumerate(calls) if call.startswith("execve("))
    assert calls[exec_at - 1].startswith("read(")


# what the target inherits

@pytest.mark.parametrize("question", [
    "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status",
    "ls -l /proc/self/fd | sed 's/.* \\([0-9]* -> \\)/\\1/; s/:\\[.*//; /proc/d'",
    "env | sort",
    "pwd; umask; ulimit -a; nice",
    "cat /proc/self/cgroup; cut -d' ' -f5,6 /proc/self/stat",
    "id",
])
@pytest.mark.parametrize("how", [
    "exec \"$@\"",
    "trap '' HUP INT QUIT; exec \"$@\"",  # nohup, and what a shell does for commands behind &
    "umask 027; cd /; exec 7</dev/null; unset LANG; LC_ALL= LC_CTYPE= OWN=1 exec env -u LC_ALL -u LC_CTYPE \"$@\"",
])
def test_the_target_is_started_as_if_ebtrace_was_not_there(front, question, how):
    def answer(*words):
        return subprocess.run(["sh", "-c", how, "sh", *words, "sh", "-c", question], cwd=front.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=20).stdout

    assert answer(*front.command("run", "-q", "-o", front.folder / "s.ebt", "--")) == answer()


def test_an_inherited_lc_ctype_stays(front):
    result = front.run("run", "-q", "--", "sh", "-c", "echo $LC_CTYPE", env={"PATH": os.environ["PATH"], "LC_CTYPE": "C.UTF-8"})
    assert result.stdout == "C.UTF-8\n"


def test_a_working_directory_that_is_gone(front):
    gone = front.folder / "gone"
    gone.mkdir()
    script = "rmdir ../gone; exec \"$@\""
    result = subprocess.run(["sh", "-c", script, "sh", *front.command("run", "-q", "-o", front.folder / "s.ebt", "--", "/bin/sh", "-c", "exit 6")],
                            cwd=gone, capture_output=True, text=True, timeout=20)
    assert result.returncode == 6


# signals

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH])
def test_a_signal_to_the_front_alone_reaches_the_target(front, number):
    process = front.start("run", "-q", "--", sys.executable, "-c", SEEN, int(number))
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.communicate(timeout=20) == (f"{number.name}\n", "")
    assert process.returncode == 23


def test_a_signal_that_the_target_does_not_handle_ends_it(front):
    process = front.start("run", "-q", "--", "sh", "-c", "echo up; exec sleep 100")
    assert process.stdout.readline() == "up\n"
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert len(front.sessions()) == 1
    process.communicate()


def test_a_target_that_signals_its_own_group_gets_it_once(front):
    script = "import os, signal, time\n" \
             "signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'got '))\n" \
             "os.kill(0, signal.SIGTERM); time.sleep(0.3); os.write(1, b'end')\n"
    result = front.run("run", "-q", "--", sys.executable, "-c", script, start_new_session=True)
    assert (result.stdout, result.returncode) == ("got end", 0)


def test_a_daemon_left_by_the_target_does_not_keep_the_front(front):
    result = front.run("run", "-q", "--", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!; exit 3")
    assert result.returncode == 3
    os.kill(int(result.stdout), signal.SIGKILL)


# usage

@pytest.mark.parametrize(("words", "message", "remedy"), [
    (["run"], "no command is given", "give one: ebtrace run -- CMD"),
    (["run", "--"], "no command is given", "give one: ebtrace run -- CMD"),
    (["run", "--summary", "--counts", "true"], "--summary and --counts exclude each other", "--summary measures latencies too; --counts costs less"),
    (["run", "--sample", "0", "--", "true"], "invalid value for '--sample'", "see: ebtrace run --help"),
    (["run", "--transport", "smoke", "--", "true"], "invalid value for '--transport'", "see: ebtrace run --help"),
    (["run", "-o"], "option '-o' requires an argument", "see: ebtrace run --help"),
    (["ls", "-l"], "there is no command 'ls'", "to trace a program: ebtrace run -- ls   (all commands: ebtrace --help)"),
])
def test_bad_usage(front, words, message, remedy):
    result = front.run(*words)
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first.startswith(f"ebtrace: {message}")
    assert second == remedy
    assert result.stdout == ""


def test_help_and_version(front):
    from tracer import __version__

    assert front.run("--version").stdout == f"ebtrace {__version__}\n"
    for words in (["--help"], ["-h"], ["run", "--help"], ["attach", "-h"]):
        result = front.run(*words)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("Usage: ebtrace")
    bare = front.run()
    assert (bare.returncode, bare.stdout, bare.stderr.split()[0]) == (2, "", "Usage:")
    assert all(f"\n  {name} " in bare.stderr for name in ("run", "attach", "stats", "export", "doctor", "bench"))


def test_run_imports_only_what_it_needs(front):
    script = "import sys; sys.path.insert(0, sys.argv[1]); import front_fake as f; sys.argv[1:] = sys.argv[2:]\n" \
             "try: f.main()\n" \
             "finally: print(*sys.modules)"
    words = front.command("run", "-q", "--", "true")
    command = [words[0], "-c", script, os.path.dirname(words[1]), *words[2:]]
    result = subprocess.run(command, cwd=front.folder, capture_output=True, text=True, timeout=20)
    modules = set(result.stdout.split())
    assert "tracer.commands.run" in modules
    assert not modules & {"numpy", "rich", "psutil", "jinja2", "zstandard", "msgpack", "bcc",
                          "tracer.commands.attach", "tracer.commands.stats", "tracer.session.writer", "report"}
