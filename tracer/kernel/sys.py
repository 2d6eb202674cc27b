"""System calls that Python does not wrap, by number: bpf(2), perf_event_open(2), membarrier(2)."""

from __future__ import annotations

import ctypes
import os

__all__ = ("arch", "bpf", "bpf_in_place", "buffer", "membarrier", "perf_event_open", "possible_cpus", "share_heap")

_NUMBERS = {  # asm/unistd_64.h, asm-generic/unistd.h
    "x86_64": {"bpf": 321, "perf_event_open": 298, "membarrier": 324},
    "aarch64": {"bpf": 280, "perf_event_open": 241, "membarrier": 283},
}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def arch() -> str:
    """The machine as uname(2) names it: "x86_64" or "aarch64"."""
    return os.uname().machine


def buffer(data: bytes | int) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """Memory that the kernel may read or write, and its address; keep the first while the kernel uses the second."""
    memory = ctypes.create_string_buffer(data, len(data)) if isinstance(data, bytes) else ctypes.create_string_buffer(data)
    return memory, ctypes.addressof(memory)


def _syscall(name: str, *arguments: int) -> int:
    result = _libc.syscall(_NUMBERS[arch()][name], *(ctypes.c_long(a) for a in arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(result)


def bpf(command: int, attributes: bytes) -> int:
    """bpf(2) with ``attributes`` as union bpf_attr; the kernel's answer is not copied back. Raises OSError."""
    memory, address = buffer(attributes)
    return _syscall("bpf", command, address, len(memory))


def bpf_in_place(command: int, attributes: ctypes.Array[ctypes.c_char]) -> int:
    """bpf(2) with attributes that the kernel may write to, also when it fails. Raises OSError."""
    return _syscall("bpf", command, ctypes.addressof(attributes), len(attributes))


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
        _libc.mallopt(-8, 1)
        _libc.mallopt(-2, spare)
    except AttributeError:
        return


def possible_cpus() -> int:
    """Number of CPUs that per-CPU map values have a copy for (one more than the highest id the kernel may bring up)."""
    with open("/sys/devices/system/cpu/possible") as file:
        return int(file.read().strip().split(",")[-1].split("-")[-1]) + 1
