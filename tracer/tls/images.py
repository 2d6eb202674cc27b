"""Files that processes run, opened through /proc: in whatever container they are, and also when they have been deleted."""

from __future__ import annotations

import os

from tracer.bare import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator

__all__ = ("Image", "Place", "mapped_files", "places")

_MAPPED_LIMIT = 4096  # files of one process


class Image:
    """An open file; its name is that of its process's root. ``device`` as the kernel numbers them: major << 20 | minor."""

    __slots__ = ("device", "fd", "inode", "path")

    def __init__(self, fd: int, path: str, inode: int, device: int) -> None:
        self.fd, self.path, self.inode, self.device = fd, path, inode, device

    def build_id(self) -> str:
        """The GNU build id in hex; "" if there is none."""
        from tracer.tls.elf import BadElf, Elf

        try:
            return Elf(self.fd).build_id()
        except (BadElf, OSError):
            return ""


class Place:
    """Where a file that a process runs or has mapped can be opened, as long as it does. ``path`` is that of the process's root."""

    __slots__ = ("device", "path", "ways")

    def __init__(self, path: str, ways: tuple[str, ...], device: int) -> None:
        self.path, self.ways, self.device = path, ways, device

    def open(self) -> Image | None:
        """None if the process has gone, or let go of it."""
        for way in self.ways:
            with suppress(OSError):
                fd = os.open(way, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                return Image(fd, self.path.removesuffix(" (deleted)"), os.fstat(fd).st_ino, self.device)
        return None


def places(tgid: int, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], Place]:
    """Those of the ``wanted`` files, by inode and device, that a process runs or has mapped."""
    found: dict[tuple[int, int], Place] = {}
    program = f"/proc/{tgid}/exe"
    with suppress(OSError):
        number = os.stat(program).st_ino
        found = {file: Place(os.readlink(program), (program,), file[1]) for file in wanted if file[0] == number}
    for limits, _, inode, device, path in _mappings(tgid):
        if (inode, device) in wanted and (inode, device) not in found:
            found[inode, device] = _mapped(tgid, limits, path, device)
    return found


def mapped_files(tgid: int, known: Container[tuple[int, int]] = ()) -> Iterator[Image]:
    """Every file whose code a process may run, once, but for those whose inode and device are ``known``."""
    seen: set[tuple[int, int]] = set()
    for limits, rights, inode, device, path in _mappings(tgid):
        if "x" in rights and (inode, device) not in known and (inode, device) not in seen and len(seen) < _MAPPED_LIMIT:
            seen.add((inode, device))
            if (image := _mapped(tgid, limits, path, device).open()) is not None:
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


def _mapped(tgid: int, limits: str, path: str, device: int) -> Place:
    low, high = (int(limit, 16) for limit in limits.split("-"))  # the first way takes CAP_CHECKPOINT_RESTORE
    return Place(path, (f"/proc/{tgid}/map_files/{low:x}-{high:x}", f"/proc/{tgid}/root{path}"), device)
