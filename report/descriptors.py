"""Every process's descriptors, followed through time: which path each one stood for at any moment.

Calls that give a name, take it away or copy it change them, and so do forks, which inherit, and execs, which close. Such
a call takes effect when it returns if it gives a name, when it begins if it takes one away. Calls pass in that order, in
windows; only what changes a descriptor is looked at one by one, and all that use one are looked up at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.calls import arch_of, argument
from report.order import take
from report.plain import entries, integer, text
from report.strings import Strings
from report.types import Columns
from tracer.records import SYSNO_LIMIT, CallFlag, LifeKind
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Bindings", "Descriptors", "is_failed", "key_of", "with_lifecycle")

_OPENS = ("open", "openat", "openat2", "creat")
_COPIES = ("dup", "dup2", "dup3")
_FCNTL = ("fcntl", "fcntl64")
_CHANGES = (*_OPENS, *_COPIES, *_FCNTL, "close", "close_range")
# What the records of those calls are asked for: three arguments, where they have them.
_ASKED = {**dict.fromkeys(_OPENS, ("dirfd", "path", "flags")), **dict.fromkeys(_COPIES, ("oldfd", "", "flags")),
          **dict.fromkeys(_FCNTL, ("fd", "command", "arg")), "close": ("fd", "", ""), "close_range": ("first", "last", "flags")}

_O_CLOEXEC = 0o2000000
_F_DUPFD, _F_SETFD, _F_DUPFD_CLOEXEC = 0, 2, 1030
_CLOSE_RANGE_CLOEXEC = 4
_EBADF = 9
_UNFINISHED = int(CallFlag.UNFINISHED)  # operators of an IntFlag are slow
_LIFE = SYSNO_LIMIT  # lifecycle records pass among the calls, under the numbers after the last call's
_LIFE_KINDS = (LifeKind.FORK, LifeKind.FOUND, LifeKind.EXEC, LifeKind.EXIT)
_FD_BITS = np.uint64(32)

_Table = dict[int, int]  # descriptor -> index of its path * 2 + whether exec closes it


def is_failed(results: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which results are errors, as the kernel tells them."""
    failed: NDArray[np.bool_] = (results < 0) & (results >= -4095)
    return failed


def key_of(procs: Any, fds: Any) -> Any:
    """Process and descriptor in one number."""
    return procs.astype(np.uint64) << _FD_BITS | fds.astype(np.uint32)


def with_lifecycle(windows: Iterable[Columns], lifecycle: Columns) -> Iterator[Columns]:
    """The windows of calls with the lifecycle records of the same time among them, before calls of the same moment."""
    kinds = lifecycle["kind"]
    rows = take(lifecycle, np.isin(kinds, _LIFE_KINDS) & ((kinds != LifeKind.EXIT) | (lifecycle["process_ended"] != 0)))
    nothing = np.zeros(len(rows["kind"]), np.uint64)
    life = {"key": rows["at_ns"], "sysno": rows["kind"] + np.uint32(_LIFE), "flags": nothing, "proc": rows["proc"],
            "ret": rows["tgid"].astype(np.int64), "a0": rows["parent_proc"], "a1": nothing, "a2": nothing}
    taken = 0
    for window in windows:
        upto = int(np.searchsorted(life["key"], window["key"][-1], "right"))
        if upto > taken:
            both = {name: np.concatenate([column[taken:upto].astype(window[name].dtype), window[name]]) for name, column in life.items()}
            window = take(both, np.argsort(both["key"], kind="stable"))
            taken = upto
        yield window


