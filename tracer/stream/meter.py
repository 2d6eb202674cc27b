"""What the tracer itself costs: CPU, memory, disk, kernel memory."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ("kernel_map_bytes", "sum_of", "usage", "usage_beside")


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


def usage(front_pid: int | None, helpers: Mapping[str, float]) -> dict[str, Any]:
    """CPU seconds and peak resident MB of this process since its start, with those of its helpers, and of the front beside it."""
    import resource  # at the end, when nobody waits

    own = resource.getrusage(resource.RUSAGE_SELF)
    found: dict[str, Any] = sum_of({
        "cpu_s": round(own.ru_utime + own.ru_stime, 4),
        "peak_rss_mb": round(_kb(f"/proc/{os.getpid()}/status", "VmHWM:") / 1024, 2),
    }, helpers)
    if front_pid is not None:
        found["launcher_rss_mb"] = round(_kb(f"/proc/{front_pid}/status", "VmHWM:") / 1024, 2)
    return found


def usage_beside() -> dict[str, float]:
    """What this process, forked from the worker, and its children took: cpu_s, and as peak_rss_mb what it does not share with the worker."""
    import resource

    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    shared = _kb("/proc/self/smaps_rollup", "Shared_Clean:", "Shared_Dirty:")
    return {"cpu_s": round(sum(each.ru_utime + each.ru_stime for each in used), 4),
            "peak_rss_mb": round(max(_kb("/proc/self/status", "VmHWM:") - shared, 0) / 1024, 2)}


def sum_of(*parts: Mapping[str, float]) -> dict[str, float]:
    """The processes' figures together; nothing where a process has not said anything."""
    return {name: round(sum(part.get(name, 0.0) for part in parts), 4) for name in ("cpu_s", "peak_rss_mb")}


def _kb(path: str, *names: str) -> int:
    """VmHWM: a fork starts it at the size of the moment, unlike ru_maxrss, which a child inherits from its parent."""
    try:
        with open(path) as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(names))
    except OSError:
        return 0
