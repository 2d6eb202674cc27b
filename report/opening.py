"""Calls that open, copy and close descriptors, and those that look for a path in vain."""

from __future__ import annotations

from report.fdtables import Process
from report.paths import FOLDER
from report.world import AT_FDCWD, CREATED, O_CLOEXEC, UNFINISHED, Step, World

__all__ = ("LOOKED_UP", "OPENING")

_F_DUPFD, _F_SETFD, _F_DUPFD_CLOEXEC = 0, 2, 1030
_CLOSE_RANGE_UNSHARE, _CLOSE_RANGE_CLOEXEC = 2, 4
_EBADF = 9
_TMPFILE = 0o20000000  # without the bits of O_DIRECTORY, which O_TMPFILE also has
_UNNAMED = "(temporary file without a name)"


def _open(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    dirfd, string, how, direct = args
    if flags & UNFINISHED:
        return
    node = world.node(process, dirfd, string)
    files = world.files
    file = files.entries[node.file or files.at(node)] if node is not None else None
    thing = file.thing if file is not None else 0
    if -4095 <= ret < 0:
        world.bindings.refused.append((row, thing))
        world.missed(process, dirfd, string, -ret)
        return
    if node is not None and file is not None:
        if how & _TMPFILE:
            file = files.entries[files.at(files.walk(node, node, _UNNAMED))]
            thing = file.thing
        elif how & world.o_directory:
            file.kind = FOLDER
        if flags & CREATED:
            file.created = True
        world.searches.succeeded(node)
    if not direct:  # else io_uring has put it into its own table
        world.bind(row, process, ret, thing, how & O_CLOEXEC)
    world.bindings.opened.append((row, thing))


def _close(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fd, registered = args
    if not registered and ret != -_EBADF and (fd or not flags & UNFINISHED):  # 0 may only mean that the argument is not known
        world.bind(row, process, fd, 0)


def _close_range(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    first, last, how = args
    if how & _CLOSE_RANGE_UNSHARE:
        world.processes.own_table(process)
    fds = process.table.fds
    wide = last - first >= len(fds)
    if wide and not world.processes.affords(len(fds)):
        return
    for fd in [fd for fd in fds if first <= fd <= last] if wide else [fd for fd in range(first, last + 1) if fd in fds]:
        if how & _CLOSE_RANGE_CLOEXEC:
            fds[fd] |= 1
        else:
            world.bind(row, process, fd, 0)


def _dup(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fd, how = args
    if ret != fd:
        world.bind(row, process, ret, world.index_of(process, fd), how & O_CLOEXEC)


def _fcntl(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fd, command, arg = args
    if command in (_F_DUPFD, _F_DUPFD_CLOEXEC):
        world.bind(row, process, ret, world.index_of(process, fd), command == _F_DUPFD_CLOEXEC)
    elif command == _F_SETFD and fd in process.table.fds:
        process.table.fds[fd] = process.table.fds[fd] & ~1 | arg & 1


def _look_up(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    world.missed(process, args[0], args[1], -ret)


_DIRFD, _PATH, _FLAGS, _FD = ("dirfd", AT_FDCWD), ("path", 0), ("flags", 0), ("fd", -1)
_OPEN = Step((_DIRFD, _PATH, _FLAGS, ("direct", 0)), _open, fails=True)
_CLOSE = Step((_FD, ("registered", 0)), _close, fails=True, early=True)
_DUP = Step((("oldfd", -1), _FLAGS), _dup)
_FCNTL = Step((_FD, ("command", 1), ("arg", 0)), _fcntl)
OPENING = {
    **dict.fromkeys(("open", "openat", "openat2", "creat", "io_uring:openat", "io_uring:openat2"), _OPEN),
    **dict.fromkeys(("dup", "dup2", "dup3"), _DUP),
    **dict.fromkeys(("fcntl", "fcntl64"), _FCNTL),
    **dict.fromkeys(("close", "io_uring:close"), _CLOSE),
    "close_range": Step((("first", 1), ("last", 0), _FLAGS), _close_range, early=True),
}
# Calls that matter only where they fail because there is no such file
LOOKED_UP = dict.fromkeys((
    "stat", "lstat", "stat64", "lstat64", "oldstat", "oldlstat", "newfstatat", "fstatat64", "statx", "io_uring:statx", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "execve", "execveat",
), Step((_DIRFD, _PATH), _look_up, fails=True))
