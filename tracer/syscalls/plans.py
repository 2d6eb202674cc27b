"""The plan of every system call as the bytes of the kernel's map MAP_PLANS (struct plan in bpf/records.h).

A pure function of its arguments, so that its result can be cached with the kernel image; it takes two milliseconds.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

from tracer.records import SYSNO_COMPAT, SYSNO_LIMIT, PlanFlag, SlotKind
from tracer.syscalls.names import table_name, tables
from tracer.syscalls.signatures import DEFAULT_SLOTS, STRING_SLOTS, Slot, descriptions, is_special, parse

__all__ = ("PLAN", "plans")

PLAN = Struct("<II4B4B4BI")  # struct plan: flags, keep_one_in, three times {kind, a, b, pad}, pad

_BIRTHS = frozenset(("fork", "vfork", "clone", "clone3"))
_EXECS = frozenset(("execve", "execveat"))

# Besides the calls that return a new descriptor: calls that make, move, close or name descriptors in other ways, and
# those after which a relative or remembered path means another file. Not recvmsg, though it may receive descriptors:
# its record does not say which, and it may be most of what a program does.
_NAMERS = frozenset((
    "fcntl", "fcntl64", "close", "close_range", "pipe", "pipe2", "socketpair", "connect", "bind", "socketcall", "bpf", "chdir", "fchdir", "chroot",
    "pivot_root", "rename", "renameat", "renameat2",
))

# Plain numbers: the operators of an IntFlag cost microseconds, and there are a thousand plans
_TRACED, _BYTES, _SLOTS, _BIRTH, _EXEC, _ALWAYS = map(
    int, (PlanFlag.TRACED, PlanFlag.BYTES, PlanFlag.SLOTS, PlanFlag.BIRTH, PlanFlag.EXEC, PlanFlag.ALWAYS))
_VALUE = int(SlotKind.VALUE)


def plans(arch: str, expression: str, keep_one_in: int) -> bytes:
    """SYSNO_LIMIT plans, ready for the map: which calls are traced, and what their records keep.

    `arch` is the machine as `uname -m` says it, `expression` what -e was given ("" for everything; tracer/syscalls/classes.py),
    `keep_one_in` the sampling of records: 1 keeps all, calls that name descriptors are kept all in any case.
    All flags but TRACED are set for calls that were not selected too: the probes follow births and execs regardless.
    Raises UsageError for an expression that is none, HostError for an unknown machine.
    """
    if not 1 <= keep_one_in <= 0xFFFF_FFFF:
        raise ValueError(f"keep_one_in is {keep_one_in}")
    selected = None
    if expression:
        from tracer.syscalls.classes import select  # not needed by most sessions

        selected = select(expression, arch)
    plain = [_plan(flags, keep_one_in, DEFAULT_SLOTS) for flags in (0, _TRACED)]
    whole = [plain[selected is None or sysno in selected] for sysno in range(SYSNO_LIMIT)]
    for compat, calls in enumerate(tables(arch)):
        lines = descriptions(table_name(arch, bool(compat)))
        for name, number in calls.items():
            sysno = number + SYSNO_COMPAT * compat
            flags, chosen = _meaning(name, lines.get(name, ""))
            if flags:
                if selected is None or sysno in selected:
                    flags |= _TRACED
                whole[sysno] = _plan(flags, 1 if flags & _ALWAYS else keep_one_in, chosen)
    return b"".join(whole)


@cache  # native and 32-bit calls share most lines
def _meaning(name: str, line: str) -> tuple[int, tuple[Slot, ...]]:
    """Flags that follow from what a call is, and its slots, all three."""
    flags = 0
    if "-> bytes" in line:
        flags = _BYTES
    elif "-> fd" in line or name in _NAMERS:
        flags = _ALWAYS
    elif name in _BIRTHS:
        flags = _BIRTH
    elif name in _EXECS:
        flags = _EXEC
    return (flags | _SLOTS, _filled(parse(line)[2])) if is_special(line) else (flags, DEFAULT_SLOTS)


def _filled(chosen: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Three slots. A free one repeats a value that is kept anyway: whatever lies in a register would only cost space."""
    if len(chosen) == STRING_SLOTS:
        return chosen
    values = [slot for slot in chosen if slot[0] == _VALUE]
    index = (values or chosen)[0][1]
    return chosen + ((_VALUE, index, index, False),) * (STRING_SLOTS - len(chosen))


def _plan(flags: int, keep_one_in: int, chosen: tuple[Slot, ...]) -> bytes:
    first, second, third = chosen
    return PLAN.pack(flags, keep_one_in, *first[:3], 0, *second[:3], 0, *third[:3], 0, 0)
