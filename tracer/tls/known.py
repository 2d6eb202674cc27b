"""What was found in each file that some process ran, all of it in one file on disk: to look is to ask the kernel what file it is.

Without it every start of a program would have its libraries looked through again, and the program waits for those that may speak TLS.
A file is known by what the kernel says of it: device, inode, size and the times of its last changes, the last of which nobody can set.
"""

from __future__ import annotations

import os
import zlib

from tracer.kernel.image import cache_folder, read_trusted, write_trusted
from tracer.tls.found import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("Known",)

_KEPT = 5000  # files


class Known:
    """``returns``: whether the ways out of functions are needed."""

    def __init__(self, *, returns: bool, folder: str | None = None) -> None:
        self._path = os.path.join(folder or cache_folder(), f"files{'-returns' if returns else ''}.known")
        self._identity = _identity(returns)
        files = (read_trusted(self._path, self._identity) or {}).get("files")
        self._files: dict[str, Any] = files if isinstance(files, dict) else {}
        self._changed = False

    def get(self, fd: int) -> Found | None:
        """What was found in this very file."""
        return Found.unpacked(self._files.get(_name(fd)))

    def add(self, fd: int, found: Found) -> None:
        """Remembers it, in memory; not that nothing could be found out, which may be otherwise the next time."""
        if found.note and not found.library:
            return
        self._files[_name(fd)] = found.packed()
        self._changed = True

    def save(self) -> None:
        """Best effort. What two tracers learn at the same time may have to be learned again."""
        if self._changed:
            kept = dict(list(self._files.items())[-_KEPT:])
            write_trusted(self._path, {"identity": self._identity, "files": kept})


def _name(fd: int) -> str:
    stat = os.fstat(fd)
    return f"{stat.st_dev:x}-{stat.st_ino:x}-{stat.st_size:x}-{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}"


def _identity(returns: bool) -> str:
    """Another version of what is in this folder may find something else."""
    here = os.path.dirname(os.path.abspath(__file__))
    sums = []
    for name in sorted(name for name in os.listdir(here) if name.endswith(".py")):
        with open(os.path.join(here, name), "rb") as file:
            sums.append(f"{zlib.crc32(file.read()):08x}")
    return f"{returns} {' '.join(sums)}"
