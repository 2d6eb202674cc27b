"""Compiles the probes with BCC, in a process of its own: LLVM takes 135 MB and a third of a second, once for each kernel.

Run as ``python -m tracer.kernel.build MODE TRANSPORT``; writes the image (msgpack) to standard output, or one JSON line with the
failure to standard error and the exit status of its kind. The C code is given to BCC as it is: everything that varies is
a -D flag (see flags) or a line of shapes.h.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

from tracer.errors import CompilerMissing, EbtraceError, HostError, KernelTooOld
from tracer.kernel.btf import KernelBtf
from tracer.kernel.headers import write_headers
from tracer.kernel.maps import create, map_plans, rows_of_cpu
from tracer.kernel.probes import CENSUS, ITERATORS, OPTIONAL, TAILS, TRACEPOINTS, UPROBES, probe_features, refusal
from tracer.kernel.shapes import shapes
from tracer.kernel.sys import arch, possible_cpus
from tracer.kernel.uprobes import uprobe_multi_works, uretprobes_are_safe
from tracer.records import LANES, MapId

__all__ = ("SOURCES", "bcc_module", "build", "flags")

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent / "bpf"
# Arguments of io_uring's tracepoints. A completion: ring, request, CQE, or before Linux 6.13 the CQE's fields; a refusal: SQE, request, error.
_BY_CQE, _BY_VALUE, _REFUSED = 3, 7, 3
_REQUEST_MOST = 56  # bytes between the fields of struct io_kiocb that are read at once (bpf/operations.h)
_URING = {"on_uring_submit", "on_uring_refused", "on_uring_complete"}
_ARCHES = {"x86_64": "ARCH_X86_64", "aarch64": "ARCH_ARM64"}


def flags(mode: str, transport: str, features: dict[str, bool], cpus: int) -> list[str]:
    """The compiler's -D flags: all that differs from one image to another."""
    values = {
        _ARCHES[arch()]: 1,
        "CPUS": cpus,
        "ROWS_OF_CPU": rows_of_cpu(cpus),
        "PAGE_BYTES": os.sysconf("SC_PAGE_SIZE"),
        "TASK_STORAGE": int(features["task_storage"]),
        "HAVE_TASK_REGS": int(features["task_regs"]),
        "TRANSPORT_PERF": int(transport == "perf"),
        "DETAIL": int(mode == "full"),
        "COUNTS_ONLY": int(mode == "counts"),
        "URING": int(features["uring"]),
        "URING_CQE": int(features["uring_cqe"]),
    }
    return [f"-D{name}={value}" for name, value in values.items()]


def bcc_module() -> Any:
    """BCC's Python module: the distribution's, which no virtual environment holds. The `bcc` of PyPI is another project."""
    for folder in ("/usr/lib/python3/dist-packages", "/usr/lib/python3/site-packages"):
        if os.path.isdir(os.path.join(folder, "bcc")):
            sys.path.append(folder)
    try:
        import bcc
        from bcc.libbcc import lib

        return bcc.BPF, lib
    except (ImportError, AttributeError, OSError) as error:
        raise CompilerMissing(f"BCC is not installed ({error}); it compiles the probes at first use") from error


def _compile(options: list[str], shape_text: str) -> dict[str, bytes]:
    import ctypes

    compiler, lib = bcc_module()
    with tempfile.TemporaryDirectory(prefix="ebtrace-build-") as folder:
        write_headers(pathlib.Path(folder), shape_text)
        os.environ["BCC_KERNEL_SOURCE"] = folder
        text = '#include "ebtrace.c"\n'
        options = [*options, f"-I{SOURCES}", f"-I{folder}/include", "-Wno-unused-function", "-Wno-unused-variable"]
        try:
            # Clang's diagnostics go to descriptor 2; they belong in the build's own error.
            module = compiler(text=text, cflags=options)
        except Exception as error:  # BCC raises a bare Exception
            raise HostError(f"the probes do not compile for this kernel: {error}", "report this with the messages above") from error
        for function in (lib.bpf_num_functions,):
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_ulonglong
        lib.bpf_function_name.argtypes, lib.bpf_function_name.restype = [ctypes.c_void_p, ctypes.c_ulonglong], ctypes.c_char_p
        names = [lib.bpf_function_name(module.module, i).decode() for i in range(lib.bpf_num_functions(module.module))]
        return {name: module.dump_func(name) for name in names}


