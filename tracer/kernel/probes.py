"""Loads the compiled probes and attaches them; asks what this kernel can do by trying."""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from tracer.errors import HostError, PermissionMissing
from tracer.kernel.sys import bpf, buffer
from tracer.records import MapId, Tail

__all__ = (
    "CENSUS", "Behind", "ITERATORS", "LATE", "LEAVE", "OPTIONAL", "SOCKET_CENSUS", "TAILS", "TRACEPOINTS", "TWINS", "TYPED", "UNFINISHED", "UPROBES",
    "WITHOUT",
    "attach", "attach_one", "instructions", "jited", "load", "load_one", "load_uprobe", "on_two_threads", "probe_features", "read_census", "refusal",
    "recursion_misses",
)

_T = TypeVar("_T")
_PROG_LOAD, _RAW_TRACEPOINT_OPEN, _OBJ_INFO, _LINK_CREATE, _ITER_CREATE = 5, 17, 15, 28, 33
_RAW_TRACEPOINT, _TRACING, _BTF_TP, _ITER = 17, 26, 23, 28  # BPF_PROG_TYPE_*; attach types BPF_TRACE_RAW_TP, BPF_TRACE_ITER
_KPROBE = 2  # BPF_PROG_TYPE_KPROBE: uprobes are of this type, too

# Attach order: a process must be followed before its calls are counted.
TRACEPOINTS = {
    "on_fork": "sched_process_fork",
    "on_exec": "sched_process_exec",
    "on_exit": "sched_process_exit",
    "on_sys_exit": "sys_exit",
    "on_sys_enter": "sys_enter",
}
_TCP = {
    "on_tcp_state": "inet_sock_set_state",
    "on_tcp_retransmit": "tcp_retransmit_skb",
    "on_tcp_reset_sent": "tcp_send_reset",
    "on_tcp_reset_received": "tcp_receive_reset",
    "on_tcp_destroy": "tcp_destroy_sock",
}
# What runs in interrupts, too, is there twice: no program is entered while it is running on the same CPU, but the other one is (bpf/sockets.c).
TWINS = {name: f"{name}_within" for name in _TCP}
# The arguments of these have types, which makes reading them fast; but then the verifier searches the kernel's type names, twice, for half
# a millisecond a program.
TYPED = ("sys_enter", "sys_exit")
# What a kernel may lack, and a session then does without; image["missing"] says so.
OPTIONAL = {
    **_TCP,
    **{TWINS[name]: point for name, point in _TCP.items()},
    # Taken off in this order: whatever is submitted in between ends without a beginning, not the other way round.
    "on_uring_submit": "io_uring_submit_req|io_uring_submit_sqe",
    "on_uring_refused": "io_uring_req_failed",
    "on_uring_complete": "io_uring_complete",
}
# What is not seen without them
WITHOUT = {
    "on_tcp_state": "states of TCP connections", "on_tcp_retransmit": "TCP segments that are sent again",
    "on_tcp_reset_sent": "resets that TCP sends", "on_tcp_reset_received": "resets that TCP receives",
    "on_tcp_destroy": "TCP's last figures of a connection",
    "on_uring_submit": "operations of io_uring", "on_uring_refused": "operations of io_uring that are refused",
    "on_socket_census": "sockets that were open before the trace or at its end", "on_unfinished": "calls that had not returned at its end",
}


class Behind(NamedTuple):
    """Where a program lies that another goes on to by a tail call; both are of the same tracepoint."""

    point: str
    programs: MapId  # a program array
    places: tuple[int, ...]


