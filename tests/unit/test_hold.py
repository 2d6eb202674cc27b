"""Holding a process still: it does nothing meanwhile, and neither it nor its parent can tell afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.front_support import sleeping
from tracer.target.hold import Hold

# Counts in memory that the test can see, and notes signals; N threads.
COUNTER = """
import mmap, os, signal, sys, threading
memory = mmap.mmap(int(sys.argv[1]), 4096)
words = memoryview(memory).cast("Q")
def heard(number, frame):
    words[100] += 1
signal.signal(signal.SIGUSR1, heard)
def count(at):
    while not words[101]:
        words[at] += 1
threads = [threading.Thread(target=count, args=(at,)) for at in range(1, int(sys.argv[2]))]
for thread in threads:
    thread.start()
words[102] = 1
count(0)
for thread in threads:
    thread.join()
"""
# Starts the counter as its own child, and says what wait(2) and SIGCHLD told of it.
PARENT = """
import os, signal, subprocess, sys
told = []
signal.signal(signal.SIGCHLD, lambda *_: told.append("SIGCHLD"))
child = subprocess.Popen(sys.argv[1:], close_fds=False)
print(child.pid, flush=True)
sys.stdin.readline()
pid, status = os.waitpid(child.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
print(told, pid, status, flush=True)
sys.stdin.readline()
"""


class Counted:
    """A counting process."""

    def __init__(self, threads: int, *, of_another: bool) -> None:
        self.fd = os.memfd_create("counts", 0)
        os.ftruncate(self.fd, 4096)
        os.set_inheritable(self.fd, True)
        words = [sys.executable, "-c", COUNTER, str(self.fd), str(threads)]
        self.parent: subprocess.Popen[str] | None = None
        self.child: subprocess.Popen[bytes] | None = None
        if of_another:
            self.parent = subprocess.Popen([sys.executable, "-c", PARENT, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                           pass_fds=[self.fd])
            assert self.parent.stdout
            self.pid = int(self.parent.stdout.readline())
        else:
            self.child = subprocess.Popen(words, pass_fds=[self.fd])
            self.pid = self.child.pid
        until(lambda: self.word(102))

    def word(self, at: int) -> int:
        return int.from_bytes(os.pread(self.fd, 8, at * 8), "little")

    def counts(self, threads: int) -> list[int]:
        return [self.word(at) for at in range(threads)]

    def state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def goes_on(self, threads: int) -> bool:
        before = self.counts(threads)
        return bool(until(lambda: all(now > then for now, then in zip(self.counts(threads), before))))

    def close(self) -> None:
        os.pwrite(self.fd, b"\1", 101 * 8)
        for process in (self.parent, self.child):
            if process is not None:
                if process.stdin:
                    process.stdin.close()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                if process.stdout:
                    process.stdout.close()
        os.close(self.fd)


def until(condition: Callable[[], object]) -> object:
    deadline = time.monotonic() + 60
    while not (answer := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return answer


@pytest.fixture
def counted() -> Iterator[Callable[..., Counted]]:
    started: list[Counted] = []

    def start(threads: int = 1, *, of_another: bool = False) -> Counted:
        started.append(Counted(threads, of_another=of_another))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(autouse=True)
def _able() -> None:
    """Yama's ptrace_scope 1 allows children only, 2 root only, 3 nobody; a container may have no ptrace at all."""
    child = sleeping()
    hold = Hold(child.pid)
    able = bool(hold._stopped)
    hold.release()
    child.kill()
    child.wait()
    if not able:
        pytest.skip("ptrace(2) is not allowed here")


@pytest.mark.parametrize("threads", [1, 5])
def test_nothing_runs_meanwhile(counted: Callable[..., Counted], threads: int) -> None:
    one = counted(threads)
    hold = Hold(one.pid)
    before = one.counts(threads)
    assert len(hold._stopped) == threads
    time.sleep(0.05)
    assert one.counts(threads) == before
    assert one.state() == "t"
    hold.release()
    assert one.goes_on(threads)
    assert one.state() in "RS"
    hold.release()  # once more does nothing
    assert one.goes_on(threads)


def _may_hold_others() -> bool:
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return os.geteuid() == 0 or not scope.exists() or scope.read_text().strip() == "0"


def test_its_parent_sees_nothing(counted: Callable[..., Counted]) -> None:
    if not _may_hold_others():
        pytest.skip("Yama allows to hold one's own children only")
    one = counted(of_another=True)
    for _ in range(5):
        hold = Hold(one.pid)
        assert one.state() == "t"
        hold.release()
    assert one.parent is not None
    assert one.parent.stdin is not None
    assert one.parent.stdout is not None
    one.parent.stdin.write("\n")
    one.parent.stdin.flush()
    assert one.parent.stdout.readline() == "[] 0 0\n"
    assert one.goes_on(1)


def test_a_signal_meanwhile_is_not_lost(counted: Callable[..., Counted]) -> None:
    one = counted()
    for number in range(1, 20):
        if number % 2:
            os.kill(one.pid, signal.SIGUSR1)  # it may come before, instead of, or after the stop
            hold = Hold(one.pid)
        else:
            hold = Hold(one.pid)
            os.kill(one.pid, signal.SIGUSR1)
        hold.release()
        until(lambda wanted=number: one.word(100) == wanted)
    assert one.goes_on(1)


def test_one_that_is_stopped_stays_so(counted: Callable[..., Counted]) -> None:
    one = counted()
    os.kill(one.pid, signal.SIGSTOP)
    until(lambda: one.state() == "T")
    hold = Hold(one.pid)
    hold.release()
    until(lambda: one.state() == "T")
    before = one.counts(1)
    time.sleep(0.05)
    assert one.counts(1) == before
    os.kill(one.pid, signal.SIGCONT)
    assert one.goes_on(1)


def test_a_stop_and_a_continue_meanwhile(counted: Callable[..., Counted]) -> None:
    one = counted()
    hold = Hold(one.pid)
    os.kill(one.pid, signal.SIGSTOP)
    os.kill(one.pid, signal.SIGCONT)
    hold.release()
    assert one.goes_on(1)
    hold = Hold(one.pid)
    os.kill(one.pid, signal.SIGSTOP)
    hold.release()
    until(lambda: one.state() == "T")
    os.kill(one.pid, signal.SIGCONT)
    assert one.goes_on(1)


def test_a_process_that_ends_meanwhile(counted: Callable[..., Counted]) -> None:
    one = counted(3)
    hold = Hold(one.pid)
    os.kill(one.pid, signal.SIGKILL)
    hold.release()
    assert one.child is not None
    one.child.wait(60)
    assert Hold(one.pid)._stopped == {}


def test_a_process_that_is_not_there() -> None:
    hold = Hold(2**22 + 1)
    assert hold._stopped == {}
    hold.release()


def test_one_that_is_traced_already(counted: Callable[..., Counted]) -> None:
    one = counted()
    debugger = Hold(one.pid)
    second = Hold(one.pid)
    assert second._stopped == {}
    second.release()
    assert one.state() == "t"
    debugger.release()
    assert one.goes_on(1)


def test_the_holder_dies(counted: Callable[..., Counted]) -> None:
    """The kernel lets go of what a dead tracer held."""
    if not _may_hold_others():
        pytest.skip("Yama allows to hold one's own children only")
    one = counted(3)
    told, tell = os.pipe()
    holder = os.fork()
    if not holder:
        Hold(one.pid)
        os.write(tell, b"x")
        signal.pause()
    assert os.read(told, 1) == b"x"
    assert one.state() == "t"
    before = one.counts(3)
    time.sleep(0.05)
    assert one.counts(3) == before
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert one.goes_on(3)
    os.close(told)
    os.close(tell)
