"""Makes the image of the probes for this kernel, in a process of its own (tracer/kernel/image.py), once for each kernel.

The user waits: what is loaded here is what that takes, and the compiler is begun before all else.
"""

from __future__ import annotations

import os

from tracer.bare import Thread
from tracer.errors import EbtraceError, HostError, KernelTooOld
from tracer.kernel.blanks import calling
from tracer.kernel.btf import KernelBtf
from tracer.kernel.compile import Compilation
from tracer.kernel.loading import refusal
from tracer.kernel.maps import create, map_plans, rows_of_cpu
from tracer.kernel.probes import CENSUS, HELD, ITERATORS, OPTIONAL, TAILS, TRACEPOINTS, UNFINISHED, UPROBES
from tracer.kernel.shapes import shapes
from tracer.kernel.sys import arch, possible_cpus
from tracer.kernel.trying import may_cast, probe_features
from tracer.kernel.uprobes import uprobe_multi_works, uretprobes_are_safe
from tracer.records import LANES, MapId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("build", "flags")

# Arguments of io_uring's tracepoints. A completion: ring, request, CQE, or before Linux 6.13 the CQE's fields; a refusal: SQE, request, error.
_BY_CQE, _BY_VALUE, _REFUSED = 3, 7, 3
_REQUEST_MOST = 56  # bytes between the fields of struct io_kiocb that are read at once (bpf/operations.h)
_URING = {"on_uring_submit", "on_uring_refused", "on_uring_complete"}
_KEPT: list[object] = []  # it takes 10 ms to free what is gone with the process anyway
_ARCHES = {"x86_64": "ARCH_X86_64", "aarch64": "ARCH_ARM64"}


def flags(mode: str, transport: str, features: dict[str, bool], cpus: int, cast: tuple[int, int] = (0, 0)) -> list[str]:
    """The compiler's -D flags: all that differs from one image to another. ``cast``: BTF ids of bpf_rdonly_cast and struct pt_regs, or zeros."""
    values = {
        _ARCHES[arch()]: 1,
        "CPUS": cpus,
        "ROWS_OF_CPU": rows_of_cpu(cpus),
        "PAGE_BYTES": os.sysconf("SC_PAGE_SIZE"),
        "TASK_STORAGE": int(features["task_storage"]),
        "HAVE_TASK_REGS": int(features["task_regs"]),
        "CAST": cast[0],
        "CAST_TO": cast[1],
        "MAY_GOTO": int(features["may_goto"]),
        "TRANSPORT_PERF": int(transport == "perf"),
        "DETAIL": int(mode == "full"),
        "COUNTS_ONLY": int(mode == "counts"),
        "UPROBE_COOKIE": int(features["uprobe_multi"]),
        "URING": int(features["uring"]),
        "URING_CQE": int(features["uring_cqe"]),
    }
    return [f"-D{name}={value}" for name, value in values.items()]


def _features(btf: KernelBtf, cpus: int) -> dict[str, bool]:
    if btf.tracepoint("sys_enter") is None:
        raise HostError("this kernel has no sys_enter tracepoint", "ebtrace needs CONFIG_HAVE_SYSCALL_TRACEPOINTS and Linux 5.8 or later")
    plans = map_plans(cpus, task_storage=True, perf=False, ring_bytes=dict.fromkeys(LANES, 4096))

    def works(map_id: MapId) -> int | None:
        try:
            return create(map_id, plans[map_id], cpus).fd  # open until this process ends, which is soon
        except OSError as error:
            if error.errno in (1, 13):
                raise refusal(error, "create a BPF map") from error
            return None

    return probe_features(works(MapId.MARKS)) | {"ring": works(MapId.LIFECYCLE) is not None}


def _cast(btf: KernelBtf) -> tuple[int, int]:
    """BTF ids of the function that makes typed pointers of numbers (Linux 6.2), and of what it is to make of them; zeros if it may not be called."""
    ids = btf.function("bpf_rdonly_cast") or 0, btf.structure("pt_regs") or 0
    return ids if all(ids) and may_cast(*ids) else (0, 0)


def _uring(btf: KernelBtf) -> bool:
    """Whether operations of io_uring can be followed: before Linux 6.0 its tracepoints do not name the request."""
    try:
        together = btf.field("io_kiocb", "ctx").offset - btf.field("io_kiocb", "opcode").offset
    except KernelTooOld:
        return False
    submit = next(filter(None, map(btf.arguments, OPTIONAL["on_uring_submit"].split("|"))), 0)
    return 0 < together <= _REQUEST_MOST and btf.arguments("io_uring_complete") in (_BY_CQE, _BY_VALUE) and submit in (1, 2)


def _beside(question: Callable[[], bool]) -> Callable[[], bool]:
    """Asks on a thread; the returned function waits for the answer."""
    answers: list[bool] = []
    thread = Thread(lambda: answers.append(question()))

    def answer() -> bool:
        thread.join()
        return answers[0]

    return answer


def _place(btf: KernelBtf, name: str) -> int | str | None:
    """Where a program goes: the BTF id of an iterator's function, or a tracepoint's name; "": behind another program."""
    if name in ITERATORS:
        return btf.function(ITERATORS[name])
    return "" if name in TAILS else btf.first_tracepoint((TRACEPOINTS | OPTIONAL)[name])


def build(mode: str, transport: str) -> dict[str, Any]:
    """Compiles one image for this kernel. Raises HostError with what is missing."""
    running = Compilation()
    probing = _beside(uprobe_multi_works)  # which takes a while, in which nothing is computed
    btf, cpus = KernelBtf(), possible_cpus()
    _KEPT.append(btf)
    features = _features(btf, cpus)
    if transport == "ring" and not features["ring"]:
        transport = "perf"  # BPF ring buffers came with Linux 5.8
    features |= {"uring": _uring(btf), "uring_cqe": btf.arguments("io_uring_complete") == _BY_CQE, "uprobe_multi": probing()}
    cast = _cast(btf)
    running.begin(flags(mode, transport, features, cpus, cast), shapes(btf, arch()))
    features["uretprobes"] = uretprobes_are_safe(multi=features["uprobe_multi"])
    programs = {name: calling(code, cast[0]) if cast[0] else code for name, code in running.programs().items()}
    places = {name: _place(btf, name) for name in programs.keys() - UPROBES}
    if btf.arguments(OPTIONAL["on_uring_refused"]) != _REFUSED and "on_uring_refused" in places:
        places["on_uring_refused"] = None
    missing = sorted({name for name, found in places.items() if found is None} | (_URING - places.keys()))
    for name in missing:
        if name in TRACEPOINTS or name in (HELD, CENSUS, UNFINISHED):
            raise HostError(f"this kernel has nothing to attach {name} to", "ebtrace needs Linux 5.8 or later")
        programs.pop(name, None)
        places.pop(name, None)
    return {"mode": mode, "transport": transport, "features": features, "programs": programs, "places": places, "cpus": cpus, "missing": missing}


def main(mode: str, transport: str) -> dict[str, Any]:
    """What the process has to tell: the image, or why there is none."""
    try:
        return build(mode, transport)
    except EbtraceError as error:
        return {"message": error.message, "remedy": error.remedy}
