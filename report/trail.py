"""What the descriptor of each call stood for, call by call; gathered while the descriptors are followed (report/activity.py)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from report.bindings import Bindings, key_of
from report.calls import arguments, call_name
from report.descriptors import Descriptors
from report.order import take
from report.types import Columns
from tracer.records import SYSNO_LIMIT
from tracer.syscalls.names import known

__all__ = ("Trail",)

_KINDS = ("fd", "dirfd")
_SLOTS = ("a0", "a1", "a2")


class Trail:
    """Calls by their place in the file (report/moments.py), and the index of the thing that their first descriptor stood for.

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
            self._parts.append({"place": window["place"][rows[told]], "thing": things[told]})

    def end(self, descriptors: Descriptors) -> None:
        """All has been seen: find out what the things are called."""
        if self._parts:
            parts = {name: np.concatenate([part[name] for part in self._parts]) for name in ("place", "thing")}
            self._parts = [take(parts, np.argsort(parts["place"], kind="stable"))]
            self.names = {thing: descriptors.name(thing) for thing in np.unique(parts["thing"]).tolist()}

    def of(self, places: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The thing of each of the calls at these places; 0 where there is none, or it is not known."""
        if not self._parts:
            return np.zeros(len(places), np.int64)
        known, things = self._parts[0]["place"], self._parts[0]["thing"]
        here = np.minimum(np.searchsorted(known, places), len(known) - 1)
        found: NDArray[np.int64] = np.where(known[here] == places, things[here], 0)
        return found
