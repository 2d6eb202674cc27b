"""Attaches programs to places in user programs, for whoever runs that file: by links of the kind uprobe_multi, or by perf events.

Links came with Linux 6.6. A perf event takes the kernel up to 0.1 s to take off, each by itself and with a lock that the next attach needs;
links are taken off together.

A uretprobe takes the function's return address off the stack. From Linux 6.11 on x86-64 comes back through a system call of its own, which
a target's seccomp filter may answer with death (mended in 6.14: the filter is not asked). `uretprobes_are_safe` tries it.
"""

from __future__ import annotations

import os
import struct

from tracer.kernel.loading import UPROBE_MULTI
from tracer.kernel.sys import arch, bpf, buffer, function, perf_event_open, symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("attach_to_oneself", "attach_uprobes", "uprobe_multi_works", "uretprobes_are_safe")

_KIND = "/sys/bus/event_source/devices/uprobe/"
_SET_BPF, _ENABLE = 0x40042408, 0x2400  # PERF_EVENT_IOC_*
_CLOEXEC = 8
_URETPROBE = 335  # __NR_uretprobe, x86-64 only
_PROG_LOAD, _LINK_CREATE, _KPROBE = 5, 28, 2
_LEAVE = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)  # r0 = 0; exit


def _number(name: str) -> int:
    with open(_KIND + name) as file:
        return int(file.read().strip().rpartition(":")[2])


def attach_uprobes(
    path: str, offsets: Sequence[int], program: int, *, returning: bool = False, multi: bool, cookie: int = 0,
) -> list[int]:
    """Runs ``program`` whenever the instruction at one of the ``offsets`` of the file is reached, or ``returning``: when that function returns.

    With ``multi`` the program must have been loaded for that, and may ask for its ``cookie``. Closing the returned descriptors takes it off.
    Raises OSError.
    """
    if multi:
        return [_link(path, offsets, program, returning, cookie)]
    fds: list[int] = []
    try:
        fds.extend(_event(path, offset, program, returning) for offset in offsets)
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    return fds


def _link(path: str, offsets: Sequence[int], program: int, returning: bool, cookie: int) -> int:
    memory, at = buffer(os.fsencode(path) + b"\0")
    places, places_at = buffer(struct.pack(f"<{len(offsets)}Q", *offsets))
    cookies, cookies_at = buffer(struct.pack("<Q", cookie) * len(offsets))
    # program, target, attach type, flags; then of uprobe_multi: path, offsets, reference counters, cookies, how many, flags, process
    several = at, places_at, 0, cookies_at, len(offsets), int(returning), 0, 0
    fd = bpf(_LINK_CREATE, struct.pack("<IIIIQQQQIIII", program, 0, UPROBE_MULTI, 0, *several))
    del memory, places, cookies
    return fd


def _event(path: str, offset: int, program: int, returning: bool) -> int:
    import fcntl  # links do without

    config = 1 << _number("format/retprobe") if returning else 0
    memory, at = buffer(os.fsencode(path) + b"\0")
    attributes = bytearray(112)
    # type, size of the structure, config; later config1 and config2: the path, the offset
    struct.pack_into("<IIQ", attributes, 0, _number("type"), len(attributes), config)
    struct.pack_into("<QQ", attributes, 56, at, offset)
    fd = perf_event_open(bytes(attributes), -1, 0, -1, _CLOEXEC)  # of all processes; which CPU is said makes no difference to a program
    del memory
    try:
        fcntl.ioctl(fd, _SET_BPF, program)
        fcntl.ioctl(fd, _ENABLE, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def _mapped_at(address: int) -> tuple[str, int]:
    """File and offset of an address of this process."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            limits, _, offset, _, _, *path = line.split(maxsplit=5)
            low, high = (int(limit, 16) for limit in limits.split("-"))
            if low <= address < high and path:
                return path[0].strip(), address - low + int(offset, 16)
    raise OSError("no file is mapped there")


def _refuse_uretprobe() -> None:
    """A seccomp filter for the calling process that kills it for the system call of uretprobes."""
    # load the number; if it is that one: kill, else allow (include/uapi/linux/filter.h, linux/seccomp.h)
    code = struct.pack("<HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0, 0x15, 0, 1, _URETPROBE, 0x06, 0, 0, 0x80000000, 0x06, 0, 0, 0x7FFF0000)
    memory, at = buffer(code)
    program, program_at = buffer(struct.pack("<H6xQ", 4, at))
    prctl = function("prctl")
    if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program_at, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        os._exit(2)
    del memory, program


def attach_to_oneself(*, returning: bool, multi: bool = False) -> int:
    """An uprobe that does nothing, at getppid(3) of this process's C library; to be closed. Raises OSError."""
    address = symbol("getppid")
    code, code_at = buffer(_LEAVE)
    licence, licence_at = buffer(b"GPL\0")
    kind = UPROBE_MULTI if multi else 0
    program = bpf(_PROG_LOAD, struct.pack("<IIQQIIQII16sII", _KPROBE, 2, code_at, licence_at, 0, 0, 0, 0, 0, b"ebt_try", 0, kind))
    del code, licence
    path, offset = _mapped_at(address)
    try:
        return attach_uprobes(path, [offset], program, returning=returning, multi=multi)[0]
    finally:
        os.close(program)


def uprobe_multi_works() -> bool:
    """Whether this kernel has links of that kind."""
    try:
        os.close(attach_to_oneself(returning=False, multi=True))
    except OSError:
        return False
    return True


def uretprobes_are_safe(*, multi: bool) -> bool:
    """Whether a program under seccomp survives one. Tried on a child of this process, and only where it may be otherwise."""
    if arch() != "x86_64":
        return True
    try:
        probe = attach_to_oneself(returning=True, multi=multi)
    except OSError:
        return False
    try:
        pid = os.fork()
        if not pid:
            _refuse_uretprobe()
            function("getppid")()
            os._exit(0)
        return os.waitpid(pid, 0)[1] == 0
    finally:
        os.close(probe)
