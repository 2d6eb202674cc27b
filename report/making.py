"""Calls that make descriptors of things without a path: sockets, pipes, eventfds and whatever else the kernel has."""

from __future__ import annotations

from functools import partial

from report.fdtables import Process
from report.things import Kind, Thing
from report.world import O_CLOEXEC, Step, World

__all__ = ("MAKING", "made_by")

_SOCKET_TYPE = 0xF  # the rest are flags
_ALWAYS = -1  # closed by exec, whatever the flags
_LOW = 0xFFFFFFFF
# Commands of bpf(2) that end in a descriptor, and of what
_BPF = {0: "bpf-map", 5: "bpf-prog", 7: "bpf object", 13: "bpf-prog", 14: "bpf-map", 17: "bpf_link", 18: "btf", 19: "btf", 28: "bpf_link",
        30: "bpf_link", 32: "bpf-stats", 33: "bpf_iter", 36: "bpf-token"}


def _make(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...], kind: Kind = Kind.OTHER, name: str = "",
          closing: int = O_CLOEXEC) -> None:
    world.bind(row, process, ret, world.things.named(kind, name), (args[0] if args else 0) & closing or closing == _ALWAYS)


def _signalfd(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fd, how = args
    if ret != fd:
        world.bind(row, process, ret, world.things.named(Kind.SIGNALFD, "signalfd"), how & O_CLOEXEC)


def _memfd(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    name = world.strings.text(args[0])
    file = world.files.unplaced("memfd:?" if name is None else f"memfd:{name}", "memfd", Kind.MEMFD)
    world.bind(row, process, ret, world.files.entries[file].thing, args[1] & 1)


def _pidfd(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    thing = world.things.named(Kind.PIDFD, f"pidfd of {args[0]}")
    world.things.all[thing].pid = args[0]
    world.bind(row, process, ret, thing, 1)


def _fetch(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    """pidfd_getfd: a copy of another process's descriptor."""
    pidfd, target = args
    owner = world.processes.alive.get(world.processes.by_pid.get(world.thing_of(process, pidfd).pid, 0))
    thing = world.index_of(owner, target) if owner is not None else 0
    world.bind(row, process, ret, thing, 1)
    if thing and len(world.fetched) < 1 << 16:
        world.fetched.add((process.proc, ret))


def _bpf(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    if args[0] in _BPF:
        world.bind(row, process, ret, world.things.named(Kind.BPF, _BPF[args[0]]), 1)


def _pipe(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fds, how = args
    if fds:  # else they could not be read: both numbers are never 0
        thing = world.things.pipe()
        world.bind(row, process, fds & _LOW, thing, how & O_CLOEXEC)
        world.bind(row, process, fds >> 32, thing, how & O_CLOEXEC)


def _socket(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    family, kind, protocol, direct = args
    if not direct:  # else io_uring has put it into its own table
        thing = world.things.add(Thing(Kind.SOCKET, "socket", family=family, type=kind & _SOCKET_TYPE, protocol=protocol))
        world.bind(row, process, ret, thing, kind & O_CLOEXEC)


def _pair(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fds, family, kind, protocol = args
    if not fds:
        return
    one, other = (world.things.add(Thing(Kind.SOCKET, "socket", family=family, type=kind & _SOCKET_TYPE, protocol=protocol)) for _ in range(2))
    if one != other:
        world.things.all[one].peer, world.things.all[other].peer = other, one
    world.bind(row, process, fds & _LOW, one, kind & O_CLOEXEC)
    world.bind(row, process, fds >> 32, other, kind & O_CLOEXEC)


def _accept(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fd, how, registered, direct = args
    if direct:
        return
    listener = world.thing_of(process, -1 if registered else fd)
    thing = Thing(Kind.SOCKET, "socket", family=listener.family, type=listener.type, protocol=listener.protocol)
    world.bind(row, process, ret, world.things.add(thing), how & O_CLOEXEC)


def _connect(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    fd, address, registered = args
    index = 0 if registered else world.index_of(process, fd)
    if world.things.all[index].kind is Kind.SOCKET:
        world.things.all[index].asked = address


def _unnamed(world: World, row: int, process: Process, ret: int, flags: int, args: tuple[int, ...]) -> None:
    """A file that was opened by a handle, or out of the ring's own table: nobody knows which."""
    world.bind(row, process, ret, 0)


_FLAGS, _FD = ("flags", 0), ("fd", -1)
_KIND = (("family", 0), ("type", 0), ("protocol", 0))


def _named(kind: Kind, name: str, closing: int = O_CLOEXEC) -> Step:
    return Step((_FLAGS,), partial(_make, kind=kind, name=name, closing=closing))


def made_by(call: str) -> Step:
    """For a call that is known only to end in a descriptor."""
    return _named(Kind.OTHER, call, closing=0)


MAKING = {
    **dict.fromkeys(("epoll_create", "epoll_create1"), _named(Kind.EPOLL, "eventpoll")),
    **dict.fromkeys(("eventfd", "eventfd2"), _named(Kind.EVENTFD, "eventfd")),
    **dict.fromkeys(("inotify_init", "inotify_init1"), _named(Kind.INOTIFY, "inotify")),
    **dict.fromkeys(("signalfd", "signalfd4"), Step((_FD, _FLAGS), _signalfd)),
    "timerfd_create": _named(Kind.TIMERFD, "timerfd"),
    "fanotify_init": _named(Kind.FANOTIFY, "fanotify", closing=1),
    "userfaultfd": _named(Kind.USERFAULTFD, "userfaultfd"),
    "io_uring_setup": _named(Kind.IO_URING, "io_uring", closing=_ALWAYS),
    "perf_event_open": _named(Kind.PERF_EVENT, "perf_event", closing=8),
    "memfd_create": Step((("name", 0), _FLAGS), _memfd),
    "memfd_secret": _named(Kind.OTHER, "secretmem"),
    "mq_open": _named(Kind.OTHER, "message queue", closing=_ALWAYS),
    "landlock_create_ruleset": _named(Kind.OTHER, "landlock-ruleset", closing=_ALWAYS),
    **{name: _named(Kind.OTHER, name) for name in ("open_tree", "open_tree_attr")},
    **{name: _named(Kind.OTHER, name, closing=1) for name in ("fsopen", "fspick", "fsmount")},
    "pidfd_open": Step((("pid", 0),), _pidfd),
    "pidfd_getfd": Step((("pidfd", -1), ("targetfd", -1)), _fetch),
    "bpf": Step((("command", -1),), _bpf),
    **dict.fromkeys(("pipe", "pipe2"), Step((("fds", 0), _FLAGS), _pipe)),
    **dict.fromkeys(("socket", "io_uring:socket"), Step((*_KIND, ("direct", 0)), _socket)),
    "socketpair": Step((("fds", 0), *_KIND), _pair),
    **dict.fromkeys(("accept", "accept4", "io_uring:accept"), Step((_FD, _FLAGS, ("registered", 0), ("direct", 0)), _accept)),
    **dict.fromkeys(("connect", "io_uring:connect"), Step((_FD, ("addr", 0), ("registered", 0)), _connect, fails=True)),
    **dict.fromkeys(("open_by_handle_at", "io_uring:fixed_fd_install"), Step((), _unnamed)),
}
