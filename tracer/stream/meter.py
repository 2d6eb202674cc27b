"""What the tracer itself costs: CPU, memory, disk, kernel memory."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from typing import Any

__all__ = ("kernel_map_bytes", "usage")


def kernel_map_bytes(fds: list[int]) -> int:
    """Kernel memory of the given maps, as the kernel accounts it (fdinfo "memlock")."""
    total = 0
    for fd in fds:
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                total += next((int(line.split()[1]) for line in file if line.startswith("memlock:")), 0)
        except OSError:
            continue
    return total


def usage(front_pid: int | None, scribe: Mapping[str, float]) -> dict[str, Any]:
    """CPU seconds and peak resident MB of this process since its start, with those of the scribe if there was one, and of the front beside it."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    found: dict[str, Any] = {
        "cpu_s": round(own.ru_utime + own.ru_stime + scribe.get("cpu_s", 0.0), 4),
        "peak_rss_mb": round(_peak_kb(os.getpid()) / 1024 + scribe.get("peak_rss_mb", 0.0), 2),
    }
    if front_pid is not None:
        found["launcher_rss_mb"] = round(_peak_kb(front_pid) / 1024, 2)
    return found


def _peak_kb(pid: int) -> int:
    """VmHWM: a fork starts it at the size of the moment, unlike ru_maxrss, which a child inherits from its parent."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0
