"""Starts programs, talks to them with deadlines, and says what to do where the host lacks something."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest

__all__ = ("DEADLINE", "EBTRACE", "Program", "cli", "need", "need_tool", "wait_until")

EBTRACE = Path(sys.executable).with_name("ebtrace")
DEADLINE = 60.0  # seconds after which a test that still waits has failed; never reached on a healthy machine


def need(able: bool, what: str) -> None:
    """Skips the test where the host lacks something; EBTRACE_REQUIRE_KERNEL=1 makes that a failure."""
    if able:
        return
    if os.environ.get("EBTRACE_REQUIRE_KERNEL", "0") not in ("", "0"):
        pytest.fail(f"{what} (EBTRACE_REQUIRE_KERNEL is set)", pytrace=False)
    pytest.skip(f"{what} (EBTRACE_REQUIRE_KERNEL=1 turns this skip into a failure)")


def need_tool(name: str) -> str:
    """The path of a program, which has to be there."""
    path = shutil.which(name)
    need(path is not None, f"needs {name}")
    assert path
    return path


def wait_until(condition: Callable[[], Any], deadline: float = DEADLINE) -> Any:
    """Asks again and again, less and less often, until the answer is true; returns it."""
    end, pause = time.monotonic() + deadline, 0.001
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {condition}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return answer


def cli(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """One short ebtrace command; its output as text in which no byte is lost."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": DEADLINE, "encoding": "utf-8", "errors": "surrogateescape"} | options
    return subprocess.run([EBTRACE, *words], check=False, **options)


class Program:
    """A started program, spoken to line by line."""

    def __init__(self, words: Iterable[str | Path], **options: Any) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._stderr} | options
        self.popen: subprocess.Popen[bytes] = subprocess.Popen(list(words), **options)
        self.pid = self.popen.pid
        self._unread = b""

    def line(self) -> str:
        """The next line of its output, without the line end; '' at the end of output."""
        assert self.popen.stdout
        end = time.monotonic() + DEADLINE
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                assert selector.select(end - time.monotonic()), f"no line from {self.popen.args!r} within {DEADLINE} s; stderr: {self.stderr}"
                if not (more := os.read(self.popen.stdout.fileno(), 65536)):
                    break
                self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def ready(self) -> int:
        """Waits for the "ready PID" of a target; returns the pid. Lines that came before it are in `before`."""
        self.before = []
        while not (line := self.line()).startswith("ready "):
            assert line, f"{self.popen.args!r} ended before it was ready; stderr: {self.stderr}"
            self.before.append(line)
        return int(line.split()[1])

    def release(self) -> None:
        """Gives the one byte that the target waits for."""
        assert self.popen.stdin
        self.popen.stdin.write(b"\n")
        self.popen.stdin.flush()

    def end(self) -> int:
        """Closes its input and waits for its end; returns the status as subprocess does. The rest of its output is in `rest`."""
        if self.popen.stdin:
            self.popen.stdin.close()
            self.popen.stdin = None
        try:
            rest, _ = self.popen.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.popen.args!r} did not end within {DEADLINE} s; stderr: {self.stderr}") from None
        self.rest = (self._unread + (rest or b"")).decode()
        return self.popen.returncode

    @property
    def stderr(self) -> str:
        return os.pread(self._stderr.fileno(), 1 << 20, 0).decode(errors="surrogateescape")

    def children(self) -> list[int]:
        """Pids of its living children, whichever of its threads started them."""
        found: list[int] = []
        for children in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                found += [int(pid) for pid in children.read_text().split()]
        return found

    def close(self) -> None:
        """Kills it if need be."""
        if self.popen.poll() is None:
            self.popen.kill()
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream:
                stream.close()
        self.popen.wait(DEADLINE)
        self._stderr.close()