class Bindings:
    """What the descriptors used in one window stood for, and what happened to opens in it."""

    def __init__(self, length: int) -> None:
        self.opened: list[int] = []  # paths, by index
        self.refused: list[int] = []
        self._stride = length + 1
        self._noted: list[tuple[int, int, int]] = []

    def note(self, key: int, row: int, path: int) -> None:
        """From this row of the window on (-1: from before) the descriptor stands for this path."""
        self._noted.append((key, row + 1, path))

    def paths(self, keys: NDArray[np.uint64], rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """The index of the path that each of these descriptors, all noted, stood for at its row."""
        known, places, paths = self._sorted
        wanted = np.searchsorted(known, keys) * self._stride + rows + 1
        found: NDArray[np.int64] = paths[np.searchsorted(places, wanted, "right") - 1]
        return found

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        keys = np.array([key for key, _, _ in self._noted], np.uint64)
        known, ranks = np.unique(keys, return_inverse=True)
        places = ranks * self._stride + np.array([row for _, row, _ in self._noted], np.int64)
        order = np.argsort(places, kind="stable")
        return known, places[order], np.array([path for _, _, path in self._noted], np.int64)[order]


class Descriptors:
    """The descriptors of all processes, as they were when the last window had passed."""

    def __init__(self, session: Session, strings: Strings, names: Mapping[int, str]) -> None:
        self.paths: list[str] = []  # index 1 and on; 0 is "no path is known"
        self.changing = np.zeros(2 * SYSNO_LIMIT, np.bool_)  # by number: calls that change descriptors, and lifecycle records
        self.at_return = np.zeros(2 * SYSNO_LIMIT, np.bool_)  # those that do so when they return
        self._arch = arch_of(session)
        self._names = {sysno: name for sysno, name in names.items() if name in _CHANGES}
        self._strings = strings
        self._tables: dict[int, _Table] = {}
        self._known: dict[str, int] = {}
        self._by_string: dict[int, int] = {}
        self._found = self._snapshot(session)
        for sysno, name in self._names.items():
            self.changing[sysno] = True
            self.at_return[sysno] = not name.startswith("close")
        self.changing[_LIFE:] = True

    def pass_window(self, window: Columns, used: Sequence[NDArray[np.uint64]]) -> Bindings:
        """Take in the changes of one window; gives what the descriptors in ``used`` stood for during it."""
        bindings = Bindings(len(window["key"]))
        procs = set()
        for key in np.unique(np.concatenate(used)).tolist() if used else ():
            proc, fd = key >> 32, key & 0xFFFFFFFF
            procs.add(proc)
            bindings.note(key, -1, self._tables.get(proc, {}).get(fd, 0) >> 1)
        rows = np.flatnonzero(self.changing[window["sysno"]])
        for change in zip(rows.tolist(), *self._changes(take(window, rows)), strict=True):
            self._change(bindings, procs, *change)
        return bindings

    def _changes(self, calls: Columns) -> Iterator[list[Any]]:
        """Number, flags, process, result and the three arguments that count, of calls that change descriptors."""
        asked = [np.full(len(calls["key"]), missing, object) for missing in (-100, 0, 0)]
        for sysno in np.unique(calls["sysno"]).tolist():
            rows = np.flatnonzero(calls["sysno"] == sysno)
            some = take(calls, rows)
            if sysno >= _LIFE:
                asked[0][rows] = some["a0"].tolist()
                continue
            for place, name in enumerate(_ASKED[self._names[sysno]]):
                found = argument(self._arch, sysno, name) if name else None
                if found:
                    asked[place][rows] = found.of(some).tolist()
        for name in ("sysno", "flags", "proc", "ret"):
            yield calls[name].tolist()
        for values in asked:
            yield values.tolist()

    def _change(self, bindings: Bindings, used: set[int], row: int, sysno: int, flags: int, proc: int, ret: int, x: int, y: int, z: int) -> None:
        if sysno >= _LIFE:
            before = self._tables.get(proc, {})
            self._live(sysno - _LIFE, proc, x, ret)
            if proc in used:
                after = self._tables.get(proc, {})
                for fd in before.keys() | after.keys():
                    bindings.note(proc << 32 | fd, row, after.get(fd, 0) >> 1)
            return
        name = self._names[sysno]
        table = self._tables.setdefault(proc, {})
        failed = -4095 <= ret < 0 or bool(flags & _UNFINISHED)
        changed: dict[int, int] = {}
        if name in _OPENS:
            path = self._path(table, x, y)
            if not failed:
                changed[ret] = path << 1 | bool(z & _O_CLOEXEC)
                bindings.opened.append(path)
            elif not flags & _UNFINISHED:
                bindings.refused.append(path)
        elif name == "close":
            if ret != -_EBADF and (x or not flags & _UNFINISHED):  # 0 may only mean that the argument is not known
                changed[x] = 0
        elif failed:
            return
        elif name in _COPIES:
            if ret != x:
                changed[ret] = table.get(x, 0) & ~1 | bool(z & _O_CLOEXEC)
        elif name == "close_range":
            keep = z & _CLOSE_RANGE_CLOEXEC
            changed = {fd: value | 1 if keep else 0 for fd, value in table.items() if x <= fd <= y}
        elif y in (_F_DUPFD, _F_DUPFD_CLOEXEC):
            changed[ret] = table.get(x, 0) & ~1 | (y == _F_DUPFD_CLOEXEC)
        elif y == _F_SETFD and x in table:
            changed[x] = table[x] & ~1 | z & 1
        for number, value in changed.items():
            fd = number & 0xFFFFFFFF
            if value > 1:
                table[fd] = value
            else:
                table.pop(fd, None)
            if proc in used:
                bindings.note(proc << 32 | fd, row, value >> 1)

    def _live(self, kind: int, proc: int, parent: int, pid: int) -> None:
        if kind == LifeKind.FORK:
            self._tables[proc] = dict(self._tables.get(parent, {}))
        elif kind == LifeKind.FOUND:
            self._tables.setdefault(proc, dict(self._found.get(pid, {})))
        elif kind == LifeKind.EXEC:
            self._tables[proc] = {fd: value for fd, value in self._tables.get(proc, {}).items() if not value & 1}
        else:
            self._tables.pop(proc, None)

    def _path(self, table: _Table, dirfd: int, string: int) -> int:
        """The index of the path of an open call."""
        folder = table.get(dirfd, 0) >> 1 if dirfd >= 0 else 0
        if not folder and string in self._by_string:
            return self._by_string[string]
        path = self._strings.text(string)
        if path is None:
            return 0  # not remembered: more of a broken session's strings may follow
        if folder and not path.startswith("/"):
            return self._index(f"{self.paths[folder - 1].rstrip('/')}/{path}")
        index = self._by_string[string] = self._index(path)
        return index

    def _index(self, path: str) -> int:
        if path not in self._known:
            self.paths.append(path)
            self._known[path] = len(self.paths)
        return self._known[path]

    def _snapshot(self, session: Session) -> dict[int, _Table]:
        """What was open when the tracer attached, by pid."""
        found: dict[int, _Table] = {}
        for file in entries(session, BlockKind.SNAPSHOT, "files"):
            pid, fd, path = integer(file.get("pid")), integer(file.get("fd")), text(file.get("path"))
            if pid is not None and fd is not None and path:
                closes = bool((integer(file.get("flags")) or 0) & _O_CLOEXEC)
                found.setdefault(pid, {})[fd] = self._index(path) << 1 | closes
        return found
