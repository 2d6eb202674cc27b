"""The whole way through the kernel: the real probes watch this process make a known number of calls, and must count and record every one."""

from __future__ import annotations

import os
import struct
import time

from tracer.doctor.checks import Capability, Check
from tracer.doctor.host import SUDO_DOCTOR
from tracer.errors import EbtraceError
from tracer.kernel.cost import Trial, added_ns
from tracer.kernel.image import cache_folder, cached, image
from tracer.kernel.probes import WITHOUT
from tracer.kernel.sys import arch
from tracer.records import PLAN, SYSNO_LIMIT, PlanFlag
from tracer.syscalls.names import number
from tracer.target.rights import can_trace

__all__ = ("probes_cached", "self_test")

_CACHE = Capability("cache of probes", "starts in milliseconds: no compiler, no LLVM", required=False)
_POINTS = Capability("tracepoints of TCP and io_uring", "how connections fare, and operations without system calls", required=False)
_SELF_TEST = Capability("self-test", "true counts: real probes watch known calls")

_MODES = ("full", "summary", "counts")


def probes_cached() -> bool:
    """Whether the usual probes are in this user's cache, for this kernel and these sources."""
    return cached("full", "ring") is not None


def self_test() -> list[Check]:
    """Compiles the probes if need be, tries them, and looks whether the cache has kept them."""
    if not can_trace():
        return [_cache("used where no sudo is needed"), *(ability.untested("needs root rights", SUDO_DOCTOR) for ability in (_POINTS, _SELF_TEST))]
    begun = time.monotonic()
    try:
        probes, was_cached = image("full", "ring")
    except EbtraceError as error:
        return [_CACHE.untested("there is nothing to keep", error.remedy), _POINTS.untested("needs the probes", error.remedy),
                _SELF_TEST.missing(error.message, error.remedy)]
    took = f"compiled just now in {time.monotonic() - begun:.1f} s" if not was_cached else "ready"
    return [_cache(took), _points(probes["missing"]), _calls_found(probes)]


def _points(missing: list[str]) -> Check:
    without = [WITHOUT[name] for name in missing if name in WITHOUT]
    if not without:
        return _POINTS.found("all are there")
    return _POINTS.missing(f"not to be seen: {', '.join(without)}", "a newer kernel has them; sessions say that they lack it")


def _cache(state: str) -> Check:
    folder = cache_folder()
    kept = [mode for mode in _MODES if cached(mode, "ring")]
    if kept:
        return _CACHE.found(f"{state}; for this kernel {folder} holds: {', '.join(kept)}")
    if not can_trace():
        return _CACHE.untested(state, SUDO_DOCTOR)
    return _CACHE.missing(
        f"{folder} does not keep them, so every start compiles",
        f"the folder must belong to you alone and have room; else let ebtrace make it anew: rm -r {folder}")


def _calls_found(probes: dict[str, object]) -> Check:
    outcome: list[str] = []
    try:
        added = added_ns(probes, _plans(), lambda trial: outcome.append(_judge(trial)))
    except EbtraceError as error:
        return _SELF_TEST.missing(error.message, error.remedy)
    except OSError as error:
        return _SELF_TEST.missing(f"the probes could not be tried: {error.strerror}", "see what is missing above")
    wrong = outcome[0].startswith("!")
    if wrong:
        return _SELF_TEST.missing(outcome[0][1:], "please report it, with `uname -r` and `ebtrace doctor --json`")
    return _SELF_TEST.found(f"{outcome[0]}; each took {added:.0f} ns longer")


def _plans() -> bytes:
    """Only getppid is traced."""
    sysno = number(arch(), "getppid")
    traced, other = (struct.pack(PLAN, flags, 1, *bytes(12), 0) for flags in (PlanFlag.TRACED, 0))
    return b"".join(traced if n == sysno else other for n in range(SYSNO_LIMIT))


def _judge(trial: Trial) -> str:
    """What became of the calls; starts with "!" when it is not what it must be."""
    from tracer.stream.decode import lifecycle

    counted, recorded = _counted(trial), _recorded(trial)
    losses = sum(lane[2] for lane in trial.tracing.lane_counts().values()) + trial.tracing.missed()
    if not counted == recorded == trial.made or losses:
        return f"!{trial.made:,} calls were made, {counted:,} counted, {recorded:,} recorded and {losses:,} lost"
    pids = set(lifecycle(trial.found, slots=False)["tgid"].tolist())
    same = "" if pids == {os.getpid()} else f" (the kernel calls this process {min(pids, default=0)}, it calls itself {os.getpid()})"
    return f"of {trial.made:,} calls {counted:,} were counted and {recorded:,} recorded{same}"


def _counted(trial: Trial) -> int:
    """Calls of getppid in the totals, read as a session reads them."""
    from tracer.stream.harvest import Harvest

    columns = Harvest(trial.tracing).read(set())
    return int(columns["calls"][columns["sysno"] == trial.sysno].sum()) if columns else 0


def _recorded(trial: Trial) -> int:
    """Records of getppid that reached the ring."""
    from tracer.stream.decode import syscalls

    seen, room = 0, bytearray(trial.syscalls.slot * 4096)
    while n := trial.syscalls.read_into(memoryview(room), 4096):
        seen += int((syscalls(room, n)["sysno"] == trial.sysno).sum())
    return seen
