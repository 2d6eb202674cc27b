"""Runs the front as a program of its own, with the fake worker of front_fake.py."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import psutil

FAKE = Path(__file__).with_name("front_fake.py")
LIVE = {"is": "live"}
ENDED = {"is": "ended"}
DEADLINE_S = 20


def until(condition, what="the condition"):
    """Waits until the condition gives something true, and returns it."""
    deadline = time.monotonic() + DEADLINE_S
    pause = 0.002
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s for {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return value


def sleeping(program="sleep", **options):
    """A sleep that sleeps. Popen comes back in the middle of exec, when close-on-exec has closed its pipe: the process has no environment
    then, and its libraries are not mapped yet."""
    process = subprocess.Popen([program, "1000"], **options)
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_SLEEPING, "sleep to sleep")
    return process


class Front:
    """`ebtrace WORDS` in a folder of its own, with a worker that follows ``steps``. At its end no process of it may be left."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "worker.log"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                until(lambda: not self.processes(), "the front and its worker to be gone")
        finally:
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)

    def command(self, *words, steps=(LIVE,), **plan):
        plan = json.dumps({"log": str(self.log), "steps": [str(step) if isinstance(step, Path) else step for step in steps], **plan})
        return [sys.executable, str(FAKE), plan, *map(str, words)]

    def run(self, *words, steps=(LIVE,), plan=None, **options):
        options = {"cwd": self.folder, "capture_output": True, "text": True, "timeout": DEADLINE_S, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(self.command(*words, steps=steps, **(plan or {})), **options)

    def start(self, *words, steps=(LIVE,), **options):
        options = {"cwd": self.folder, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True, **options}
        return subprocess.Popen(self.command(*words, steps=steps), **options)

    def received(self):
        """The messages that the worker got."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def sessions(self):
        return sorted(path.name for path in self.folder.glob("*.ebt"))

    def processes(self):
        """Processes of this test that are still there."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.log).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found


class Terminal:
    """A program on a pseudo-terminal of its own, which it controls."""

    _ADOPT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"

    def __init__(self, command, folder, rows=24, columns=80, variables=None):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._ADOPT, *command], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=folder,
            env={**os.environ, "TERM": "xterm", **(variables or {})})
        os.close(slave)
        self.output = ""
        self._taken = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)  # hangs up whatever is left on the terminal
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, limit_s=DEADLINE_S):
        """Reads until the pattern appears after what was matched before."""
        deadline = time.monotonic() + limit_s
        while not (match := re.compile(pattern).search(self.output, self._taken)):
            if not select.select([self.master], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError(f"no {pattern!r} within {limit_s} s in {self.output[self._taken:]!r}")
            self.output += self._read(f"{pattern!r} never came in {self.output[self._taken:]!r}")
        self._taken = match.end()
        return match

    def press_until(self, key, pattern):
        """Types the key, again where the program loses it: less does right after it has drawn a page."""
        for _ in range(5):
            self.type(key)
            try:
                return self.expect(pattern, limit_s=DEADLINE_S / 5)
            except TimeoutError:
                pass
        raise AssertionError(f"{key!r} had no effect")

    def _read(self, complaint):
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        assert data, complaint
        return data.decode(errors="replace")

    def rest(self):
        """Everything up to the end of the program."""
        try:
            while data := os.read(self.master, 65536):
                self.output += data.decode(errors="replace")
        except OSError:
            pass
        return self.output
