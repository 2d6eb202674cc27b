"""Every process's descriptors, followed through time: what each one stood for at any moment.

Moments (report/moments.py) pass in windows. Only what changes a descriptor or a path is looked at one by one, and all that use
a descriptor are looked up at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.arriving import Found, Sockets
from report.bindings import Bindings, key_of
from report.calls import arch_of, argument
from report.making import MAKING, made_by
from report.moments import LIFE, NUMBERS, OTHER, SOCKET, windows
from report.moving import MOVING
from report.opening import LOOKED_UP, OPENING
from report.order import take
from report.places import File
from report.processes import Folders
from report.searches import FailedOpens
from report.strings import Strings
from report.things import Thing
from report.types import Columns
from report.world import AT_FDCWD, UNFINISHED, Step, World
from tracer.kinds import LifeKind
from tracer.session.reader import Session
from tracer.syscalls.names import COMPAT_SUFFIX, known
from tracer.syscalls.signatures import result

__all__ = ("Bindings", "Descriptors", "key_of")

_O_DIRECTORY = {"x86_64": 0o200000}
_O_DIRECTORY_ARM = 0o40000
_FORK, _FOUND, _EXEC, _EXIT = (LIFE + int(kind) for kind in (LifeKind.FORK, LifeKind.FOUND, LifeKind.EXEC, LifeKind.EXIT))


class Descriptors:
    """The descriptors of all processes, as they were when the last window had passed."""

    def __init__(self, session: Session, strings: Strings, lifecycle: Columns, sockets: Columns) -> None:
        arch = arch_of(session)
        self.names = {sysno: name.removesuffix(COMPAT_SUFFIX) for sysno, name in known(arch).items()} if arch else {}
        self.pids: dict[int, int] = dict(zip(lifecycle["proc"].tolist(), lifecycle["tgid"].tolist(), strict=True))
        self._session, self._lifecycle, self._sockets = session, lifecycle, sockets
        self._world = World(strings, _O_DIRECTORY.get(arch, _O_DIRECTORY_ARM))
        self._found = Found(session)
        self._told = Sockets(sockets)
        self._steps = _steps(arch, self.names)
        self._arguments = {sysno: [(argument(arch, sysno, name), missing) for name, missing in step.asked] for sysno, step in self._steps.items()}
        self._changing, self._at_return, self._looked_up = (np.zeros(NUMBERS, np.bool_) for _ in range(3))
        for sysno, step in self._steps.items():
            self._changing[sysno] = True
            self._looked_up[sysno] = looked_up = self.names[sysno] in LOOKED_UP
            self._at_return[sysno] = not step.early and not looked_up
        self._changing[LIFE:OTHER] = True

    @property
    def at_return(self) -> NDArray[np.bool_]:
        """Which calls, by number, count from their return."""
        return self._at_return

    @property
    def things(self) -> list[Thing]:
        """What descriptors stood for, by index; 0 is what is not known."""
        return self._world.things.all

    @property
    def files(self) -> list[File]:
        """All files, by the index that things have; 0 is none."""
        return self._world.files.entries

    @property
    def problems(self) -> list[str]:
        """What could not be followed, in sentences."""
        world = self._world
        counted = {
            "Things that descriptors stood for were too many to tell apart": world.things.left_out,
            "Renames were too many to follow": world.files.left_out,
            "Tables of descriptors were too large to follow": world.processes.left_out,
        }
        return [f"{sentence}: {count}." for sentence, count in counted.items() if count]

    def name(self, index: int) -> str:
        """What to call a thing, as of the last window: the path of a file, the kind of what has no name."""
        thing = self.things[index]
        return self.path(thing.file) if thing.file else thing.name

    def path(self, file: int) -> str:
        """The path of a file, by its index."""
        return self._world.files.path(self.files[file])

    def was(self, file: int) -> tuple[str, ...]:
        """The paths that it had before."""
        return self._world.files.was(self.files[file])

    def namespace(self, file: int) -> int:
        """The mount namespace that its path is in: 0 is the first, others are numbered as they come."""
        return self._world.files.namespace(self.files[file])

    def folders(self) -> Folders:
        """Which folders processes were in: when they started programs, and last."""
        world = self._world
        alive = {proc: world.folder_path(process) for proc, process in world.processes.alive.items()}
        return Folders(world.exec_folders, world.last_folders | alive)

    def searches(self) -> tuple[FailedOpens, ...]:
        """Names that were looked for in vain."""
        return self._world.searches.rows(self.pids)

    def windows(self, wanted: NDArray[np.bool_], twice: bool = False, idle: bool = False) -> Iterator[Columns]:
        """All that changes descriptors, with the calls that are ``wanted`` by number, for `pass_window` (report/moments.py: ``twice``, ``idle``)."""
        passing = self._changing.copy()
        passing[: len(wanted)] |= wanted
        return windows(self._session, passing, self._at_return, self._looked_up, self._lifecycle, self._sockets, twice, idle)

    def pass_window(self, window: Columns, used: Sequence[NDArray[np.uint64]]) -> Bindings:
        """Take in the changes of one window; gives what the descriptors in ``used`` (key_of) stood for during it."""
        wanted = np.unique(np.concatenate(used)).tolist() if used else []
        bindings = self._world.bindings = Bindings(len(window["key"]), set(wanted))
        alive = self._world.processes.alive
        for key in wanted:
            process = alive.get(key >> 32)
            bindings.note(key, -1, process.table.fds.get(key & 0xFFFFFFFF, 0) >> 1 if process is not None else 0)
        rows = np.flatnonzero(self._changing[window["sysno"]] & window["acts"])
        change = self._change
        for row in zip(rows.tolist(), window["key"][rows].tolist(), *self._changes(take(window, rows)), strict=True):
            change(*row)
        return bindings

    def _changes(self, calls: Columns) -> Iterator[list[Any]]:
        """Number, flags, process, result and what else counts, of calls that change descriptors."""
        places: list[NDArray[np.intp]] = []
        values: list[tuple[int, ...]] = []
        for sysno in np.unique(calls["sysno"]).tolist():
            rows = np.flatnonzero(calls["sysno"] == sysno)
            some = take(calls, rows)
            places.append(rows)
            if sysno >= LIFE:
                columns = [some[slot].tolist() for slot in ("a0", "a1", "a2")]
            else:
                columns = [found.of(some).tolist() if found else [missing] * len(rows) for found, missing in self._arguments[sysno]]
            values += zip(*columns, strict=True) if columns else [()] * len(rows)
        for name in ("sysno", "flags", "proc", "ret"):
            yield calls[name].tolist()
        order = np.argsort(np.concatenate(places)).tolist() if places else []
        yield [values[place] for place in order]

    def _change(self, row: int, at_ns: int, sysno: int, flags: int, proc: int, ret: int, args: tuple[int, ...]) -> None:
        world = self._world
        if sysno < LIFE:
            step = self._steps[sysno]
            if step.fails or not (-4095 <= ret < 0 or flags & UNFINISHED):
                step.act(world, row, world.processes.alive.get(proc) or world.processes.get(proc), ret, flags, args)
        elif sysno > SOCKET:
            self._told.take(world, row, world.processes.get(proc), args[0])
        else:
            self._live(row, at_ns, sysno, proc, ret, args)

    def _live(self, row: int, at_ns: int, sysno: int, proc: int, pid: int, args: tuple[int, ...]) -> None:
        world = self._world
        if sysno == _FORK:
            process = world.processes.fork(world.bindings, row, proc, args[0], args[1])
            world.processes.by_pid[pid] = proc
            self._found.settle(world, process, pid)
        elif sysno == _FOUND:
            process = world.processes.get(proc)
            world.processes.by_pid[pid] = proc
            self._found.settle(world, process, pid)
            world.processes.show(world.bindings, row, process)
        elif sysno == _EXEC:
            process = world.processes.get(proc)
            world.exec_folders[proc, at_ns] = world.folder_path(process)
            node = world.node(process, AT_FDCWD, args[2])
            if node is not None:
                world.searches.succeeded(node)
            world.processes.exec(world.bindings, row, proc)
        elif sysno == _EXIT:
            if proc in world.processes.alive:
                world.last_folders[proc] = world.folder_path(world.processes.alive[proc])
            world.processes.exit(proc)


def _steps(arch: str, names: Mapping[int, str]) -> dict[int, Step]:
    """What each call does, by number; one that ends in a descriptor makes at least something."""
    steps = {**OPENING, **LOOKED_UP, **MAKING, **MOVING}
    found = {sysno: steps[name] for sysno, name in names.items() if name in steps}
    others = {sysno: made_by(name) for sysno, name in names.items() if sysno not in found and result(arch, sysno) == "fd"}
    return found | others
