"""What this process may do. Loaded before anything else when a trace is asked for, so it imports next to nothing."""

from __future__ import annotations

import os

__all__ = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "can_trace", "capable")

# Bit numbers of include/uapi/linux/capability.h.
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
CAP_PERFMON = 38
CAP_BPF = 39


def capable(capability: int) -> bool:
    """True when the calling process has this capability in its effective set."""
    with open("/proc/self/status", "rb") as status:
        effective = next((line for line in status if line.startswith(b"CapEff:")), b"CapEff: 0")
    return bool(int(effective.split()[1], 16) >> capability & 1)


def can_trace() -> bool:
    """True when this process need not ask sudo: root, or what BPF tracing takes since Linux 5.8 (before: CAP_SYS_ADMIN).

    Root without these capabilities (in a container) counts: sudo would give it nothing more, and the worker can say what is missing.
    """
    return os.geteuid() == 0 or capable(CAP_SYS_ADMIN) or (capable(CAP_BPF) and capable(CAP_PERFMON))
