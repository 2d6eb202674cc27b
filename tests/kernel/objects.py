"""BPF programs, maps and links of one process, and whether they still exist: asked from the kernel, so it needs no bpftool."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from pathlib import Path

__all__ = ("alive", "held_by")

_NR_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_COMMANDS = {"prog": 13, "map": 14, "link": 30}  # BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID
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
    """Those that the kernel still has; ids are not used twice."""
    found = set()
    for kind, number in objects:
        attributes = ctypes.create_string_buffer(struct.pack("<I60x", number))
        fd = _libc.syscall(_NR_BPF, _COMMANDS[kind], attributes, len(attributes))
        if fd >= 0:
            os.close(fd)
            found.add((kind, number))
    return found
