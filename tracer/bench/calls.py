"""Added time per system call, in units of two empty probes; and what BCC's own counter adds to the same calls."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from typing import Any

from tracer.bench.empty import empty_probes
from tracer.bench.lab import Lab
from tracer.bench.program import Program
from tracer.bench.rows import Budget, Row
from tracer.errors import EbtraceError
from tracer.kernel.headers import write_headers

__all__ = ("BUDGETS", "SYSCOUNT", "added_time")

_UNIT = "x"
BUDGETS = {
    "full": Budget("time per call", "added when every call is recorded and counted, in units of two empty probes", _UNIT, 2.5, 3.0, 3.0),
    "summary": Budget("time per call, --summary", "the same for exact totals alone", _UNIT, 2.2, 2.5, 2.5),
    "counts": Budget("time per call, --counts", "the same for counts without latency", _UNIT, 1.5, 1.7, 1.7),
}
SYSCOUNT = Budget("time / BCC syscount -L", "the same in units of what BCC's tool adds for totals alone", _UNIT, 1.0, 1.0, 1.0)
_OPTIONS = {"full": (), "summary": ("--summary",), "counts": ("--counts",)}


def added_time(lab: Lab, rounds: int, calls: int, told: Callable[[str], None]) -> list[Row]:
    """One row for each mode, and the comparison. Each round has all of them in turn, on one target of its own."""
    syscount = shutil.which("syscount-bpfcc") or shutil.which("syscount")
    trouble = "" if syscount else "not installed: apt install bpfcc-tools"
    found: list[dict[str, float]] = []
    for number in range(rounds):
        told(f"time per call, round {number + 1} of {rounds}")
        with lab.start("calls", "getppid", str(calls)) as storm:
            storm.round()  # pages and branches are warm from here on

            def ns(tracing: AbstractContextManager[Any], storm: Program = storm) -> float:
                with tracing:
                    return float(storm.round())

            times = {"none": ns(nullcontext()), "empty": ns(empty_probes())}
            for mode in ("counts", "summary", "full"):
                times[mode] = ns(lab.attached(storm.pid, *_OPTIONS[mode]))
            if syscount and not trouble:
                try:
                    times["syscount"] = ns(_syscount(lab, syscount, storm.pid))
                except EbtraceError as error:
                    trouble = error.message
            found.append(times)
    return [*(_in_units(budget, mode, found) for mode, budget in BUDGETS.items()), _compared(found, trouble)]


def _in_units(budget: Budget, mode: str, found: list[dict[str, float]]) -> Row:
    ratios = [(times[mode] - times["none"]) / max(times["empty"] - times["none"], 1.0) for times in found]
    bare, empty, added = (median(values) for values in (
        [times["none"] for times in found], [times["empty"] - times["none"] for times in found], [times[mode] - times["none"] for times in found]))
    return budget.measured(ratios, f"getppid {bare:.0f} ns, two empty probes +{empty:.0f} ns, ebtrace +{added:.0f} ns")


def _compared(found: list[dict[str, float]], trouble: str) -> Row:
    both = [times for times in found if "syscount" in times]
    if not both:
        return SYSCOUNT.skipped(trouble)
    theirs = median([times["syscount"] - times["none"] for times in both])
    ratios = [(times["full"] - times["none"]) / max(times["syscount"] - times["none"], 1.0) for times in both]
    return SYSCOUNT.measured(ratios, f"syscount -L +{theirs:.0f} ns")


@contextmanager
def _syscount(lab: Lab, command: str, pid: int) -> Iterator[None]:
    """BCC's tool on ``pid``. It wants kernel headers and a mounted tracefs: it gets stubs, and a mount that only it sees."""
    headers = os.path.join(lab.folder, "headers")
    if not os.path.isdir(headers):
        write_headers(pathlib.Path(headers), "")
        pathlib.Path(headers, "include/linux/sched.h").write_text("#define TASK_COMM_LEN 16\n")
    mounted = os.path.isdir("/sys/kernel/tracing/events") or os.path.isdir("/sys/kernel/debug/tracing/events")
    words = [command, "-L", "-p", str(pid)]
    if not mounted:
        words = ["unshare", "--mount", "sh", "-c", 'mount -t debugfs none /sys/kernel/debug && exec "$@"', "sh", *words]
    environment = {**lab.environment, "PYTHONUNBUFFERED": "1", "BCC_KERNEL_SOURCE": headers}
    try:
        with Program(words, environment) as tool:
            if "racing" not in tool.line():
                raise EbtraceError("it does not say that it traces")
            yield
            tool.stop()
    except (EbtraceError, subprocess.SubprocessError, OSError) as error:
        raise EbtraceError(f"syscount does not run here: {str(error).splitlines()[-1]}") from error
