"""What is loaded before the target may run is what that takes, and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

# As tracer/commands/_fork.py and tracer/kernel/early.py load it
_WORKER = "import tracer.commands, tracer.kernel.early, tracer.commands._live, tracer.worker"
_WATCH = "import tracer.commands, tracer.kernel.early, tracer.tls.life, tracer.tls.cache"
_SLOW = {"typing", "dataclasses", "inspect", "subprocess", "socket", "logging", "uuid", "datetime", "re", "enum", "json",
         "collections", "contextlib", "ctypes", "functools", "heapq", "resource", "threading",
         "numpy", "msgpack", "psutil", "zstandard", "tracer.kernel.perf"}


@pytest.mark.parametrize("start", [_WORKER, _WATCH], ids=["the worker", "the watch"])
def test_it_is_not_slow(start: str) -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}; before = {{*sys.modules}}; {start}; print(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert "tracer.kernel.tracing" in loaded
    assert loaded & _SLOW == set()
