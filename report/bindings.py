"""What the descriptors that a window of calls uses stood for, row by row: noted change by change, looked up all at once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("Bindings", "key_of")

_FD_BITS = np.uint64(32)


def key_of(procs: Any, fds: Any) -> Any:
    """Process and descriptor in one number."""
    return procs.astype(np.uint64) << _FD_BITS | fds.astype(np.uint32)


class Bindings:
    """What the descriptors used in one window stood for, and what happened to opens in it."""

    def __init__(self, length: int, used: set[int]) -> None:
        self.used = used  # the descriptors that anybody will ask for
        self.opened: list[tuple[int, int]] = []  # row, index of the thing
        self.refused: list[tuple[int, int]] = []
        self._stride = 2 * length + 2
        self._noted: list[tuple[int, int, int]] = []

    def note(self, key: int, row: int, thing: int) -> None:
        """From this row of the window on (-1: from before) the descriptor stands for this thing."""
        self._noted.append((key, 2 * row + 2, thing))

    def things(self, keys: NDArray[np.uint64], rows: NDArray[np.intp], after: bool = False) -> NDArray[np.int64]:
        """The index of what each of these descriptors, all in ``used``, stood for before its row, or after it."""
        if not len(keys):
            return np.zeros(0, np.int64)
        known, places, things = self._sorted
        wanted = np.searchsorted(known, keys) * self._stride + 2 * rows + 1 + after
        found: NDArray[np.int64] = things[np.searchsorted(places, wanted, "right") - 1]
        return found

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        keys = np.array([key for key, _, _ in self._noted], np.uint64)
        known, ranks = np.unique(keys, return_inverse=True)
        places = ranks * self._stride + np.array([place for _, place, _ in self._noted], np.int64)
        order = np.argsort(places, kind="stable")
        return known, places[order], np.array([thing for _, _, thing in self._noted], np.int64)[order]
