"""What `search` found, kept on disk, so that a file is searched once.

A file is known by its build id and by what the kernel says of it: device, inode, size and the times of its last changes. The build id
alone would not do: anyone can write that of a system's library into a file of his own, and so choose where others are probed.
"""

from __future__ import annotations

import os
import zlib

from tracer.kernel.image import cache_folder, read_trusted, write_trusted
from tracer.tls.elf import BadElf, Elf
from tracer.tls.found import Found
from tracer.tls.quick import quick

__all__ = ("cached", "found", "keep")

_FORM = 1  # of what is found: another one is another search
_KEPT = 500  # files


def found(fd: int, *, returns: bool = False, folder: str | None = None) -> Found | None:
    """What is known of an open file, from the cache or by its symbols; None: only a `Search` can tell.

    With ``returns``, symbols are not enough where there are functions: their ways out are found by a search alone.
    """
    known = cached(fd, folder)
    if known is None:
        known = quick(fd)
        if returns and known is not None and known.functions:
            return None
    return known


def cached(fd: int, folder: str | None = None) -> Found | None:
    """What an earlier search found in this very file."""
    place = _place(fd, folder)
    value = read_trusted(*place) if place else None
    return Found.unpacked(value.get("found")) if value else None


def keep(fd: int, what: Found, folder: str | None = None) -> None:
    """Keep what a search found. Best effort."""
    place = _place(fd, folder)
    if place:
        path, identity = place
        write_trusted(path, {"identity": identity, "found": what.packed()}, _KEPT)


def _place(fd: int, folder: str | None) -> tuple[str, str] | None:
    try:
        stat = os.fstat(fd)
        build_id = Elf(fd).build_id()
    except (BadElf, OSError):
        return None
    identity = repr((_FORM, build_id, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return os.path.join(folder or cache_folder(), f"{build_id[:16]}-{zlib.crc32(identity.encode()):08x}.tls"), identity
