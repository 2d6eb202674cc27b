"""Whole programs, started with and without ebtrace: how long until they run, and how much longer they take."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

from tracer.bench.lab import ATTACHED, Lab
from tracer.bench.rows import Budget, Row
from tracer.errors import EbtraceError

__all__ = ("COMPILE", "FIND", "FIRST", "PYTHON", "REPORT", "WARM", "first_start", "overhead", "report", "warm_start")

WARM = Budget("start", "from the shell to the program's first act", "ms", 80, 100, 250)
FIRST = Budget("first start ever", "the same with an empty cache: the probes are compiled", "ms", 1500, 1500, 1500)
COMPILE = Budget("overhead: compile C", "added from fork to end", "%", 1, 5, 10)
PYTHON = Budget("overhead: Python", "the same, reading and compiling modules", "%", 5, 5, 10)
REPORT = Budget("report", "from a session of a million calls to one HTML file", "s", 1, 2, 5)
FIND = Budget("overhead: find", "the worst case, a program that does nothing but system calls", "%")

_REPORTED = 1_000_000  # calls
_SOURCES = 24  # compiled one after the other: a second or two, so that the tracer's own start does not count for more than it is
_PARSE = """
import glob, sys
for name in sorted(glob.glob(sys.argv[1] + "/*.py"))[:150] * 4:
    with open(name, "rb") as file:
        compile(file.read(), name, "exec")
"""


def warm_start(lab: Lab, times: int) -> Row:
    """Milliseconds from just before ebtrace is started to the first thing that the traced program does."""
    lab.run([lab.storm, "clock"])
    bare = median(_start_ms(lab, [lab.storm, "clock"]) for _ in range(times))
    return WARM.measured([_start_ms(lab, lab.traced([lab.storm, "clock"])) for _ in range(times)], f"without ebtrace {bare:.1f} ms")


def first_start(lab: Lab, times: int) -> Row:
    """The same with an empty cache. Root gets one in a mount that nobody else sees, another user one of their own."""
    if os.geteuid() != 0:
        caches = (os.path.join(lab.folder, f"cache-{number}") for number in range(times))
        return FIRST.measured([_start_ms(lab, ["env", f"XDG_CACHE_HOME={cache}", *lab.traced([lab.storm, "clock"])]) for cache in caches])
    from tracer.kernel.image import cache_folder

    if shutil.which("unshare") is None:
        return FIRST.skipped("needs unshare, for an empty cache: apt install util-linux")
    os.makedirs(cache_folder(), mode=0o700, exist_ok=True)
    # Mounting takes its time too: the clock is read just before ebtrace.
    script = f'mount -t tmpfs -o mode=0700 none {shlex.quote(cache_folder())} && {shlex.quote(lab.storm)} clock && exec "$@"'
    try:
        samples = []
        for _ in range(times):
            before, after = lab.output(["unshare", "--mount", "sh", "-c", script, "sh", *lab.traced([lab.storm, "clock"])]).split()
            samples.append((int(after) - int(before)) / 1e6)
    except EbtraceError as error:
        return FIRST.skipped(error.message)
    return FIRST.measured(samples)


def overhead(lab: Lab, budget: Budget, rounds: int, told: Callable[[str], None], words: Sequence[str] = ()) -> Row:
    """Percent that a program takes longer when `ebtrace run` traces it, from its fork to its end; starting ebtrace is another row.

    The program is ``words``, or the budget's own.
    """
    words = words or _words(lab, budget)
    lab.output(words)  # files are in memory from here on
    timed = [lab.storm, "time", *words]
    pairs: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for number in range(rounds):
        told(f"{budget.what}, round {number + 1} of {rounds}")
        if number % 2:
            traced, plain = _times(lab.run(timed)), _times(lab.output(timed))
        else:
            plain, traced = _times(lab.output(timed)), _times(lab.run(timed))
        pairs.append((plain, traced))
    usual = median(plain[0] for plain, _ in pairs) / 1e9
    wall, cpu = ([100 * (traced[i] - plain[i]) / plain[i] for plain, traced in pairs] for i in range(2))
    session = lab.session()
    events = sum(lane["delivered"] for lane in session.ledger.values())
    lost = sum(lane["lost"] for lane in session.ledger.values())
    recorded = f"{events:,} events of {session.size / max(events, 1):.1f} bytes, {lost:,} lost"
    took = f"the tracer took {session.tracer.get('cpu_s', 0):.2f} s of CPU"
    return budget.measured(wall, f"CPU time {median(cpu):+.1f} %; {usual:.2f} s without ebtrace; {took}; {recorded}")


def report(lab: Lab, times: int) -> Row:
    """Seconds that `ebtrace report` takes, with the start of Python."""
    session, page = os.path.join(lab.folder, ATTACHED), os.path.join(lab.folder, "report.html")
    with lab.start("calls", "getppid", str(_REPORTED)) as storm, lab.attached(storm.pid):
        storm.round()
    samples = []
    for _ in range(times):
        before = time.monotonic()
        lab.output([*lab.ebtrace, "report", "--force", "-o", page, session])
        samples.append(time.monotonic() - before)
    return REPORT.measured(samples, f"{os.path.getsize(page) / 1e6:.1f} MB of {os.path.getsize(session) / 1e6:.1f} MB")


def _words(lab: Lab, budget: Budget) -> list[str]:
    if budget is FIND:
        return ["find", "/usr/lib", "/usr/share", "-xdev", "-name", "*.ebt"]
    if budget is PYTHON:
        return [sys.executable, "-I", "-c", _PARSE, os.path.dirname(os.__file__)]
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "storm.c")
    one = f"{shlex.quote(lab.compiler)} -O1 -c -o {shlex.quote(lab.folder)}/$i.o {shlex.quote(source)} || exit 1"
    return ["sh", "-c", f"for i in {' '.join(map(str, range(_SOURCES)))}; do {one}; done"]


def _times(answer: str) -> tuple[int, int]:
    """ns of wall time and of CPU time."""
    wall, cpu = answer.split()
    return int(wall), int(cpu)


def _start_ms(lab: Lab, words: Sequence[str]) -> float:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return (int(lab.output(words)) - before) / 1e6