TAILS = {
    "on_socket": Behind("sys_exit", MapId.TAILS, (Tail.SOCKET, Tail.ACCEPT, Tail.PASSED)),
    "on_message": Behind("sys_exit", MapId.TAILS, (Tail.MESSAGE,)),
    "on_handed": Behind("sys_exit", MapId.TAILS, (Tail.HANDED,)),
    "on_data": Behind("sys_exit", MapId.TAILS, (Tail.DATA,)),
    "on_stream": Behind("sys_exit", MapId.TAILS, (Tail.STREAM,)),
    "on_plain": Behind("sys_exit", MapId.TAILS, (Tail.PLAIN,)),
    "on_wire": Behind("sys_exit", MapId.TAILS, (Tail.WIRE,)),
    "on_mapped": Behind("sys_exit", MapId.TAILS, (Tail.MAPPED,)),
    "on_copied": Behind("sys_exit", MapId.TAILS, (Tail.COPIED,)),
    "on_uring_socket": Behind("io_uring_complete", MapId.URING_TAILS, (0,)),
}
UPROBES = frozenset(("on_tls_enter", "on_tls_return", "on_go_return", "on_tls_more", "on_tls_free"))
_GIVEN = 0x65627472616365AB  # the constant in whose place load_uprobe puts one (bpf/tls.c)
CENSUS, UNFINISHED, SOCKET_CENSUS = "on_census", "on_unfinished", "on_socket_census"
ITERATORS = {CENSUS: "bpf_iter_task", UNFINISHED: "bpf_iter_task", SOCKET_CENSUS: "bpf_iter_task_file"}
LATE = (SOCKET_CENSUS, UNFINISHED)  # what a target need not wait for


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


def _prog_load(name: str, code: bytes, btf_id: int, attach_type: int, log: tuple[int, int] = (0, 0), kind: int = _TRACING) -> int:
    """``log`` is size and address of memory for the verifier's messages."""
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
        os.close(_prog_load(name, code, btf_id, attach_type, (1 << 20, at), kind))
    except OSError:
        lines = [line for line in memory.value.decode(errors="replace").splitlines() if line and not line.startswith("processed ")]
        if os.environ.get("EBTRACE_VERIFIER_LOG"):
            with open(os.environ["EBTRACE_VERIFIER_LOG"], "wb") as file:
                file.write(memory.value)
        return lines[-1] if lines else ""
    return ""


def _with_maps(code: bytes, fds: Mapping[int, int]) -> bytes:
    """Puts descriptors where the code names maps by number: ld_imm64 (0x18) with source register 1, BPF_PSEUDO_MAP_FD."""
    patched = bytearray(code)
    at = 0
    while at < len(patched):
        if patched[at] == 0x18:
            if patched[at + 1] >> 4 == 1:
                struct.pack_into("<i", patched, at + 4, fds[struct.unpack_from("<i", patched, at + 4)[0]])
            at += 8
        at += 8
    return bytes(patched)


def on_two_threads(work: Callable[[_T], object], items: Iterable[_T]) -> None:
    """Calls ``work`` with each item, in their order, until it raises; raises the first error. For work that lets other threads run."""
    waiting = deque(items)
    failed: list[Exception] = []

    def each() -> None:
        while not failed:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except Exception as error:  # whatever it is: an error of a thread must not pass in silence
                failed.append(error)

    thread = threading.Thread(target=each)
    thread.start()
    each()
    thread.join()
    if failed:
        raise failed[0]


def load(programs: Mapping[str, bytes], places: Mapping[str, int | str], map_fds: Mapping[int, int]) -> dict[str, int]:
    """Loads every probe; returns descriptors by probe name. ``places``: BTF ids, or names of tracepoints. Raises HostError.

    The verifier takes nearly all of the time to start, so two CPUs are used, and the longest programs come first.
    """
    fds: dict[str, int] = {}

    def load_it(name: str) -> None:
        place, code = places[name], _with_maps(programs[name], map_fds)
        ready = (name, code, 0, 0) if isinstance(place, str) else (name, code, place, _ITER if name in ITERATORS else _BTF_TP)
        kind = _RAW_TRACEPOINT if isinstance(place, str) else _TRACING
        try:
            fds[name] = _prog_load(*ready, kind=kind)
        except OSError as error:
            raise _why(ready, error, kind) from error

    on_two_threads(load_it, sorted(programs, key=lambda name: -len(programs[name])))
    return fds


