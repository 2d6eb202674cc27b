"""What descriptors stand for: files, pipes, sockets, and whatever else the kernel hands out a number for.

A thing is not a path: two descriptors that were opened by the same path stand for one thing, and a thing keeps its identity when
its file is renamed. Things that nobody can tell apart (two eventfds of one process) share an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ("MORE", "UNKNOWN", "Kind", "Thing", "Things")

UNKNOWN = "unknown"
MORE = "(more of this kind)"

_MOST = 1 << 18  # beside files: sockets and pipes are made anew each time


class Kind(str, Enum):
    """What sort of thing it is."""

    UNKNOWN = "unknown"  # a descriptor that nobody saw being made
    FILE = "file"  # anything with a path: folders and devices too
    PIPE = "pipe"
    SOCKET = "socket"
    MEMFD = "memfd"
    EVENTFD = "eventfd"
    EPOLL = "epoll"
    TIMERFD = "timerfd"
    SIGNALFD = "signalfd"
    INOTIFY = "inotify"
    FANOTIFY = "fanotify"
    PIDFD = "pidfd"
    IO_URING = "io_uring"
    USERFAULTFD = "userfaultfd"
    BPF = "bpf"
    PERF_EVENT = "perf_event"
    OTHER = "other"


@dataclass(slots=True)
class Thing:
    """One of them. None, or 0 for numbers of ours and the kernel's, is what is not known."""

    kind: Kind
    name: str  # of a file in a folder: empty, its path changes (Files.path)
    file: int = 0  # index in Files.entries; 0: none
    sock: int = 0  # rec_socket.sock
    family: int | None = None  # AF_*, and so on as socket(2) takes them
    type: int | None = None
    protocol: int | None = None
    inode: int = 0
    peer: int = 0  # index of the other end, of a socket pair
    pid: int = 0  # of a pidfd
    asked: int = 0  # string id of the address that connect(2) was given last


class Things:
    """All things of a session, by index. The first is what nobody knows; it never grows beyond a bound."""

    def __init__(self) -> None:
        self.all: list[Thing] = [Thing(Kind.UNKNOWN, UNKNOWN)]
        self.left_out = 0  # things that had to share an entry for want of room
        self._made = 0
        self._named: dict[tuple[Kind, str], int] = {}
        self._socks: dict[int, int] = {}
        self._pipes = 0

    def put(self, thing: Thing) -> int:
        """The index of a new thing, whose number somebody else bounds."""
        self.all.append(thing)
        return len(self.all) - 1

    def add(self, thing: Thing) -> int:
        """The index of a new thing; once there are too many, that of the one which stands for all others of its kind."""
        if self._made < _MOST:
            self._made += 1
            return self.put(thing)
        self.left_out += 1
        key = thing.kind, MORE
        if key not in self._named:
            self._named[key] = self.put(Thing(thing.kind, MORE))
        return self._named[key]

    def named(self, kind: Kind, name: str) -> int:
        """The one thing of this kind and name."""
        index = self._named.get((kind, name))
        if index is None:
            index = self.add(Thing(kind, name))
            if self._made < _MOST:
                self._named[kind, name] = index
        return index

    def pipe(self) -> int:
        """A pipe that was made just now. Its inode number is not known: it gets a number of ours."""
        self._pipes += 1
        return self.add(Thing(Kind.PIPE, f"pipe {self._pipes}"))

    def socket(self, sock: int) -> int:
        """The thing of this socket; 0 if there is none yet."""
        return self._socks.get(sock, 0) if sock else 0

    def identify(self, index: int, sock: int) -> None:
        """From now on it is known which of the kernel's sockets this is."""
        if self.all[index].name != MORE:
            self.all[index].sock = sock
        if len(self._socks) < 4 * _MOST:
            self._socks[sock] = index
