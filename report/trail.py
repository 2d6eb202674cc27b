"""What the descriptor of each call stood for, call by call; gathered while the descriptors are followed (report/activity.py)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from report.bindings import Bindings, key_of
from report.calls import arguments, call_name
from report.descriptors import Descriptors
from report.types import Columns
from tracer.records import SYSNO_LIMIT
from tracer.syscalls.names import known

__all__ = ("Trail",)

_KINDS = ("fd", "dirfd")
_SLOTS = ("a0", "a1", "a2")
_TIES = 4  # calls that start in the same nanosecond, on different threads


class Trail:
    """Calls by when and where they began, and the index of the thing that their first descriptor stood for.

    Of a session with more than ``most`` such calls nothing is kept, and ``whole`` is False.
    """

    def __init__(self, arch: str, most: int) -> None:
        self.whole = True
        self.numbers = np.zeros(SYSNO_LIMIT + 1, np.bool_)  # calls that have a descriptor
        self.names: dict[int, str] = {}  # of the things in it
        self._slots, self._shifts = np.zeros(SYSNO_LIMIT + 1, np.uint8), np.zeros(SYSNO_LIMIT + 1, np.uint64)
        self._room = most
        self._parts: list[Columns] = []
        for sysno in known(arch) if arch else ():
            found = next((one for one in arguments(arch, sysno) if one.kind in _KINDS), None)
            if found is not None and "exec" not in call_name(arch, sysno):  # of an exec that succeeded other things are kept
                self.numbers[sysno], self._slots[sysno], self._shifts[sysno] = True, _SLOTS.index(found.slot), found.shift

    def asked(self, window: Columns) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
        """Rows of the window that have a descriptor, and its key (bindings.key_of)."""
        if not self.whole:
            return np.zeros(0, np.intp), np.zeros(0, np.uint64)
        numbers = window["sysno"]
        rows = np.flatnonzero(self.numbers[np.minimum(numbers, SYSNO_LIMIT)])
        numbers = numbers[rows]
        values = np.choose(self._slots[numbers], [window[slot][rows] for slot in _SLOTS]) >> self._shifts[numbers]
        return rows, key_of(window["proc"][rows], values)

    def add(self, window: Columns, rows: NDArray[np.intp], keys: NDArray[np.uint64], bindings: Bindings) -> None:
        """Note what they stood for."""
        things = bindings.things(keys, rows)
        told = np.flatnonzero(things)
        self._room -= len(told)
        if self._room < 0:
            self.whole = False
            self._parts.clear()
        elif len(told):
            self._parts.append({"start_ns": window["start_ns"][rows[told]], "tid": window["tid"][rows[told]], "thing": things[told]})

    def end(self, descriptors: Descriptors) -> None:
        """All has been seen: find out what the things are called."""
        parts = {name: np.concatenate([part[name] for part in self._parts]) for name in ("start_ns", "tid", "thing")} if self._parts else {}
        self._parts = [{name: column[np.argsort(parts["start_ns"], kind="stable")] for name, column in parts.items()}] if parts else []
        self.names = {thing: descriptors.name(thing) for thing in np.unique(parts["thing"]).tolist()} if parts else {}

    def of(self, start_ns: NDArray[np.uint64], tid: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The thing of each of these calls; 0 where there is none, or it is not known."""
        found = np.zeros(len(start_ns), np.int64)
        if not self._parts:
            return found
        starts, tids, things = (self._parts[0][name] for name in ("start_ns", "tid", "thing"))
        places = np.searchsorted(starts, start_ns)
        for _ in range(_TIES):
            here = np.minimum(places, len(starts) - 1)
            fits = (starts[here] == start_ns) & (tids[here] == tid) & (found == 0)
            found[fits] = things[here[fits]]
            places += 1
        return found
