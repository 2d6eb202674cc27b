"""The interned strings of a session: paths and argument lists, by the ids that records carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import NamedTuple, SupportsIndex

import numpy as np

from tracer.session.columns import Array

__all__ = ("STRINGS_LIMIT", "StringEntry", "Strings")

STRINGS_LIMIT = 128 << 20  # bytes of memory for all strings of a session together
_ROW = 33                  # bytes of memory per string, beside its own
_PENDING = 8 << 20
_ASKED_OFTEN = 1 << 10     # from here on a table by id pays, of so many strings:
_IN_TABLE = 1 << 20


class StringEntry(NamedTuple):
    """One string: the bytes that were kept, its true length in bytes, and its flags (records.StringFlag)."""

    data: bytes
    length: int
    flags: int


class Strings(Mapping[int, StringEntry]):
    """All strings by id; of strings that were sent more than once the first is taken.

    ``complete`` is False if they are more than STRINGS_LIMIT bytes: the rest is left out.
    """

    def __init__(self, tables: Iterable[Mapping[str, Array]]) -> None:
        self.complete = True
        # One row per string, in the order of arrival; only the ids are sorted, and _rows says which row they belong to.
        self._ids, self._rows = np.empty(0, "<u8"), np.empty(0, "<i8")
        self._starts, self._lengths, self._flags = np.zeros(1, "<i8"), np.empty(0, "<u4"), np.empty(0, "u1")
        self._data = np.empty(0, "u1")
        self._asked, self._row_of = 0, dict[int, int]()
        pending: list[Mapping[str, Array]] = []
        waiting = 0
        for table in tables:
            pending.append(table)
            waiting += table["data"].size + _ROW * table["id"].size
            if waiting > max(_PENDING, self._data.size // 2):
                self._take(pending)
                pending, waiting = [], 0
                if self._data.size + _ROW * len(self) > STRINGS_LIMIT:
                    self.complete = False
                    break
        self._take(pending)

    def __getitem__(self, key: SupportsIndex) -> StringEntry:
        row = self._row(index(key))
        if row is None:
            raise KeyError(key)
        data = self._data[self._starts[row]:self._starts[row + 1]].tobytes()
        return StringEntry(data, int(self._lengths[row]), int(self._flags[row]))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, SupportsIndex) and self._row(index(key)) is not None

    def data(self, key: int) -> bytes | None:
        """The bytes of one of them; None if it is not there."""
        row = self._row(key)
        return None if row is None else self._data[self._starts[row]:self._starts[row + 1]].tobytes()

    def many(self, keys: Array) -> list[StringEntry | None]:
        """The strings with these ids (uint64), None for those that are not there: a tenth of the time of asking one by one."""
        if not len(self):
            return [None] * len(keys)
        places = np.minimum(self._ids.searchsorted(keys), len(self) - 1)
        rows = self._rows[places]
        told = zip((self._ids[places] == keys).tolist(), self._starts[rows].tolist(), self._starts[rows + 1].tolist(),
                   self._lengths[rows].tolist(), self._flags[rows].tolist(), strict=True)
        data = self._data
        return [StringEntry(data[start:end].tobytes(), length, flags) if there else None for there, start, end, length, flags in told]

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids.tolist())

    def __len__(self) -> int:
        return len(self._ids)

    def _row(self, key: int) -> int | None:
        if not 0 <= key < 1 << 64:
            return None
        if self._row_of:
            return self._row_of.get(key)
        self._asked += 1
        if self._asked > _ASKED_OFTEN and len(self) <= _IN_TABLE:
            self._row_of = dict(zip(self._ids.tolist(), self._rows.tolist(), strict=True))
        place = int(self._ids.searchsorted(np.uint64(key)))
        return int(self._rows[place]) if place < len(self._ids) and int(self._ids[place]) == key else None

    def _take(self, tables: list[Mapping[str, Array]]) -> None:
        """Take in some tables, without the strings that are there already."""
        known = np.empty(len(self), "<u8")
        known[self._rows] = self._ids
        ids = np.concatenate([known, *(table["id"] for table in tables)])
        _, first = np.unique(ids, return_index=True)
        fresh = np.zeros(len(ids), "?")
        fresh[first] = True
        kept = np.concatenate([np.diff(self._starts), *(table["kept"].astype("<i8") for table in tables)])
        self._data = np.concatenate([self._data, *(table["data"] for table in tables)])[np.repeat(fresh, kept)]
        self._starts = np.concatenate([np.zeros(1, "<i8"), np.cumsum(kept[fresh])])
        self._lengths = np.concatenate([self._lengths, *(table["length"] for table in tables)])[fresh]
        self._flags = np.concatenate([self._flags, *(table["flags"] for table in tables)])[fresh]
        self._rows = np.argsort(ids[fresh], kind="stable")
        self._ids = ids[fresh][self._rows]
