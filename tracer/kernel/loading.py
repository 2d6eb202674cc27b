"""Loads the compiled probes and attaches them."""

from __future__ import annotations

import errno
import os
import struct

from tracer.bare import Thread, suppress
from tracer.errors import HostError, PermissionMissing
from tracer.fork import leave, processor
from tracer.kernel.probes import OPTIONAL, TRACEPOINTS
from tracer.kernel.sys import bpf, buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    _T = TypeVar("_T")

__all__ = (
    "ITER", "RAW_TRACEPOINT", "UPROBE_MULTI", "Loading", "Shared", "attach", "attach_one", "jited", "load", "load_uprobe", "on_two_threads",
    "prog_load", "read_census", "recursion_misses", "refusal",
)

_PROG_LOAD, _RAW_TRACEPOINT_OPEN, _OBJ_INFO, _LINK_CREATE, _ITER_CREATE = 5, 17, 15, 28, 33
RAW_TRACEPOINT, _TRACING, ITER = 17, 26, 28  # BPF_PROG_TYPE_*; attach type BPF_TRACE_ITER
UPROBE_MULTI = 48  # BPF_TRACE_UPROBE_MULTI: what a program is loaded for that is attached by a link
_KPROBE = 2  # BPF_PROG_TYPE_KPROBE: uprobes are of this type, too


def refusal(error: OSError, what: str) -> HostError:
    """The sentence for a refused bpf(2) call."""
    if error.errno in (errno.EPERM, errno.EACCES) and os.geteuid() != 0:
        return PermissionMissing(f"the kernel does not let this user {what}")
    if error.errno in (errno.EPERM, errno.EACCES):
        return PermissionMissing(
            f"the kernel refused to {what} although this is root ({os.strerror(error.errno)})",
            "a container or kernel lockdown=confidentiality takes BPF away: run on the host, with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE",
        )
    if error.errno == errno.ENOMEM:
        return HostError(f"no memory to {what}", "free memory, or make the rings smaller: --ring-mb 1")
    return HostError(f"the kernel refused to {what}: {os.strerror(error.errno or 0)}")


def prog_load(name: str, code: bytes, btf_id: int = 0, attach_type: int = 0, log: tuple[int, int] = (0, 0), kind: int = _TRACING) -> int:
    """BPF_PROG_LOAD; a descriptor. ``log`` is size and address of memory for the verifier's messages. Raises OSError."""
    code_memory, code_at = buffer(code)
    license_memory, license_at = buffer(b"GPL\0")
    attributes = struct.pack(
        "<IIQQIIQII16sIIIIQIIQII", kind, len(code) // 8, code_at, license_at, 1 if log[0] else 0, *log, 0, 0, name.encode()[:15], 0,
        attach_type, 0, 0, 0, 0, 0, 0, 0, btf_id,
    )
    fd = bpf(_PROG_LOAD, attributes)
    del code_memory, license_memory
    return fd


def _verdict(name: str, code: bytes, btf_id: int, attach_type: int, kind: int = _TRACING) -> str:
    """The verifier's last words about a program that it does not accept; "" if it never came to that."""
    memory, at = buffer(1 << 20)
    try:
        os.close(prog_load(name, code, btf_id, attach_type, (1 << 20, at), kind))
    except OSError:
        lines = [line for line in memory.value.decode(errors="replace").splitlines() if line and not line.startswith("processed ")]
        if os.environ.get("EBTRACE_VERIFIER_LOG"):
            with open(os.environ["EBTRACE_VERIFIER_LOG"], "wb") as file:
                file.write(memory.value)
        return lines[-1] if lines else ""
    return ""


class Shared:
    """Work on several items, begun on a thread; whoever waits for its end helps. For work that lets other threads run."""

    def __init__(self, work: Callable[[_T], object], items: Iterable[_T]) -> None:
        self._work = work
        self._waiting = list(items)
        self._rest = iter(self._waiting)  # whoever is free takes the next
        here = processor()

        def elsewhere() -> None:
            leave(here)
            self._each()

        self._thread = Thread(elsewhere)

    def _each(self) -> None:
        for item in self._rest:
            try:
                self._work(item)
            except BaseException:
                self._waiting.clear()  # which ends the loop of the other one
                raise

    def finish(self) -> None:
        """Until all is done, or one has raised an error; raises that."""
        try:
            self._each()
        finally:
            self._thread.join()

    def stop(self) -> None:
        """Until what has been begun is done. Raises its errors."""
        self._waiting.clear()
        self._thread.join()


