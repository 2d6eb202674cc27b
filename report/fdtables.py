"""Tables of descriptors and working folders, process by process: what forks inherit or share, what execs close.

What one thread does to its own table alone (unshare(2) in a process with several) is taken for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterable

from report.bindings import Bindings
from report.paths import Files
from report.places import NOWHERE, Node
from tracer.kinds import ShareFlag

__all__ = ("Place", "Process", "Processes", "Table")

# Forged tables could be copied for ever: so many entries in all, a few seconds, and so many kept at a time.
_MOST_COPIED = 1 << 28
_MOST_KEPT = 1 << 22

_SHARES_FILES, _SHARES_FOLDER, _SHARES_MOUNTS = map(int, ShareFlag)


class Table:
    """One table of descriptors, and the processes that have it."""

    __slots__ = ("fds", "procs")

    def __init__(self, fds: dict[int, int], proc: int) -> None:
        self.fds = fds  # descriptor -> index of its thing * 2 + whether exec closes it
        self.procs = {proc}


class Place:
    """Where paths start from: clone(2) calls it "fs"."""

    __slots__ = ("folder", "namespace", "top")

    def __init__(self, folder: Node, top: Node, namespace: int) -> None:
        self.folder = folder
        self.top = top
        self.namespace = namespace


class Process:
    """One process that lives."""

    __slots__ = ("place", "proc", "settled", "table")

    def __init__(self, proc: int, table: Table, place: Place, settled: bool = False) -> None:
        self.proc = proc
        self.table = table
        self.place = place
        self.settled = settled  # its beginning was seen


class Processes:
    """All processes that live, by our numbers."""

    def __init__(self, files: Files) -> None:
        self.alive: dict[int, Process] = {}
        self.by_pid: dict[int, int] = {}  # the last that had it
        self.left_out = 0  # copies of tables that were too much
        self._files = files
        self._namespaces = 0
        self._copied = 0
        self._kept = 0

    def get(self, proc: int) -> Process:
        """A process; one whose beginning was lost has nothing open, and is nobody knows where."""
        found = self.alive.get(proc)
        if found is None:
            place = Place(self._files.root(0, NOWHERE), self._files.root(0), 0)
            found = self.alive[proc] = Process(proc, Table({}, proc), place)
        return found

    def set(self, bindings: Bindings, row: int, process: Process, fd: int, value: int) -> None:
        """From this row on the descriptor stands for something else, for all who share the table; a value of 0 or 1: for nothing known."""
        fd &= 0xFFFFFFFF
        fds = process.table.fds
        if value > 1:
            if fd not in fds:
                if self._kept >= _MOST_KEPT:
                    self.left_out += 1
                    return
                self._kept += 1
            fds[fd] = value
        elif fds.pop(fd, 0):
            self._kept -= 1
        used = bindings.used
        for proc in process.table.procs:
            key = proc << 32 | fd
            if key in used:
                bindings.note(key, row, value >> 1)

    def fork(self, bindings: Bindings, row: int, proc: int, parent: int, shares: int) -> Process:
        """A process is born, with what it has from its parent."""
        self.exit(proc)
        before = self.alive.get(parent)
        if before is None:
            return self.get(proc)
        place = before.place
        if not shares & _SHARES_FOLDER:
            place = Place(place.folder, place.top, place.namespace)
        if shares & _SHARES_FILES:
            table = before.table
            table.procs.add(proc)
        else:
            table = Table(self._copy(before.table.fds), proc)
        process = self.alive[proc] = Process(proc, table, place, settled=True)
        if not shares & _SHARES_MOUNTS:
            self.own_mounts(process)
        self.show(bindings, row, process)
        return process

    def exec(self, bindings: Bindings, row: int, proc: int) -> None:
        """A new program: it has its table for itself, without the descriptors that were to be closed. The folder stays shared."""
        process = self.get(proc)
        self.own_table(process)
        fds = process.table.fds
        for fd in [fd for fd, value in fds.items() if value & 1]:
            self.set(bindings, row, process, fd, 0)

    def exit(self, proc: int) -> None:
        """It is gone; a table that others share stays theirs."""
        process = self.alive.pop(proc, None)
        if process is not None:
            process.table.procs.discard(proc)
            if not process.table.procs:
                self._kept -= len(process.table.fds)

    def own_table(self, process: Process) -> None:
        """It shares its descriptors no longer."""
        if len(process.table.procs) > 1:
            process.table.procs.discard(process.proc)
            process.table = Table(self._copy(process.table.fds), process.proc)

    def own_place(self, process: Process) -> None:
        """It shares its working folder no longer."""
        place = process.place
        process.place = Place(place.folder, place.top, place.namespace)

    def own_mounts(self, process: Process, copied: bool = True) -> None:
        """It has a mount namespace of its own: the same paths, other files; or, if not ``copied``, another's, which is not known."""
        self._namespaces += 1
        place, number = process.place, self._namespaces
        root = self._files.root(number)
        folder, top = (self._files.mirror(place.folder, number), self._files.mirror(place.top, number)) if copied else (root, root)
        process.place = Place(folder, top, number)

    def settle(self, process: Process, place: Place | None, opened: Iterable[tuple[int, int]]) -> None:
        """What was found out about one that lived before the trace: where it is, and what it had open."""
        process.settled = True
        if place is not None:
            process.place = place
            self._namespaces = max(self._namespaces, place.namespace)
        for fd, value in opened:
            if fd not in process.table.fds and self._kept < _MOST_KEPT:
                process.table.fds[fd] = value
                self._kept += 1

    def show(self, bindings: Bindings, row: int, process: Process) -> None:
        """Note all descriptors of a process of which nothing was noted, as far as they are asked for."""
        first, fds, used = process.proc << 32, process.table.fds, bindings.used
        if not self.affords(min(len(fds), len(used))):
            return
        if len(fds) <= len(used):
            for fd, value in fds.items():
                if first | fd in used:
                    bindings.note(first | fd, row, value >> 1)
        else:
            for key in used:
                if key >> 32 == process.proc and key & 0xFFFFFFFF in fds:
                    bindings.note(key, row, fds[key & 0xFFFFFFFF] >> 1)

    def affords(self, entries: int) -> bool:
        """Whether there is time left to go through so many entries."""
        self._copied += entries
        if self._copied > _MOST_COPIED:
            self.left_out += 1
        return self._copied <= _MOST_COPIED

    def _copy(self, fds: dict[int, int]) -> dict[int, int]:
        if self._kept + len(fds) > _MOST_KEPT or not self.affords(len(fds)):
            self.left_out += 1
            return {}
        self._kept += len(fds)
        return dict(fds)
