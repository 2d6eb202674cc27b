"""The plan of every system call as the bytes of the kernel's map MAP_PLANS (struct plan in bpf/records.h).

A pure function of its arguments, so that its result can be cached with the kernel image; it takes two milliseconds.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

from tracer.records import SYSNO_COMPAT, SYSNO_LIMIT, SYSNO_URING, PlanFlag, SlotKind, Tail
from tracer.syscalls.names import table_name, tables
from tracer.syscalls.signatures import DEFAULT_SLOTS, STRING_SLOTS, Slot, descriptions, is_special, parse
from tracer.syscalls.uring import line_of, opcode_name

__all__ = ("PLAN", "plans")

PLAN = Struct("<II4B4B4BI")  # struct plan: flags, keep_one_in, three times {kind, a, b, pad}, tail

_BIRTHS = frozenset(("fork", "vfork", "clone", "clone3"))
_EXECS = frozenset(("execve", "execveat"))

# Besides the calls that return a new descriptor: calls that make, move, close or name descriptors in other ways, and
# those after which a relative or remembered path means another file. Not recvmsg, though it may receive descriptors:
# its record does not say which, and it may be most of what a program does.
_NAMERS = frozenset((
    "fcntl", "fcntl64", "close", "close_range", "pipe", "pipe2", "socketpair", "connect", "bind", "listen", "socketcall", "bpf", "chdir", "fchdir",
    "chroot", "pivot_root", "mount", "umount2", "unshare", "setns", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir",
    "io_uring:close", "io_uring:renameat", "io_uring:unlinkat", "io_uring:pipe",
))

# What happens after a call, in the native table; 32-bit calls lay their structures out in other ways.
_SENDS, _GATED = PlanFlag.SENDS, PlanFlag.GATED
_TAILS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("connect", "bind", "listen"), (int(Tail.SOCKET), 0)),
    **dict.fromkeys(("socket", "accept", "accept4"), (int(Tail.ACCEPT), 0)),
    "pidfd_getfd": (int(Tail.PASSED), 0),
    "mmap": (int(Tail.MAPPED), int(PlanFlag.MAPS)),
    **dict.fromkeys(("dup", "dup2", "dup3"), (int(Tail.COPIED), int(_GATED))),
    "fcntl": (int(Tail.COPIED), int(_GATED | PlanFlag.COMMAND)),
    "socketpair": (int(Tail.COPIED), 0),
    "recvmsg": (int(Tail.MESSAGE), int(PlanFlag.MESSAGES)),
    "sendmsg": (int(Tail.MESSAGE), int(_SENDS | PlanFlag.MESSAGES)),
    "read": (int(Tail.DATA), int(_GATED)),
    "write": (int(Tail.DATA), int(_GATED | _SENDS)),
    "readv": (int(Tail.DATA), int(_GATED | PlanFlag.VECTOR)),
    "writev": (int(Tail.DATA), int(_GATED | PlanFlag.VECTOR | _SENDS)),
    "recvfrom": (int(Tail.DATA), int(_GATED | PlanFlag.ADDRESSED)),
    "sendto": (int(Tail.DATA), int(_GATED | PlanFlag.ADDRESSED | _SENDS)),
    "recvmmsg": (int(Tail.DATA), int(_GATED | PlanFlag.MESSAGES)),
    "sendmmsg": (int(Tail.DATA), int(_GATED | PlanFlag.MESSAGES | _SENDS)),
}
# By these the code that uprobes put into a program comes back to the kernel, ours above all: the program does not make them.
_PROBES = frozenset(("uprobe", "uretprobe"))
_OPENS = {**dict.fromkeys(("open", "openat", "openat2"), int(PlanFlag.OPEN)), "creat": int(PlanFlag.CREAT)}

# Plain numbers: the operators of an IntFlag cost microseconds, and there are a thousand plans
_TRACED, _BYTES, _SLOTS, _BIRTH, _EXEC, _ALWAYS = map(
    int, (PlanFlag.TRACED, PlanFlag.BYTES, PlanFlag.SLOTS, PlanFlag.BIRTH, PlanFlag.EXEC, PlanFlag.ALWAYS))
_VALUE = int(SlotKind.VALUE)


def plans(arch: str, expression: str, keep_one_in: int, *, names: bool = True) -> bytes:
    """SYSNO_LIMIT plans, ready for the map: which calls are traced, and what their records keep.

    `arch` is the machine as `uname -m` says it, `expression` what -e was given ("" for everything; tracer/syscalls/classes.py),
    `keep_one_in` the sampling of records: 1 keeps all, calls that name descriptors are kept all in any case. With `names` those are traced
    even if they were not selected: the reader needs them to name what the selected ones use. All flags but TRACED are
    set for calls that were not selected too: the probes follow births and execs regardless.
    Raises UsageError for an expression that is none, HostError for an unknown machine.
    """
    if not 1 <= keep_one_in <= 0xFFFF_FFFF:
        raise ValueError(f"keep_one_in is {keep_one_in}")
    selected = None
    if expression:
        from tracer.syscalls.classes import select  # not needed by most sessions

        selected = select(expression, arch)

    def plan(sysno: int, flags: int, chosen: tuple[Slot, ...], tail: int = 0) -> bytes:
        if selected is None or sysno in selected or (names and flags & _ALWAYS):
            flags |= _TRACED
        return _plan(flags, 1 if flags & _ALWAYS else keep_one_in, chosen, tail)

    plain = [_plan(flags, keep_one_in, DEFAULT_SLOTS) for flags in (0, _TRACED)]
    whole = [plain[selected is None or sysno in selected] for sysno in range(SYSNO_LIMIT)]
    for compat, calls in enumerate(tables(arch)):
        lines = descriptions(table_name(arch, bool(compat)))
        for name, number in calls.items():
            sysno = number + SYSNO_COMPAT * compat
            flags, chosen = _meaning(name, lines.get(name, ""))
            tail, more = _TAILS.get(name, (0, 0)) if not compat else (0, 0)
            if name in _PROBES:
                whole[sysno] = plain[0]
            elif flags | tail:
                whole[sysno] = plan(sysno, flags | more, chosen, tail)
    for sysno in range(SYSNO_URING, SYSNO_LIMIT):
        line = line_of(sysno) or ""
        # The probes fill the slots of operations by themselves.
        whole[sysno] = plan(sysno, _meaning(opcode_name(sysno), line)[0] & ~_SLOTS, DEFAULT_SLOTS)
    return b"".join(whole)


@cache  # native and 32-bit calls share most lines
def _meaning(name: str, line: str) -> tuple[int, tuple[Slot, ...]]:
    """Flags that follow from what a call is, and its slots, all three."""
    flags = 0
    if "-> bytes" in line:
        flags = _BYTES
    elif "-> fd" in line or name in _NAMERS:
        flags = _ALWAYS | _OPENS.get(name, 0)
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


def _plan(flags: int, keep_one_in: int, chosen: tuple[Slot, ...], tail: int = 0) -> bytes:
    first, second, third = chosen
    return PLAN.pack(flags, keep_one_in, *first[:3], 0, *second[:3], 0, *third[:3], 0, tail)
