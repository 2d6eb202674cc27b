"""What the kernel lets probes do, each ability used once for real: programs are loaded, maps created, and all is taken away again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from tracer.doctor.checks import Capability, Check
from tracer.doctor.host import SUDO_DOCTOR
from tracer.errors import HostError, KernelTooOld
from tracer.kernel.btf import VMLINUX, KernelBtf
from tracer.kernel.loading import attach_one, jited, read_census, refusal
from tracer.kernel.maps import BpfMap, create, map_plans
from tracer.kernel.perf import PerfStrings
from tracer.kernel.sizes import ring_bytes
from tracer.kernel.sys import possible_cpus
from tracer.kernel.trying import LEAVE, instructions, load_one, probe_features
from tracer.kernel.uprobes import attach_to_oneself, uprobe_multi_works, uretprobes_are_safe
from tracer.records import LANES, MapId
from tracer.target.rights import can_trace

__all__ = ("abilities",)

_BTF = Capability("type information (BTF)", "finds the kernel's structures, without its headers")
_PROGRAM = Capability("raw tracepoints", "the probes: at system calls, forks, execs and exits")
_MEMORY = Capability("reading kernel memory", "names and arguments of programs")
_MACHINE_CODE = Capability("BPF as machine code", "probes that cost next to nothing", required=False)
_STORAGE = Capability("task storage", "marks the first process whatever pid namespace the tracer is in", required=False)
_RING = Capability("BPF ring buffers", "the fastest way for records to leave the kernel", required=False)
_PERF = Capability("perf ring buffers", "the same on older kernels, and for --transport perf", required=False)
_UPROBES = Capability("uprobes", "reads TLS in clear, where libraries read and write it", required=False)
_TASKS = Capability("iterator over tasks", "takes in what already runs, and accounts for open calls")

_OLD = "a newer kernel has it: ebtrace is at its best from Linux 5.11 on, and needs 5.8"
# r1 = r10 - 8; r2 = 8; r3 = 0; probe_read_kernel(): reads address 0, which fails when it runs, but may be loaded
_READ_KERNEL = instructions((0xBF, 0xA1, 0), (0x07, 0x01, -8), (0xB7, 0x02, 8), (0xB7, 0x03, 0), (0x85, 0, 113), *LEAVE)


def abilities() -> list[Check]:
    """One check for each ability."""
    try:
        btf = KernelBtf()
    except KernelTooOld as error:
        rest = (_PROGRAM, _MEMORY, _MACHINE_CODE, _STORAGE, _RING, _PERF, _UPROBES, _TASKS)
        return [_BTF.missing(error.message, error.remedy), *(ability.untested("needs type information", error.remedy) for ability in rest)]
    size = f"{os.stat(VMLINUX).st_size / 1e6:.1f} MB"
    with ExitStack() as stack:
        checks = [_BTF.found(f"{VMLINUX}, {size}"), *_programs(stack), *_maps(stack)]
        return [*checks, _try(_UPROBES, _uprobes, "a kernel with CONFIG_UPROBE_EVENTS has them"), _try(_TASKS, lambda: _census(btf, stack), _OLD)]


def _try(ability: Capability, use: Callable[[], str], remedy: str) -> Check:
    """``use`` returns what it found, or fails as the kernel does."""
    try:
        return ability.found(use())
    except HostError as error:
        return ability.missing(error.message, error.remedy) if can_trace() else ability.untested(error.message, SUDO_DOCTOR)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            refused = refusal(error, "do this")
            return ability.missing(refused.message, refused.remedy) if can_trace() else ability.untested("needs root rights", SUDO_DOCTOR)
        return ability.missing(f"the kernel answers: {os.strerror(error.errno or 0)}", remedy)


def _programs(stack: ExitStack) -> list[Check]:
    def loaded(code: bytes) -> int:
        program = load_one("doctor", code)
        stack.callback(os.close, program)
        return program

    def attached() -> str:
        os.close(attach_one(loaded(instructions(*LEAVE)), "sys_enter"))
        return "loaded and attached to sys_enter"

    def readable() -> str:
        loaded(_READ_KERNEL)
        return "allowed"

    def compiled() -> str:
        if not jited(loaded(instructions(*LEAVE))):
            raise HostError("the kernel interprets BPF programs", "sysctl net.core.bpf_jit_enable=1")
        return "yes"

    return [_try(_PROGRAM, attached, _OLD), _try(_MEMORY, readable, _OLD), _try(_MACHINE_CODE, compiled, _OLD)]


def _maps(stack: ExitStack) -> list[Check]:
    cpus = possible_cpus()
    sizes = {name: ring_bytes(name, None) for name in ("ring", "perf")}

    def made(map_id: MapId, *, perf: bool = False) -> BpfMap:
        found = create(map_id, map_plans(cpus, task_storage=True, perf=perf, ring_bytes=sizes["ring"])[map_id], cpus)
        stack.callback(os.close, found.fd)
        return found

    def storage() -> str:
        os.close(load_one("doctor", instructions(*LEAVE)))  # says so when it is rights that are missing
        if not probe_features(made(MapId.MARKS).fd)["task_storage"]:
            raise HostError("not for programs of this kind: a hash by thread id stands in", _OLD)
        return "works"

    def ring() -> str:
        return f"{sum(made(MapId[lane.upper()]).plan.entries for lane in LANES) / (1 << 20):.1f} MB, as a session uses them"

    def perf() -> str:
        lanes = [made(MapId[lane.upper()], perf=True) for lane in LANES]
        try:
            for lane, size in zip(lanes, sizes["perf"].values()):
                stack.callback(PerfStrings(lane, size).close)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            raise HostError("more memory than this user may lock (ulimit -l)", "raise that limit, add CAP_IPC_LOCK, or use --ring-mb 4") from error
        return f"{sum(sizes['perf'].values()) / (1 << 20):.1f} MB, as a session uses them"

    ring_check = _try(_RING, ring, "perf ring buffers stand in")
    perf_check = _try(_PERF if ring_check.ok else replace(_PERF, required=True), perf, _OLD)
    return [_try(_STORAGE, storage, _OLD), ring_check, perf_check]


def _uprobes() -> str:
    multi = uprobe_multi_works()
    os.close(attach_to_oneself(returning=False, multi=multi))
    if uretprobes_are_safe(multi=multi):
        return "at the beginning and the return of functions"
    return "at single instructions: a uretprobe may kill a program under seccomp"


def _census(btf: KernelBtf, stack: ExitStack) -> str:
    program = load_one("doctor", instructions(*LEAVE), _id(btf.function("bpf_iter_task"), "iterator bpf_iter_task"))
    stack.callback(os.close, program)
    read_census(program)
    return "walked over all tasks"


def _id(found: int | None, what: str) -> int:
    if found is None:
        raise HostError(f"this kernel has no {what}", _OLD)
    return found