def load_uprobe(name: str, code: bytes, map_fds: Mapping[int, int], given: int, attach_type: int = 0) -> int:
    """Loads a program for uprobes, with ``given`` as its constant. Raises HostError."""
    halves = struct.Struct("<I4xI")  # of the number in an ld_imm64, which is two instructions long
    ready = bytearray(_with_maps(code, map_fds))
    for at in range(4, len(ready) - 11, 8):
        if ready[at - 4] == 0x18 and halves.unpack_from(ready, at) == (_GIVEN & 0xFFFFFFFF, _GIVEN >> 32):
            struct.pack_into("<I", ready, at, given & 0xFFFFFFFF)
            struct.pack_into("<I", ready, at + 8, given >> 32)
    try:
        return _prog_load(name, bytes(ready), 0, attach_type, kind=_KPROBE)
    except OSError as error:
        raise _why((name, bytes(ready), 0, attach_type), error, _KPROBE) from error


def _why(ready: tuple[str, bytes, int, int], error: OSError, kind: int = _TRACING) -> HostError:
    reason = _verdict(*ready, kind)
    if reason:
        return HostError(f"this kernel's verifier does not accept the probe {ready[0]}: {reason}", "please report it, with `uname -r`")
    return refusal(error, f"load the probe {ready[0]}")


def load_one(name: str, code: bytes, btf_id: int, *, iterator: bool = False) -> int:
    """Loads one program that uses no maps, for a BTF-typed tracepoint or an iterator. Raises OSError."""
    return _prog_load(name, code, btf_id, _ITER if iterator else _BTF_TP)


def attach_one(program: int, point: str = "") -> int:
    """Attaches a loaded tracepoint program, to ``point`` if it was not loaded for one; closing the returned descriptor detaches it.

    Raises OSError.
    """
    memory, at = buffer(point.encode() + b"\0")
    link = bpf(_RAW_TRACEPOINT_OPEN, struct.pack("<QII", at if point else 0, program, 0))
    del memory
    return link


def attach(programs: Mapping[str, int], places: Mapping[str, int | str]) -> list[int]:
    """Attaches the tracepoint probes; closing the returned descriptors detaches them. Raises HostError."""
    links = []
    points = OPTIONAL | TRACEPOINTS  # a socket must be followed before the calls that make it are seen
    for name in [name for name in points if name in programs]:
        try:
            links.append(attach_one(programs[name], place if isinstance(place := places[name], str) else ""))
        except OSError as error:
            for link in links:
                os.close(link)
            raise refusal(error, f"attach to the tracepoint {points[name]}") from error
    return links


def read_census(program: int) -> bytes:
    """Runs an iterator over all tasks or files; returns what it wrote. Raises HostError."""
    try:
        link = bpf(_LINK_CREATE, struct.pack("<IIIIQII", program, 0, _ITER, 0, 0, 0, 0))
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


def instructions(*parts: tuple[int, int, int]) -> bytes:
    """Code from (opcode, registers, immediate value); the registers are source << 4 | destination."""
    return b"".join(struct.pack("<BBhi", code, registers, 0, value) for code, registers, value in parts)


LEAVE = ((0xB7, 0, 0), (0x95, 0, 0))  # r0 = 0; exit: the smallest program there is
_CURRENT_TASK = ((0x85, 0, 158),)
_MAY_GOTO = (0xE5, 0, 0)


def probe_features(sys_enter_btf_id: int, storage_map: int | None) -> dict[str, bool]:
    """Loads tiny programs to learn which helpers a tracing program may call here; nothing is attached."""

    def works(*parts: tuple[int, int, int]) -> bool:
        try:
            os.close(_prog_load("feature", instructions(*parts), sys_enter_btf_id, _BTF_TP))
        except OSError:
            return False
        return True

    storage = storage_map is not None and works(
        *_CURRENT_TASK, (0xBF, 0x02, 0), (0x18, 0x11, storage_map), (0, 0, 0), (0xB7, 3, 0), (0xB7, 4, 0), (0x85, 0, 156), *LEAVE
    )
    registers = works(*_CURRENT_TASK, (0xBF, 0x01, 0), (0x85, 0, 175), *LEAVE)
    return {"task_storage": storage, "task_regs": registers, "may_goto": works(_MAY_GOTO, *LEAVE)}
