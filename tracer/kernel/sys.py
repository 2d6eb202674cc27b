"""System calls that Python does not wrap, by number: bpf(2), perf_event_open(2), membarrier(2), prlimit(2).

By the part of ctypes that is written in C: what surrounds it there takes longer to load than all modules of this folder.
"""

from __future__ import annotations

import _ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import Array, c_char, c_long

    Memory = Array[c_char]
else:
    Memory = _ctypes.Array

    class c_char(_ctypes._SimpleCData):  # noqa: N801  # as ctypes spells it
        _type_ = "c"

    class c_long(_ctypes._SimpleCData):  # noqa: N801
        _type_ = "l"

__all__ = (
    "Memory", "arch", "bpf", "bpf_in_place", "buffer", "function", "lift_limits", "membarrier", "perf_event_open", "possible_cpus", "share_heap",
    "symbol",
)

_NUMBERS = {  # asm/unistd_64.h, asm-generic/unistd.h
    "x86_64": {"bpf": 321, "perf_event_open": 298, "membarrier": 324, "prlimit64": 302},
    "aarch64": {"bpf": 280, "perf_event_open": 241, "membarrier": 283, "prlimit64": 261},
}
_MEMLOCK, _NOFILE, _INFINITY = 8, 7, 2**64 - 1  # RLIMIT_*, asm-generic/resource.h
_MANY_FILES = 1 << 16


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = c_long


def function(name: str) -> Callable[..., int]:
    """A function of the C library whose arguments and result fit into a long. Raises OSError if there is none of that name."""
    called = _Function(symbol(name))
    return lambda *arguments: called(*[c_long(argument) for argument in arguments])


def symbol(name: str) -> int:
    """The address of what the C library, or another one that is loaded, has under that name. Raises OSError."""
    return _ctypes.dlsym(_ctypes.dlopen(None, 0), name)  # type: ignore[arg-type]  # as dlopen(3), which gives the whole program then


def arch() -> str:
    """The machine as uname(2) names it: "x86_64" or "aarch64"."""
    return os.uname().machine


_call_kernel = function("syscall")
_numbers = _NUMBERS.get(arch(), {})


def buffer(data: bytes | int) -> tuple[Memory, int]:
    """Memory that the kernel may read or write, and its address; keep the first while the kernel uses the second."""
    memory = (c_char * (data if isinstance(data, int) else len(data)))()
    if isinstance(data, bytes):
        memory.raw = data
    return memory, _ctypes.addressof(memory)


def _syscall(name: str, *arguments: int) -> int:
    result = _call_kernel(_numbers[name], *arguments)
    if result < 0:
        error = _ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def bpf(command: int, attributes: bytes) -> int:
    """bpf(2) with ``attributes`` as union bpf_attr; the kernel's answer is not copied back. Raises OSError."""
    memory, address = buffer(attributes)
    return _syscall("bpf", command, address, len(memory))


def bpf_in_place(command: int, attributes: Memory) -> int:
    """bpf(2) with attributes that the kernel may write to, also when it fails. Raises OSError."""
    return _syscall("bpf", command, _ctypes.addressof(attributes), len(attributes))


def perf_event_open(attributes: bytes, pid: int, cpu: int, group: int, flags: int) -> int:
    """perf_event_open(2); returns a file descriptor. Raises OSError."""
    memory, address = buffer(attributes)
    result = _syscall("perf_event_open", address, pid, cpu, group, flags)
    del memory
    return result


def membarrier() -> None:
    """Waits until every probe that is running on any CPU has left: MEMBARRIER_CMD_GLOBAL is synchronize_rcu()."""
    try:
        _syscall("membarrier", 1, 0)
    except OSError:  # a kernel with nohz_full CPUs refuses
        import time

        time.sleep(0.02)


def share_heap(spare: int) -> None:
    """Gives all threads one heap, in which one can use again what another has freed: they hold Python's lock in turn, so none waits.

    Malloc may keep ``spare`` bytes at its top, where it would give them back and fetch them again for each batch. mallopt(3) with
    M_ARENA_MAX and M_TOP_PAD; a C library without it does nothing.
    """
    try:
        mallopt = function("mallopt")
    except OSError:
        return
    mallopt(-8, 1)
    mallopt(-2, spare)


def lift_limits() -> None:
    """As many descriptors as may be, and, before Linux 5.11, as much memory for maps. What is there was meant for the target."""
    memory, at = buffer(16)  # struct rlimit64: current, maximum
    try:
        memory.raw = struct.pack("<QQ", _INFINITY, _INFINITY)
        _syscall("prlimit64", 0, _MEMLOCK, at, 0)
    except OSError:
        pass
    try:
        _syscall("prlimit64", 0, _NOFILE, 0, at)
        most = struct.unpack("<QQ", memory.raw)[1]
        memory.raw = struct.pack("<QQ", _MANY_FILES if most == _INFINITY else most, most)
        _syscall("prlimit64", 0, _NOFILE, at, 0)
    except OSError:
        pass


def possible_cpus() -> int:
    """Number of CPUs that per-CPU map values have a copy for (one more than the highest id the kernel may bring up)."""
    with open("/sys/devices/system/cpu/possible") as file:
        return int(file.read().strip().split(",")[-1].split("-")[-1]) + 1
