"""What drawings of a whole session show: calls summed up by thread, piece of time and class, from all calls whether kept or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from report.html.kinds import CLASSES
from report.html.packing import Pack, pack
from report.moments import is_failed
from report.types import Columns

__all__ = ("Levels", "Tally")

_FINE = ((300_000, 10), (3_000_000, 12))  # up to so many calls, so many bits of pieces: closer up the calls themselves are drawn
_FINEST = 14
_MOST_CELLS = 1 << 19
_CHART_BITS = 8
_CLASS_BITS = 4
_SUMS = ("calls", "errors", "busy")


@dataclass(frozen=True)
class Levels:
    """``columns``: thread, piece (steps from row to row), class, calls, errors, busy (ns), sorted by thread and piece.
    Piece n begins n * ``width_ns`` after the start. ``chart``: calls by class and 1/256 of the time, and then the errors."""

    width_ns: int
    pieces: int
    columns: Pack
    chart: list[list[int]]


class Tally:
    """The sums so far."""

    def __init__(self, span_ns: int, calls: int, threads: int) -> None:
        self._bits = next((bits for most, bits in _FINE if calls <= most), _FINEST)
        while self._bits > _CHART_BITS and threads << self._bits > 8 * _MOST_CELLS:
            self._bits -= 1
        self._width = -(-span_ns // (1 << self._bits))
        self._parts: list[Columns] = []

    def add(self, calls: Columns, groups: NDArray[np.uint8]) -> None:
        """Add calls: ``start`` and ``duration`` (ns), ``thread``, ``ret``; ``groups``: the class of each."""
        last = (1 << self._bits) - 1
        begin, end = calls["start"], calls["start"] + calls["duration"]
        first, final = (np.clip(moment // self._width, 0, last) for moment in (begin, end))
        lane = calls["thread"].astype(np.int64) << self._bits
        here = np.minimum(end, (first + 1) * self._width) - np.maximum(begin, first * self._width)
        failed = is_failed(calls["ret"])
        self._sum(_key(lane + first, groups), {"calls": None, "errors": failed, "busy": np.maximum(here, 0)})
        longer = np.flatnonzero(final > first)
        if len(longer):
            self._spread(lane[longer], first[longer], np.minimum(end[longer], (last + 1) * self._width), groups[longer])

    def levels(self) -> Levels:
        """All of it."""
        cells = self._merged()
        chart = self._chart(cells)
        while len(cells["key"]) > _MOST_CELLS and self._bits > _CHART_BITS:
            cells["key"] = cells["key"] >> _CLASS_BITS + 1 << _CLASS_BITS | cells["key"] & (1 << _CLASS_BITS) - 1
            self._bits, self._width = self._bits - 1, self._width * 2
            cells = _summed([cells])
        place = cells["key"] >> _CLASS_BITS
        piece = place & (1 << self._bits) - 1
        columns = {"thread": place >> self._bits, "piece": np.diff(piece, prepend=0) & 0xFFFF, "class": cells["key"] & (1 << _CLASS_BITS) - 1,
                   **{name: cells[name] for name in _SUMS}}
        return Levels(self._width, 1 << self._bits, pack(columns), chart)

    def _sum(self, key: NDArray[np.int64], amounts: dict[str, NDArray[np.generic] | None]) -> None:
        different, places = np.unique(key, return_inverse=True)
        sums = {name: np.bincount(places, amount, len(different)).astype(np.int64) for name, amount in amounts.items()}
        self._parts.append({"key": different, **{name: sums.get(name, np.zeros(len(different), np.int64)) for name in _SUMS}})

    def _spread(self, lane: NDArray[np.int64], first: NDArray[np.int64], end: NDArray[np.int64], groups: NDArray[np.uint8]) -> None:
        """The time of calls in the pieces after their first one. A thread is in one call at a time, so these are few."""
        pieces = np.minimum((end - 1) // self._width, (1 << self._bits) - 1) - first
        for some in np.array_split(np.arange(len(lane)), int(pieces.sum()) // (8 * _MOST_CELLS) + 1):
            rows = np.repeat(some, pieces[some])
            if not len(rows):
                continue
            upto = np.cumsum(pieces[some])
            piece = first[rows] + 1 + np.arange(len(rows)) - np.repeat(upto - pieces[some], pieces[some])
            busy = np.minimum(end[rows] - piece * self._width, self._width)
            self._sum(_key(lane[rows] + piece, groups[rows]), {"busy": busy})

    def _merged(self) -> Columns:
        return _summed(self._parts) if self._parts else {name: np.zeros(0, np.int64) for name in ("key", *_SUMS)}

    def _chart(self, cells: Columns) -> list[list[int]]:
        column = (cells["key"] >> _CLASS_BITS & (1 << self._bits) - 1) >> self._bits - _CHART_BITS
        group = cells["key"] & (1 << _CLASS_BITS) - 1
        width = 1 << _CHART_BITS
        calls = np.bincount(group * width + column, cells["calls"], len(CLASSES) * width).astype(np.int64).reshape(len(CLASSES), width)
        errors = np.bincount(column, cells["errors"], width).astype(np.int64)
        return [*calls.tolist(), errors.tolist()]


def _key(place: NDArray[np.int64], groups: NDArray[np.uint8]) -> NDArray[np.int64]:
    return place << _CLASS_BITS | groups


def _summed(parts: list[Columns]) -> Columns:
    keys = np.concatenate([part["key"] for part in parts])
    different, places = np.unique(keys, return_inverse=True)
    # Weights of bincount are floats: exact up to 2**53, more ns than a thread can spend in what a report can tell
    return {"key": different, **{name: np.bincount(places, np.concatenate([part[name] for part in parts]), len(different)).astype(np.int64)
                                 for name in _SUMS}}
