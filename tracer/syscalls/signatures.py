"""What the arguments of each system call mean, which of them a detail record keeps, and how to read them back.

A record has room for STRING_SLOTS slots of 64 bits (struct slot in bpf/records.h). The tables in calls_*.py say per
call what goes there; `plans` tells the kernel, `decode` tells whoever reads a session, from the same lines.

Kinds of values:
    fd, dirfd               descriptor, or AT_FDCWD (-100) and the like; signed
    path, string            a string of the user; the value is the id of the interned string, 0 if it could not be read
    pid, signal, int, long  signed
    uint, uid, gid          unsigned; uid and gid 4294967295: leave it unchanged
    flags, mode, command    unsigned: bits, permissions and file type, a selector such as ioctl's request
    size, offset            bytes; an offset is signed
    count                   items
    address, pointer        user memory: that the call manages, that it reads or writes
    sockaddr                id of the bytes of a socket address, as a string's; 0 if none was given
    fd_pair                 two descriptors that the call made: the first in the low half
    word                    whatever the call makes of it
Results have the same kinds, and `bytes`: as many were moved by the call.
"""

from __future__ import annotations

from functools import cache

from tracer.kinds import CallFlag
from tracer.records import SYSNO_COMPAT, SYSNO_URING, SlotKind
from tracer.syscalls.calls_files import FILE_CALLS
from tracer.syscalls.calls_processes import PROCESS_CALLS
from tracer.syscalls.calls_system import SYSTEM_CALLS
from tracer.syscalls.names import base_name, table_name
from tracer.syscalls.uring import line_of

__all__ = (
    "DEFAULT_SLOTS", "KINDS", "STRINGS", "STRING_SLOTS", "Slot", "arguments", "decode", "descriptions", "execed", "is_special", "parse", "recipe",
    "result", "slots",
)

Argument = tuple[str, str]  # name, kind
Slot = tuple[int, int, int, bool]  # SlotKind, arguments a and b, whether a and b are the halves of one argument

STRING_SLOTS = 3
STRINGS = ("path", "string")
# Members of an enum are slow to reach
_VALUE, _STRING, _PAIR, _ADDRESS, _ADDRESS_AT, _MESSAGE, _PEEK = map(
    int, (SlotKind.VALUE, SlotKind.STRING, SlotKind.PAIR, SlotKind.ADDRESS, SlotKind.ADDRESS_AT, SlotKind.MESSAGE, SlotKind.PEEK))
_POINTED = {"@": _MESSAGE, "*": _PEEK}
DEFAULT_SLOTS: tuple[Slot, ...] = tuple((_VALUE, index, index, False) for index in range(STRING_SLOTS))

# Kind -> bits, signed
KINDS = {
    "fd": (32, True), "dirfd": (32, True), "pid": (32, True), "signal": (32, True), "int": (32, True), "uint": (32, False),
    "uid": (32, False), "gid": (32, False), "flags": (32, False), "mode": (32, False), "command": (32, False),
    "long": (64, True), "offset": (64, True), "size": (64, False), "count": (64, False), "word": (64, False),
    "address": (64, False), "pointer": (64, False), "path": (64, False), "string": (64, False), "bytes": (64, False),
    "sockaddr": (64, False), "fd_pair": (64, False),
}

_COMPAT_TABLES = ("i386", "arm")
_UNKNOWN: tuple[Argument, ...] = (("arg0", "word"), ("arg1", "word"), ("arg2", "word"))


@cache
def _described() -> dict[str, str]:
    """Name, perhaps with "@" and an architecture, -> its description."""
    lines: dict[str, str] = {}
    for text in (FILE_CALLS, PROCESS_CALLS, SYSTEM_CALLS):
        for line in text.splitlines():
            names, _, rest = line.partition(":")
            for name in names.split():
                lines[name] = rest
    return lines


@cache
def descriptions(table: str) -> dict[str, str]:
    """Name -> description, not yet parsed, of the calls in one of the four tables of tracer/syscalls/names.py; not to be changed."""
    lines: dict[str, str] = {}
    own: dict[str, str] = {}
    for name, line in _described().items():
        plain, found, owner = name.partition("@")
        if not found:
            lines[name] = line
        elif owner == table or (owner == "32" and table in _COMPAT_TABLES):
            own[plain] = line
    return lines | own


