"""The traced processes, their descriptors and paths, as they were at one moment of the session; steps take it from call to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from report.bindings import Bindings
from report.fdtables import Process, Processes
from report.paths import FOLDER, Files
from report.places import NOWHERE, Node, path_of, top_of
from report.searches import Searches
from report.strings import Strings
from report.things import Kind, Thing, Things
from tracer.kinds import CallFlag

__all__ = ("AT_FDCWD", "CREATED", "O_CLOEXEC", "UNFINISHED", "Act", "Step", "World")

AT_FDCWD = -100
O_CLOEXEC = 0o2000000
CREATED, UNFINISHED = int(CallFlag.CREATED), int(CallFlag.UNFINISHED)  # operators of an IntFlag are slow

_PATHS_KEPT = 1 << 16


class World:
    """Everything that calls change, and the window of calls that is being taken in."""

    def __init__(self, strings: Strings, o_directory: int) -> None:
        self.strings = strings
        self.o_directory = o_directory
        self.things = Things()
        self.files = Files(self.things)
        self.processes = Processes(self.files)
        self.searches = Searches()
        self.bindings = Bindings(0, set())
        self.exec_folders: dict[tuple[int, int], str | None] = {}  # where a program started: by process and ns of its exec
        self.last_folders: dict[int, str | None] = {}  # where processes were when they ended
        self.fetched: set[tuple[int, int]] = set()  # what pidfd_getfd has named: the socket record of it is still to come
        self._places: dict[tuple[Node, Node, int], Node] = {}
        self._tries: dict[tuple[Node, Node, int], tuple[Node, str]] = {}
        self._folders: dict[tuple[Node, Node, str], Node] = {}  # where paths led but for their last names
        self._version = 0

    def bind(self, row: int, process: Process, fd: int, thing: int, closes: int = 0) -> None:
        """From this row on the descriptor stands for this thing; ``closes``: an exec closes it."""
        self.processes.set(self.bindings, row, process, fd, thing << 1 | bool(closes))

    def index_of(self, process: Process, fd: int) -> int:
        """The index of the thing that a descriptor stands for."""
        return process.table.fds.get(fd & 0xFFFFFFFF, 0) >> 1

    def thing_of(self, process: Process, fd: int) -> Thing:
        """What a descriptor stands for."""
        return self.things.all[self.index_of(process, fd)]

    def thing_at(self, node: Node) -> int:
        """The index of the thing that the file at this place is."""
        return self.files.entries[self.files.at(node)].thing

    def folder(self, process: Process, dirfd: int) -> Node:
        """Where paths start that are relative to a descriptor."""
        if dirfd == AT_FDCWD:
            return process.place.folder
        thing = self.thing_of(process, dirfd) if dirfd >= 0 else None
        node = self.files.entries[thing.file].node if thing is not None and thing.kind is Kind.FILE else None
        return self.files.root(process.place.namespace, NOWHERE) if node is None else node

    def folder_path(self, process: Process) -> str | None:
        """The path of the folder that a process is in; None if nobody knows."""
        top = top_of(process.place.folder)
        return None if top is None or top.name == NOWHERE else path_of(process.place.folder)

    def node(self, process: Process, dirfd: int, string: int) -> Node | None:
        """Where a path leads; None if it is not known, or empty."""
        if self._version != self.files.version:
            self._forget()
        place = process.place
        start, top = place.folder if dirfd == AT_FDCWD else self.folder(process, dirfd), place.top
        found = self._places.get((start, top, string))
        if found is None:
            path = self.strings.text(string)
            if not path:
                return None  # not remembered: more of a broken session's strings may follow
            if dirfd >= 0 and start.file and not path.startswith("/"):
                self.files.entries[start.file].kind = FOLDER
            self._make_room()
            found = self._places[start, top, string] = self._walk(start, top, path)
        return found

    def _walk(self, start: Node, top: Node, path: str) -> Node:
        """As Files.walk, but whoever opens one file in a folder opens others."""
        folder, _, name = path.rpartition("/")
        if not folder or name in ("", ".", ".."):
            return self.files.walk(start, top, path)
        key = start, top, folder
        above = self._folders.get(key)
        if above is None:
            above = self._folders[key] = self.files.walk(start, top, folder)
        return self.files.below(above, name)

    def missed(self, process: Process, dirfd: int, string: int, errno: int) -> None:
        """A path was tried in vain."""
        if self._version != self.files.version:
            self._forget()
        start, top = self.folder(process, dirfd), process.place.top
        found = self._tries.get((start, top, string))
        if found is None:
            path = (self.strings.text(string) or "").rstrip("/")
            folder, slash, name = path.rpartition("/")
            if name in ("", ".", ".."):
                return
            self._make_room()
            found = self._tries[start, top, string] = self.files.walk(start, top, folder + slash), name
        self.searches.failed(process.proc, *found, errno)

    def _forget(self) -> None:
        """Paths may lead elsewhere now."""
        for known in (self._places, self._tries, self._folders):
            known.clear()
        self._version = self.files.version

    def _make_room(self) -> None:
        if len(self._places) + len(self._tries) >= _PATHS_KEPT:
            self._forget()


Act = Callable[[World, int, Process, int, int, "tuple[int, ...]"], None]


class Step(NamedTuple):
    """What a call does to the world."""

    asked: tuple[tuple[str, int], ...]  # arguments, and what they are where a record does not keep them
    act: Act  # given the row, the process, the result, the record's flags, and those arguments
    fails: bool = False  # to be taken where the call failed or never returned, too
    early: bool = False  # takes effect when the call begins, not when it returns
