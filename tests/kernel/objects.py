"""BPF programs, maps and links of one process, and whether they still exist: asked from the kernel, so it needs no bpftool."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from pathlib import Path

__all__ = ("alive", "held_by")

_NR_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_COMMANDS = {"prog": 11, "map": 12, "link": 31}  # BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID
_libc = ctypes.CDLL(None, use_errno=True)


def held_by(pid: int) -> set[tuple[str, int]]:
    """Kind and id of every BPF object that a process holds open."""
    objects = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = info.read_text()
        except FileNotFoundError:  # the process opens and closes files of its own while it is being asked
            continue
        objects |= {(kind, int(number)) for kind, number in re.findall(r"^(prog|map|link)_id:\s+(\d+)", text, re.MULTILINE)}
    return objects


def alive(objects: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those that the kernel still has; ids are not used twice.

    Asked by listing, not by opening: closing a program array again and again while it is being freed makes the kernel keep it for ever.
    """
    return {(kind, number) for kind, number in objects if _next(kind, number - 1) == number}


def _next(kind: str, number: int) -> int:
    """The lowest id of that kind above ``number``; 0 if there is none."""
    attributes = ctypes.create_string_buffer(struct.pack("<II56x", number, 0))
    found = _libc.syscall(_NR_BPF, _COMMANDS[kind], attributes, len(attributes))
    return 0 if found else int(struct.unpack_from("<I", attributes.raw, 4)[0])
