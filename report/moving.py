"""Calls after which paths lead elsewhere: they change folder or root, or make, rename and delete files."""

from __future__ import annotations

from report.fdtables import Process
from report.paths import FOLDER
from report.places import NOWHERE
from report.things import Kind
from report.world import AT_FDCWD, Step, World

__all__ = ("MOVING",)

_AT_REMOVEDIR = 0x200
_CLONE_FS, _CLONE_FILES, _CLONE_NEWNS = 0x200, 0x400, 0x20000
_S_IFMT = 0o170000
_NODES = {0o010000: "pipe", 0o020000: "device", 0o060000: "device", 0o140000: "socket"}


def _chdir(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    node = world.node(process, AT_FDCWD, args[0])
    process.place.folder = node if node is not None else world.files.root(process.place.namespace, NOWHERE)


def _fchdir(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    process.place.folder = folder = world.folder(process, args[0])
    if folder.file:
        world.files.entries[folder.file].kind = FOLDER


def _chroot(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    node = world.node(process, AT_FDCWD, args[0])
    process.place.top = node if node is not None else world.files.root(process.place.namespace, NOWHERE)


def _pivot_root(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    """All processes of the mount namespace whose root was the old one have the new one now."""
    node = world.node(process, AT_FDCWD, args[0]) or world.files.root(process.place.namespace, NOWHERE)
    old = process.place.top
    if not world.processes.affords(len(world.processes.alive)):
        return
    for place in {id(other.place): other.place for other in world.processes.alive.values()}.values():
        if place.namespace == process.place.namespace and place.top is old:
            place.top = node
            if place.folder is old:
                place.folder = node


def _unshare(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    what = args[0]
    if what & _CLONE_FILES:
        world.processes.own_table(process)
    if what & _CLONE_NEWNS:
        world.processes.own_mounts(process)
    elif what & _CLONE_FS:
        world.processes.own_place(process)


def _setns(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    """Into another's mount namespace, unless what the descriptor stands for says that it is a namespace of another kind."""
    fd, what = args
    if not what:
        thing = world.thing_of(process, fd)
        path = world.files.path(world.files.entries[thing.file]) if thing.kind is Kind.FILE else thing.name
        if path.startswith(("net:", "uts:", "ipc:", "pid:", "user:", "cgroup:", "time:")) or ("/ns/" in path and not path.endswith("/mnt")):
            return
    elif not what & _CLONE_NEWNS:
        return
    world.processes.own_mounts(process, copied=False)


def _rename(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    """Records have no room for the flags of renameat2: two files that swap their names look like one that replaces the other."""
    old_folder, old_path, new_folder, new_path = args
    old, new = world.node(process, old_folder, old_path), world.node(process, new_folder, new_path)
    if old is not None and new is not None:
        world.files.move(old, new)


def _delete(world: World, process: Process, dirfd: int, path: int, kind: str) -> None:
    node = world.node(process, dirfd, path)
    if node is not None:
        if kind:
            world.files.entries[world.files.at(node)].kind = kind
        world.files.end(node)


def _unlink(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    _delete(world, process, args[0], args[1], FOLDER if args[2] & _AT_REMOVEDIR else "")


def _rmdir(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    _delete(world, process, AT_FDCWD, args[0], FOLDER)


def _create(world: World, process: Process, dirfd: int, path: int, kind: str) -> None:
    node = world.node(process, dirfd, path)
    if node is not None:
        file = world.files.entries[world.files.at(node)]
        file.created, file.kind = True, kind


def _mkdir(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    _create(world, process, args[0], args[1], FOLDER)


def _mknod(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    _create(world, process, args[0], args[1], _NODES.get(args[2] & _S_IFMT, "file"))


def _link(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    _create(world, process, args[0], args[1], "file")


def _symlink(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    _create(world, process, args[0], args[1], "link")


_DIRFD, _PATH, _FLAGS = ("dirfd", AT_FDCWD), ("path", 0), ("flags", 0)
_NEW = (("newdirfd", AT_FDCWD), ("newpath", 0))
_RENAME = Step((("olddirfd", AT_FDCWD), ("oldpath", 0), *_NEW), _rename)
# What mount(2) lays over a path is not told apart from what is under it.
MOVING = {
    "chdir": Step((_PATH,), _chdir),
    "fchdir": Step((("fd", -1),), _fchdir),
    "chroot": Step((_PATH,), _chroot),
    "pivot_root": Step((("new_root", 0),), _pivot_root),
    "unshare": Step((_FLAGS,), _unshare),
    "setns": Step((("fd", -1), _FLAGS), _setns),
    **dict.fromkeys(("rename", "renameat", "renameat2", "io_uring:renameat"), _RENAME),
    **dict.fromkeys(("unlink", "unlinkat", "io_uring:unlinkat"), Step((_DIRFD, _PATH, _FLAGS), _unlink)),
    "rmdir": Step((_PATH,), _rmdir),
    **dict.fromkeys(("mkdir", "mkdirat", "io_uring:mkdirat"), Step((_DIRFD, _PATH), _mkdir)),
    **dict.fromkeys(("mknod", "mknodat"), Step((_DIRFD, _PATH, ("mode", 0)), _mknod)),
    **dict.fromkeys(("link", "linkat", "io_uring:linkat"), Step(_NEW, _link)),
    **dict.fromkeys(("symlink", "symlinkat", "io_uring:symlinkat"), Step((("newdirfd", AT_FDCWD), ("linkpath", 0)), _symlink)),
}
