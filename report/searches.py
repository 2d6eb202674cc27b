"""Paths that were tried in vain, grouped by the last name in them: a library looked for in twelve folders is one search."""

from __future__ import annotations

from dataclasses import dataclass, field

from report.places import Node, path_of
from tracer.syscalls.errnos import errno_name

__all__ = ("FailedOpens", "Searches")

_MOST = 1 << 16
_MORE = "(more names)"
_FOLDERS_SHOWN = 8
_PIDS_SHOWN = 16


@dataclass(frozen=True)
class FailedOpens:
    """One name that could not be opened, looked up or run, for one reason."""

    name: str
    error: str  # ENOENT and the like
    tries: int
    folders: tuple[str, ...]  # where it was looked for, in the order of the tries
    tries_elsewhere: int  # in folders beyond those
    found: str | None  # where a file of this name was opened or run later
    pids: tuple[int, ...]  # who tried; at most 16


@dataclass(slots=True)
class _Search:
    tries: int = 0
    elsewhere: int = 0
    folders: dict[Node, None] = field(default_factory=dict)
    procs: set[int] = field(default_factory=set)
    found: Node | None = None


class Searches:
    """All searches so far."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, int], _Search] = {}
        self._open: dict[str, list[_Search]] = {}  # by name, what has not been found

    def failed(self, proc: int, folder: Node, name: str, errno: int) -> None:
        """It is not in this folder, or cannot be used."""
        search = self._all.get((name, errno))
        if search is None:
            if len(self._all) >= _MOST:
                name = _MORE
            search = self._all.setdefault((name, errno), _Search())
            if name != _MORE and len(search.folders) == 0:
                self._open.setdefault(name, []).append(search)
        search.tries += 1
        if folder in search.folders or len(search.folders) < _FOLDERS_SHOWN:
            search.folders[folder] = None
        else:
            search.elsewhere += 1
        if len(search.procs) < _PIDS_SHOWN:
            search.procs.add(proc)

    def succeeded(self, node: Node) -> None:
        """A file of this name was opened."""
        for search in self._open.pop(node.name, ()):
            search.found = node

    def rows(self, pids: dict[int, int]) -> tuple[FailedOpens, ...]:
        """All searches, those with most tries first."""
        rows = [
            FailedOpens(
                name, errno_name(errno), search.tries, tuple(map(path_of, search.folders)), search.elsewhere,
                None if search.found is None else path_of(search.found), tuple(sorted({pids[proc] for proc in search.procs if proc in pids})))
            for (name, errno), search in self._all.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.tries, row.name, row.error)))
