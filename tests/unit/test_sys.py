"""Functions of the C library, by the part of ctypes that is written in C."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys

import pytest

from tracer.kernel.sys import bpf, buffer, function, perf_event_open, symbol

_LIFT = """
import resource
from tracer.kernel.sys import lift_limits
resource.setrlimit(resource.RLIMIT_NOFILE, (101, 211))
resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 16, 1 << 16))
lift_limits()
print(*resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_MEMLOCK))
try:
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(resource.RLIM_INFINITY)
except ValueError:  # not without CAP_SYS_RESOURCE
    print(1 << 16)
"""


def test_functions_take_and_give_longs() -> None:
    assert function("getppid")() == os.getppid()
    assert function("labs")(-(2**62) - 7) == 2**62 + 7
    assert symbol("labs") == ctypes.cast(ctypes.CDLL(None).labs, ctypes.c_void_p).value
    with pytest.raises(OSError, match="no_such_function"):
        function("no_such_function")


@pytest.mark.parametrize("data", [b"", b"a\0b", bytes(range(256)), 0, 5])
def test_memory_is_as_it_was_given(data: bytes | int) -> None:
    memory, at = buffer(data)
    whole = bytes(data)
    assert (bytes(memory), len(memory), memory.raw) == (whole, len(whole), whole)
    assert ctypes.string_at(at, len(whole)) == whole
    ctypes.memset(at, 7, len(whole))
    assert bytes(memory) == b"\7" * len(whole)


def test_errors_are_the_kernels() -> None:
    with pytest.raises(OSError, match=f"{os.strerror(errno.EINVAL)}|{os.strerror(errno.EPERM)}"):
        bpf(2**30, bytes(64))  # no such command
    with pytest.raises(OSError, match=f"{os.strerror(errno.E2BIG)}|{os.strerror(errno.EACCES)}|{os.strerror(errno.EPERM)}"):
        perf_event_open(b"\xff" * 112, -1, 0, -1, 0)  # larger than any kernel knows


def test_limits_are_lifted_as_far_as_they_may_be() -> None:
    done = subprocess.run([sys.executable, "-c", _LIFT], capture_output=True, text=True, check=True)
    *lifted, allowed = map(int, done.stdout.split())
    assert lifted == [211, 211, allowed, allowed]