def on_two_threads(work: Callable[[_T], object], items: Iterable[_T]) -> None:
    """Calls ``work`` with each item, in their order, until it raises; raises that."""
    Shared(work, items).finish()


def load(name: str, code: bytes, place: int | str) -> int:
    """Loads a program; a descriptor. ``place``: the BTF id of an iterator's function, or the name of a tracepoint. Raises HostError."""
    ready = (name, code, 0, 0) if isinstance(place, str) else (name, code, place, ITER)
    kind = RAW_TRACEPOINT if isinstance(place, str) else _TRACING
    try:
        return prog_load(*ready, kind=kind)
    except OSError as error:
        raise _why(ready, error, kind) from error


class Loading:
    """Programs on their way into the kernel; ``fds`` are the descriptors of those that are there, by name.

    The verifier takes nearly all of the time to start, so two CPUs are used, and the longest programs come first.
    """

    def __init__(self, programs: Mapping[str, bytes], places: Mapping[str, int | str]) -> None:
        """Begins. ``places``: of each program, as `load` is told."""
        self.fds: dict[str, int] = {}
        self._programs, self._places = programs, places
        self._shared = Shared(self._load, sorted(programs, key=lambda name: -len(programs[name])))

    def _load(self, name: str) -> None:
        self.fds[name] = load(name, self._programs[name], self._places[name])

    def finish(self) -> dict[str, int]:
        """Helps until all are there; their descriptors. Raises HostError."""
        self._shared.finish()
        return self.fds

    def discard(self) -> None:
        """They are not needed, and whether the kernel takes them does not matter either."""
        with suppress(HostError):
            self._shared.stop()
        for fd in self.fds.values():
            os.close(fd)


def load_uprobe(name: str, code: bytes, attach_type: int = 0) -> int:
    """Loads a program for uprobes. Raises HostError."""
    try:
        return prog_load(name, code, 0, attach_type, kind=_KPROBE)
    except OSError as error:
        raise _why((name, code, 0, attach_type), error, _KPROBE) from error


def _why(ready: tuple[str, bytes, int, int], error: OSError, kind: int = _TRACING) -> HostError:
    reason = _verdict(*ready, kind)
    if reason:
        return HostError(f"this kernel's verifier does not accept the probe {ready[0]}: {reason}", "please report it, with `uname -r`")
    return refusal(error, f"load the probe {ready[0]}")


def attach_one(program: int, point: str) -> int:
    """Attaches a loaded program to a raw tracepoint; closing the returned descriptor detaches it. Raises OSError."""
    memory, at = buffer(point.encode() + b"\0")
    link = bpf(_RAW_TRACEPOINT_OPEN, struct.pack("<QII", at, program, 0))
    del memory
    return link


def attach(programs: Mapping[str, int], places: Mapping[str, int | str]) -> list[int]:
    """Attaches the tracepoint probes; closing the returned descriptors detaches them. Raises HostError."""
    links = []
    points = OPTIONAL | TRACEPOINTS  # a socket must be followed before the calls that make it are seen
    for name in [name for name in points if name in programs]:
        try:
            links.append(attach_one(programs[name], str(places[name])))
        except OSError as error:
            for link in links:
                os.close(link)
            raise refusal(error, f"attach to the tracepoint {points[name]}") from error
    return links


def read_census(program: int) -> bytes:
    """Runs an iterator over all tasks or files; returns what it wrote. Raises HostError."""
    try:
        link = bpf(_LINK_CREATE, struct.pack("<IIIIQII", program, 0, ITER, 0, 0, 0, 0))
        try:
            walk = bpf(_ITER_CREATE, struct.pack("<II", link, 0))
        finally:
            os.close(link)
    except OSError as error:
        raise refusal(error, "list the tasks") from error
    with os.fdopen(walk, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(1 << 16), b""))


def _info(program: int) -> bytes:
    """struct bpf_prog_info; what an older kernel does not know is left zero."""
    info, info_at = buffer(240)
    try:
        bpf(_OBJ_INFO, struct.pack("<IIQ", program, 240, info_at))
    except OSError:
        return bytes(240)
    return info.raw


def recursion_misses(program: int) -> int:
    """How often the kernel skipped a probe because it was already running on that CPU (bpf_prog_info, Linux 5.12)."""
    return int(struct.unpack_from("<Q", _info(program), 208)[0])


def jited(program: int) -> bool:
    """Whether the kernel made machine code of a program (bpf_prog_info.jited_prog_len); else it interprets it."""
    return bool(struct.unpack_from("<I", _info(program), 16)[0])