def _features(btf: KernelBtf, cpus: int) -> dict[str, bool]:
    sys_enter = btf.tracepoint("sys_enter")
    if sys_enter is None:
        raise HostError("this kernel has no sys_enter tracepoint", "ebtrace needs CONFIG_HAVE_SYSCALL_TRACEPOINTS and Linux 5.8 or later")
    plans = map_plans(cpus, task_storage=True, perf=False, ring_bytes=dict.fromkeys(LANES, 4096))
    with contextlib.ExitStack() as stack:
        def works(map_id: MapId) -> int | None:
            try:
                fd = create(map_id, plans[map_id], cpus).fd
            except OSError as error:
                if error.errno in (1, 13):
                    raise refusal(error, "create a BPF map") from error
                return None
            stack.callback(os.close, fd)
            return fd

        ring = works(MapId.LIFECYCLE) is not None
        multi = uprobe_multi_works()
        features = {"ring": ring, "uprobe_multi": multi, "uretprobes": uretprobes_are_safe(multi=multi)}
        return probe_features(sys_enter, works(MapId.MARKS)) | features


def _uring(btf: KernelBtf) -> bool:
    """Whether operations of io_uring can be followed: before Linux 6.0 its tracepoints do not name the request."""
    try:
        together = btf.field("io_kiocb", "ctx").offset - btf.field("io_kiocb", "opcode").offset
    except KernelTooOld:
        return False
    submit = next(filter(None, map(btf.arguments, OPTIONAL["on_uring_submit"].split("|"))), 0)
    return 0 < together <= _REQUEST_MOST and btf.arguments("io_uring_complete") in (_BY_CQE, _BY_VALUE) and submit in (1, 2)


def build(mode: str, transport: str) -> dict[str, Any]:
    """Compiles one image for this kernel. Raises HostError with what is missing."""
    btf, cpus = KernelBtf(), possible_cpus()
    features = _features(btf, cpus)
    if transport == "ring" and not features["ring"]:
        transport = "perf"  # BPF ring buffers came with Linux 5.8
    features |= {"uring": _uring(btf), "uring_cqe": btf.arguments("io_uring_complete") == _BY_CQE}
    programs = _compile(flags(mode, transport, features, cpus), shapes(btf, arch()))
    points = TRACEPOINTS | OPTIONAL | {name: behind.point for name, behind in TAILS.items()}
    ids = {name: btf.function(ITERATORS[name]) if name in ITERATORS else btf.first_tracepoint(points[name]) for name in programs.keys() - UPROBES}
    if btf.arguments(OPTIONAL["on_uring_refused"]) != _REFUSED and "on_uring_refused" in ids:
        ids["on_uring_refused"] = None
    missing = sorted({name for name, found in ids.items() if found is None} | (_URING - ids.keys()))
    for name in missing:
        if name in TRACEPOINTS or name == CENSUS:
            raise HostError(f"this kernel has nothing to attach {name} to", "ebtrace needs Linux 5.8 or later")
        programs.pop(name, None)
        ids.pop(name, None)
    return {"mode": mode, "transport": transport, "features": features, "programs": programs, "btf_ids": ids, "cpus": cpus, "missing": missing}


def main() -> int:
    """Entry of the child process."""
    import msgpack

    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get into the image
    try:
        image = msgpack.packb(build(sys.argv[1], sys.argv[2]))
    except EbtraceError as error:
        sys.stderr.write(json.dumps({"message": error.message, "remedy": error.remedy, "status": error.status}) + "\n")
        return error.status
    with os.fdopen(out, "wb") as file:
        file.write(image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
