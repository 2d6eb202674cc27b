"""Sums over many records by a key, kept in columns that grow with the number of keys, not of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("FIRST", "LAST", "Sums", "summed")

FIRST, LAST = "first_ns", "last_ns"  # these are the least and the greatest, not sums
_SUM: tuple[int, np.ufunc] = (0, np.add)
_PICKED: dict[str, tuple[int, np.ufunc]] = {FIRST: (np.iinfo(np.int64).max, np.minimum), LAST: (np.iinfo(np.int64).min, np.maximum)}


def summed(keys: NDArray[Any], columns: Mapping[str, NDArray[np.int64]], fields: Sequence[str]) -> dict[int, tuple[int, ...]]:
    """The fields of all rows with the same key together, in the order of ``fields``."""
    different, places = np.unique(keys, return_inverse=True)
    found = []
    for field in fields:
        start, add = _PICKED.get(field, _SUM)
        column = np.full(len(different), start, np.int64)
        add.at(column, places, columns[field])
        found.append(column.tolist())
    return dict(zip(different.tolist(), zip(*found, strict=True), strict=True))


class Sums:
    """Sums by key. There are at most ``most`` keys; what comes after them goes where ``otherwise`` says (a mask of the key)."""

    def __init__(self, fields: tuple[str, ...], most: int, otherwise: int) -> None:
        self._fields = fields
        self._most, self._otherwise = most, otherwise
        self._places: dict[int, int] = {}
        self._columns = {field: np.zeros(0, np.int64) for field in fields}

    def add(self, keys: NDArray[np.uint64], amounts: Mapping[str, NDArray[np.int64] | int]) -> None:
        """Add to the fields of one key per row. A number stands for as many rows as there are keys."""
        if not len(keys):
            return
        different, inverse = np.unique(keys, return_inverse=True)
        numbers = different.tolist()
        known = list(map(self._places.get, numbers))
        if None in known:
            known = [self._place(key) for key in numbers]
        places = np.array(known, np.intp)[inverse]
        self._grow()
        for field, amount in amounts.items():
            _, add = _PICKED.get(field, _SUM)
            add.at(self._columns[field], places, amount)

    def columns(self) -> tuple[NDArray[np.uint64], dict[str, NDArray[np.int64]]]:
        """All keys, and the columns of their sums."""
        rows = len(self._places)
        return np.fromiter(self._places, np.uint64, rows), {field: column[:rows] for field, column in self._columns.items()}

    def _place(self, key: int) -> int:
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= self._most:
                key &= self._otherwise
            place = self._places.setdefault(key, len(self._places))
        return place

    def _grow(self) -> None:
        """Make room for all places, in steps that double."""
        have = len(self._columns[self._fields[0]])
        if len(self._places) <= have:
            return
        room = max(64, 2 * have, len(self._places))
        for field, column in self._columns.items():
            grown = np.full(room, _PICKED.get(field, _SUM)[0], np.int64)
            grown[:have] = column
            self._columns[field] = grown
