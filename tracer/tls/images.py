"""Files that processes run, opened through /proc: in whatever container they are, and also when they have been deleted."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from contextlib import suppress
from typing import NamedTuple

from tracer.tls.elf import BadElf, Elf

__all__ = ("Image", "mapped_files", "open_image")

_MAPPED_LIMIT = 4096  # files of one process


class Image(NamedTuple):
    """An open file; its name is that of its process's root. ``device`` as the kernel numbers them: major << 20 | minor."""

    fd: int
    path: str
    inode: int
    device: int

    def build_id(self) -> str:
        """The GNU build id in hex; "" if there is none."""
        try:
            return Elf(self.fd).build_id()
        except (BadElf, OSError):
            return ""


def open_image(tgid: int, inode: int, device: int) -> Image | None:
    """The file with these numbers that a process runs or has mapped; None if the process has gone, or let go of it."""
    with suppress(OSError):
        image = _open(f"/proc/{tgid}/exe", os.readlink(f"/proc/{tgid}/exe"), device)
        if image.inode == inode:
            return image
        os.close(image.fd)
    for limits, _, mapped_inode, mapped_device, path in _mappings(tgid):
        if (mapped_inode, mapped_device) == (inode, device):
            return _open_mapped(tgid, limits, path, device)
    return None


def mapped_files(tgid: int, known: Container[tuple[int, int]] = ()) -> Iterator[Image]:
    """Every file whose code a process may run, once, but for those whose inode and device are ``known``."""
    seen: set[tuple[int, int]] = set()
    for limits, rights, inode, device, path in _mappings(tgid):
        if "x" in rights and (inode, device) not in known and (inode, device) not in seen and len(seen) < _MAPPED_LIMIT:
            seen.add((inode, device))
            if (image := _open_mapped(tgid, limits, path, device)) is not None:
                yield image


def _mappings(tgid: int) -> Iterator[tuple[str, str, int, int, str]]:
    """Addresses, rights, inode, device and path of each mapping of a file (proc_pid_maps(5))."""
    try:
        with open(f"/proc/{tgid}/maps", errors="surrogateescape") as maps:
            for line in maps:
                limits, rights, _, numbers, inode, *path = line.rstrip("\n").split(maxsplit=5)
                if path and inode != "0":
                    major, minor = (int(number, 16) for number in numbers.split(":"))
                    yield limits, rights, int(inode), major << 20 | minor, path[0]
    except (OSError, ValueError):
        return


def _open_mapped(tgid: int, limits: str, path: str, device: int) -> Image | None:
    low, high = (int(limit, 16) for limit in limits.split("-"))
    for way in (f"/proc/{tgid}/map_files/{low:x}-{high:x}", f"/proc/{tgid}/root{path}"):  # the first takes CAP_CHECKPOINT_RESTORE
        with suppress(OSError):
            return _open(way, path, device)
    return None


def _open(way: str, path: str, device: int) -> Image:
    fd = os.open(way, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    return Image(fd, path.removesuffix(" (deleted)"), os.fstat(fd).st_ino, device)