@cache
def parse(line: str) -> tuple[tuple[Argument, ...], str, tuple[Slot, ...]]:
    """A description as (arguments, kind of the result, slots): at most three slots, in the order of the record."""
    head, _, chosen = line.partition("|")
    words, _, result = head.partition("->")
    given: list[Argument] = []
    for word in words.split():
        name, _, kind = word.partition(":")
        given.append((name, kind or (name if name in KINDS else "pointer")))
    places = chosen.split() or [str(index) for index in range(min(STRING_SLOTS, len(given)))]
    return tuple(given), result.strip() or "int", tuple(_slot(place, given) for place in places)


def _slot(place: str, given: list[Argument]) -> Slot:
    if place[0] in _POINTED:
        return _POINTED[place[0]], int(place[1]), int(place[1]), False
    index = int(place[0])
    if place[1:2] == "/":
        return (_ADDRESS_AT if place[1:3] == "//" else _ADDRESS), index, int(place[-1]), False
    if len(place) == 3:
        return _PAIR, index, int(place[2]), place[1] == ":"
    return (_STRING if given[index][1] in STRINGS else _VALUE), index, index, False


def is_special(line: str) -> bool:
    """Whether a description has strings or slots of its own; else a record has the first three arguments by value."""
    return "|" in line or "path" in line or ":string" in line


def _line(arch: str, sysno: int) -> str | None:
    if sysno >= SYSNO_URING:
        return line_of(sysno)
    name = base_name(arch, sysno)
    return None if name is None else descriptions(table_name(arch, sysno >= SYSNO_COMPAT)).get(name)


def _signature(arch: str, sysno: int) -> tuple[tuple[Argument, ...], str, tuple[Slot, ...]]:
    line = _line(arch, sysno)
    return (_UNKNOWN, "long", DEFAULT_SLOTS) if line is None else parse(line)


def arguments(arch: str, sysno: int) -> tuple[Argument, ...]:
    """All arguments of a call, (name, kind) each, as they come in registers: "offset_high" and "pad" included."""
    return _signature(arch, sysno)[0]


def result(arch: str, sysno: int) -> str:
    """The kind of a call's result where it is no error; "int" also stands for calls that return 0."""
    return _signature(arch, sysno)[1]


def slots(arch: str, sysno: int) -> tuple[Slot, ...]:
    """The slots of a call's record that mean something; at most three."""
    return _signature(arch, sysno)[2]


# Of one value: name, kind, slot, shift to the right, bits, signed
Recipe = tuple[tuple[str, str, int, int, int, bool], ...]

# Of an exec that succeeded (CallFlag.EXECED): its arguments are gone at its end, the probe kept their strings before
_EXECED: Recipe = (("path", "path", 0, 0, 64, False), ("argv", "string", 1, 0, 64, False))


@cache
def execed(arch: str, sysno: int, flags: int) -> bool:
    """Whether a record tells of an exec that succeeded; of a call that opens files the same flag says CREATED."""
    return bool(arch and flags & CallFlag.EXECED) and base_name(arch, sysno) in ("execve", "execveat")


@cache
def recipe(arch: str, sysno: int) -> Recipe:
    """Where the kept arguments of a call lie in its record, in the order of the call's own arguments."""
    given, _, chosen = _signature(arch, sysno)
    compat = SYSNO_COMPAT <= sysno < SYSNO_URING
    steps = []
    for slot, (kind, first, second, joined) in enumerate(chosen):
        for shift, index in ((0, first), (32, second)) if kind == _PAIR and not joined else ((0, first),):
            bits, signed = KINDS[given[index][1]]
            if (compat and kind == _VALUE) or (kind == _PAIR and not joined):
                bits = 32
            steps.append((index, (*given[index], slot, shift, bits, signed)))
    return tuple(step for _, step in sorted(steps))


def decode(arch: str, sysno: int, a0: int, a1: int, a2: int, flags: int = 0) -> list[tuple[str, str, int]]:
    """The kept arguments of one record as (name, kind, value), in the order of the call's own arguments.

    `a0`, `a1`, `a2` are the record's slots, unsigned, and `flags` its CallFlag. Values are signed where their kind is,
    cut to 32 bits where the kernel looks at no more; for path and string the value is the string's id. An exec that
    succeeded has path and argv, both strings.
    """
    steps = recipe(arch, sysno)
    if execed(arch, sysno, flags):
        steps = _EXECED
    kept = (a0, a1, a2)
    values = []
    for name, kind, slot, shift, bits, signed in steps:
        value = (kept[slot] >> shift) & ((1 << bits) - 1)
        if signed and value >> (bits - 1):
            value -= 1 << bits
        values.append((name, kind, value))
    return values
