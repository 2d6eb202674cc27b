"""All calls in the order in which they began, with what their descriptors stood for at that moment, those among their results too.

A call tells what its result is when it returns, which may be long after it began. So the descriptors are followed twice: the first
time for the results of calls, the second time for their arguments.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from report.bindings import key_of
from report.calls import Argument, arch_of, arguments
from report.descriptors import Descriptors
from report.moments import LIFE, NUMBERS, OTHER, is_failed
from report.order import take
from report.selection import selected
from report.sockstories import SockStory, label, stories_of
from report.strings import Strings
from report.things import Kind
from report.types import Columns
from tracer.kinds import CallFlag
from tracer.records import SYSNO_LIMIT
from tracer.session.reader import Session
from tracer.syscalls.signatures import result

__all__ = ("Naming",)

_FDS = ("fd", "dirfd")
_NONE = -1
_UNFINISHED = np.uint8(CallFlag.UNFINISHED)


class Naming:
    """Gives windows of calls whose columns "thing0", "thing1", ... are what the first, second, ... descriptor among the arguments stood
    for, and "made" what the result does: indices for `text`; -1 where there is no descriptor.
    """

    def __init__(self, session: Session, strings: Strings, lifecycle: Columns, sockets: Columns) -> None:
        self._parts = session, strings, lifecycle, sockets
        self._arch = arch_of(session)
        self._asked = np.ones(NUMBERS, np.bool_)
        self._asked[:SYSNO_LIMIT] = selected(session)[:SYSNO_LIMIT]
        self._last = Descriptors(*self._parts)
        self._stories: dict[int, SockStory] = stories_of(sockets, strings, self._last.names)
        self._places, self._made = self._results()
        self._now = self._last

    def text(self, thing: int) -> str | None:
        """What to call it; None if it is not known."""
        found = self._last.things[thing]
        if found.kind is Kind.SOCKET and found.sock in self._stories:
            return label(self._stories[found.sock])
        if found.kind is Kind.UNKNOWN:
            return None
        return self._now.name(thing) if thing < len(self._now.things) else self._last.name(thing)

    def fds(self, sysno: int) -> tuple[Argument, ...]:
        """The arguments of a call that are descriptors."""
        return tuple(argument for argument in arguments(self._arch, sysno) if argument.kind in _FDS)

    def makes(self, sysno: int) -> str | None:
        """Under which name a call that makes descriptors tells of them: "ret", or an argument that holds two; None for other calls."""
        if self._arch and result(self._arch, sysno) == "fd":
            return "ret"
        pair = self._pair(sysno)
        return pair.name if pair else None

    def windows(self) -> Iterator[Columns]:
        """All calls that were asked for."""
        descriptors = self._now = Descriptors(*self._parts)
        for window in descriptors.windows(self._asked, twice=True):
            sysno = window["sysno"]
            rows = np.flatnonzero((sysno < LIFE) | (sysno == OTHER))
            rows = rows[self._asked[sysno[rows]] & (~descriptors.at_return[sysno[rows]] | ~window["acts"][rows])]
            calls = take(window, rows)
            used = self._used(calls)
            bindings = descriptors.pass_window(window, [keys for _, _, keys in used])
            for number in range(max((number + 1 for number, _, _ in used), default=0)):
                calls[f"thing{number}"] = np.full(len(rows), _NONE, np.int64)
            for number, some, keys in used:
                calls[f"thing{number}"][some] = bindings.things(keys, rows[some])
            calls["made"] = self._found(calls["place"])
            yield calls

    def _used(self, calls: Columns) -> list[tuple[int, NDArray[np.intp], NDArray[np.uint64]]]:
        """Number of the descriptor among the arguments, rows, and keys."""
        found = []
        for sysno in np.unique(calls["sysno"]).tolist():
            for number, argument in enumerate(self.fds(sysno)):
                rows = np.flatnonzero(calls["sysno"] == sysno)
                fds = argument.of(take(calls, rows))
                rows, fds = rows[fds >= 0], fds[fds >= 0]
                found.append((number, rows, key_of(calls["proc"][rows], fds)))
        return found

    def _results(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Calls that ended in a descriptor, by their place in the file, and what it stood for."""
        places, made = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        making = np.array([sysno < SYSNO_LIMIT and self.makes(sysno) is not None for sysno in range(NUMBERS)])
        for window in self._last.windows(making):
            done = ~is_failed(window["ret"]) & (window["flags"] & _UNFINISHED == 0)
            rows = np.flatnonzero(making[window["sysno"]] & window["acts"] & done)
            calls = take(window, rows)
            fds = calls["ret"].copy()
            for sysno in np.unique(calls["sysno"]).tolist():
                if pair := self._pair(sysno):
                    some = np.flatnonzero(calls["sysno"] == sysno)
                    fds[some] = pair.of(take(calls, some)).view(np.int64)
            keys = key_of(calls["proc"], fds)
            bindings = self._last.pass_window(window, [keys])
            places.append(calls["place"])
            made.append(bindings.things(keys, rows, after=True))
        whole = np.concatenate(places)
        order = np.argsort(whole)
        return whole[order], np.concatenate(made)[order]

    def _pair(self, sysno: int) -> Argument | None:
        return next((argument for argument in arguments(self._arch, sysno) if argument.kind == "fd_pair"), None)

    def _found(self, places: NDArray[np.uint64]) -> NDArray[np.int64]:
        if not len(self._places):
            return np.full(len(places), _NONE, np.int64)
        at = np.minimum(np.searchsorted(self._places, places), len(self._places) - 1)
        return np.where(self._places[at] == places, self._made[at], _NONE)
