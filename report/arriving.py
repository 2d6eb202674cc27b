"""Descriptors that no call of their own explains: what was open before the trace, and what socket records tell."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from report.fdtables import Place, Process
from report.paths import FOLDER
from report.plain import entries, integer, text
from report.things import MORE, Kind, Thing
from report.types import Columns
from report.world import O_CLOEXEC, World
from tracer.kinds import SocketKind
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Found", "Sockets")

_DELETED = " (deleted)"
_MEMFD = "/memfd:"
# How /proc names what has no path
_ANONYMOUS = {"eventpoll": Kind.EPOLL, "eventfd": Kind.EVENTFD, "timerfd": Kind.TIMERFD, "signalfd": Kind.SIGNALFD, "inotify": Kind.INOTIFY,
              "fanotify": Kind.FANOTIFY, "pidfd": Kind.PIDFD, "io_uring": Kind.IO_URING, "userfaultfd": Kind.USERFAULTFD,
              "perf_event": Kind.PERF_EVENT, "bpf-map": Kind.BPF, "bpf-prog": Kind.BPF, "bpf_link": Kind.BPF, "btf": Kind.BPF}
_S_IFMT, _S_IFSOCK, _S_IFREG, _S_IFBLK, _S_IFDIR, _S_IFCHR, _S_IFIFO = 0o170000, 0o140000, 0o100000, 0o060000, 0o040000, 0o020000, 0o010000
_ON_DISK = {_S_IFREG: "file", _S_IFDIR: FOLDER, _S_IFCHR: "device", _S_IFBLK: "device"}
_MINOR_BITS = 20  # of a device's number, inside the kernel
_SOON_NS = 1_000_000_000
_MOST_HANDED = 1 << 16
_TOLD = ("kind", "proc", "fd", "sock", "file", "inode", "family", "type", "protocol", "mode", "dev", "at_ns")


class Found:
    """What a snapshot of /proc says about processes that lived before the trace."""

    def __init__(self, session: Session) -> None:
        self._processes = {integer(found.get("pid")): found for found in entries(session, BlockKind.SNAPSHOT, "processes")}
        self._open: dict[int, list[tuple[int, str, int]]] = {}
        for file in entries(session, BlockKind.SNAPSHOT, "files"):
            pid, fd, path = integer(file.get("pid")), integer(file.get("fd")), text(file.get("path"))
            if pid is not None and fd is not None and path:
                self._open.setdefault(pid, []).append((fd & 0xFFFFFFFF, path, bool((integer(file.get("flags")) or 0) & O_CLOEXEC)))
        self._started = session.meta["pid"] if session.meta["kind"] == "run" else None
        self._cwd = session.meta["cwd"]
        self._mounts: dict[Any, int] = {}
        self._sockets: dict[str, int] = {}

    def settle(self, world: World, process: Process, pid: int) -> None:
        """Tell where a process is, and what it had open."""
        if process.settled:
            return
        told = self._processes.pop(pid, {})  # pids are used again
        mounts = told.get("mnt_ns")
        namespace = self._mounts.setdefault(mounts, len(self._mounts)) if isinstance(mounts, (int, str)) else 0
        files, top = world.files, world.files.root(namespace)
        cwd = text(told.get("cwd")) or (self._cwd if pid == self._started else "")
        place = None
        if cwd.startswith("/"):
            root = text(told.get("root"))
            place = Place(files.walk(top, top, cwd), files.walk(top, top, root), namespace)
        opened = [(fd, self._thing(world, namespace, path) << 1 | closes) for fd, path, closes in self._open.pop(pid, ())]
        world.processes.settle(process, place, opened)

    def _thing(self, world: World, namespace: int, name: str) -> int:
        gone = name.endswith(_DELETED)
        plain = name.removesuffix(_DELETED)
        files = world.files
        if name.startswith(_MEMFD):
            return files.entries[files.unplaced(plain[1:], "memfd", Kind.MEMFD)].thing
        if name.startswith("/"):
            top = files.root(namespace)
            node = files.walk(top, top, plain)
            return files.entries[files.gone(node) if gone else files.at(node)].thing
        what = name.removeprefix("anon_inode:").removeprefix("[").removesuffix("]")
        if what in _ANONYMOUS:
            return world.things.named(_ANONYMOUS[what], what)
        if name.startswith("pipe:["):
            return world.things.named(Kind.PIPE, name)
        if name.startswith("socket:["):
            if name not in self._sockets:
                inode = name[8:-1]
                number = int(inode) if inode.isascii() and inode.isdigit() and len(inode) < 20 else 0
                self._sockets[name] = world.things.add(Thing(Kind.SOCKET, "socket", inode=number))
            return self._sockets[name]
        return world.things.named(Kind.OTHER, name)


class Sockets:
    """Steps that socket records make: which socket a descriptor stands for, and what was passed from process to process."""

    def __init__(self, records: Columns) -> None:
        self._columns = {name: records[name] for name in _TOLD} if records else {}
        self._handed: dict[int, list[tuple[int, int]]] = {}  # by open file: when and in which row its sending is told
        self._things: dict[tuple[int, int, int], int] = {}  # by open file, as they were handed over; addresses of files are used again
        if records:
            for row in (records["kind"] == SocketKind.HANDED).nonzero()[0].tolist():
                self._handed.setdefault(int(records["file"][row]), []).append((int(records["at_ns"][row]), row))

    def take(self, world: World, row: int, process: Process, record: int) -> None:
        """Take in one record, by its row in the table, at this row of the window."""
        told = {name: int(column[record]) for name, column in self._columns.items()}
        if told["fd"] < 0:
            return
        if told["kind"] == SocketKind.PASSED:
            self._passed(world, row, process, told)
            return
        if told["sock"]:
            _identify(world, row, process, told)
        if told["kind"] == SocketKind.HANDED and told["file"]:
            if len(self._things) >= _MOST_HANDED:
                self._things.clear()
            self._things[told["file"], told["inode"], told["dev"]] = world.index_of(process, told["fd"])

    def _passed(self, world: World, row: int, process: Process, told: dict[str, int]) -> None:
        fetched = (process.proc, told["fd"]) in world.fetched
        world.fetched.discard((process.proc, told["fd"]))
        thing = world.things.socket(told["sock"]) or self._things.get((told["file"], told["inode"], told["dev"]), 0) or self._sender(world, told)
        if not thing and told["sock"]:
            world.bind(row, process, told["fd"], world.things.add(Thing(Kind.SOCKET, "socket")), fetched)
            _identify(world, row, process, told)
        elif thing or not fetched:  # else pidfd_getfd has said what it is
            world.bind(row, process, told["fd"], thing or _by_inode(world, told), fetched)

    def _sender(self, world: World, told: dict[str, int]) -> int:
        """What is told of its sending a moment later: whoever receives may return from the call before who sends."""
        rows = self._handed.get(told["file"], []) if told["file"] else []
        place = bisect_left(rows, (told["at_ns"], 0))
        if place == len(rows) or rows[place][0] - told["at_ns"] > _SOON_NS:
            return 0
        record = rows[place][1]
        sender = world.processes.alive.get(int(self._columns["proc"][record]))
        return world.index_of(sender, int(self._columns["fd"][record])) if sender is not None else 0


def _identify(world: World, row: int, process: Process, told: dict[str, int]) -> None:
    """This descriptor stands for this socket of the kernel's, and whatever else stands for the same thing does."""
    fd, sock = told["fd"], told["sock"]
    now = world.index_of(process, fd)
    known = world.things.socket(sock)
    if not known:
        known = now
        thing = world.things.all[now]
        if thing.kind is not Kind.SOCKET or thing.sock:
            known = world.things.add(Thing(Kind.SOCKET, "socket"))
            thing = world.things.all[known]
        world.things.identify(known, sock)
        if thing.name != MORE:
            thing.family, thing.type, thing.protocol, thing.inode = told["family"], told["type"], told["protocol"], told["inode"]
    if known != now:
        world.bind(row, process, fd, known, process.table.fds.get(fd, 0) & 1)


def _by_inode(world: World, told: dict[str, int]) -> int:
    """What is known of a file that came from a process that is not traced."""
    sort, inode, dev = told["mode"] & _S_IFMT, told["inode"], told["dev"]
    name = f"received: inode {inode} on device {dev >> _MINOR_BITS}:{dev & (1 << _MINOR_BITS) - 1}"
    if sort == _S_IFIFO:
        return world.things.named(Kind.PIPE, f"pipe:[{inode}]")
    if sort in _ON_DISK:
        return world.files.entries[world.files.unplaced(name, _ON_DISK[sort])].thing
    return world.things.named(Kind.SOCKET if sort == _S_IFSOCK else Kind.OTHER, name)
