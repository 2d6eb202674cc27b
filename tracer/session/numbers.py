"""Whole numbers as bytes: the inner half of columns.py, where the layout is described.

It runs beside the target, on up to 1.6 million calls a second: every step is one pass of NumPy over a column, and what a pass
would cost is first judged on a sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ("BadColumn", "Numbers", "above_base", "from_planes", "listed", "look_up", "planes", "sample", "unsigned")

Numbers = npt.NDArray[np.uint64]
_Array = npt.NDArray[Any]

_MASK = (1 << 64) - 1
_WINDOWS, _WINDOW = 8, 64  # the sample: eight runs of neighbours
_SMALL = 4096              # below this, sorting is as fast as hashing
_SLOTS_LOG2 = 16
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: near numbers land far apart (Knuth, TAOCP 6.4)


class BadColumn(ValueError):
    """What claims to be an encoded column is none."""


def unsigned(value: int) -> np.uint64:
    """A decoded parameter as a 64-bit number; BadColumn if it is none."""
    if not 0 <= value <= _MASK:
        raise BadColumn("a number that no 64 bits hold")
    number: np.uint64 = np.uint64(value)
    return number


def sample(numbers: _Array) -> _Array:
    """Up to 512 of the numbers, as rows of neighbours."""
    if numbers.size <= _WINDOWS * _WINDOW:
        return numbers.reshape(1, -1)
    return numbers[:numbers.size // _WINDOWS * _WINDOWS].reshape(_WINDOWS, -1)[:, :_WINDOW]


def above_base(numbers: _Array) -> tuple[int, Numbers]:
    """The smallest of some 64-bit numbers, with sign or without, as it is modulo 2**64; and what each number has above it."""
    base = int(numbers.min()) & _MASK
    return base, numbers.view("<u8") - np.uint64(base)


def listed(numbers: Numbers) -> tuple[int, bytes, bytes] | None:
    """List the different ones among numbers of which the smallest is 0, if that takes less room than `planes` does.

    Returns how many different numbers there are, the planes of the steps between them in rising order, and the planes of each
    number's place in the list; None if it would not pay. It does in two cases, found by measuring real traces. One: they repeat,
    three times or more; clocks tick in tens of nanoseconds, so even durations do. Two: they are long and spread over all 64 bits,
    such as ids of strings, so that a place is much shorter even if most numbers come only once or twice.
    """
    item = _bytes_for(int(numbers.max()))
    part = sample(numbers)
    if item == 1 or len(np.unique(part)) > 0.9 * part.size:
        return None
    entries, places = _distinct(numbers)
    if 3 * len(entries) > len(numbers) and len(entries) * item + 1.6 * len(numbers) > len(numbers) * _length(part):
        return None
    return len(entries), planes(np.diff(entries)), planes(places)


def planes(numbers: _Array) -> bytes:
    """The numbers' lowest bytes, then their second bytes, ...: as many as the largest number needs."""
    count = _bytes_for(int(numbers.max())) if numbers.size else 0
    width = 1 << (count - 1).bit_length() if count else 1
    narrow = numbers.astype(f"<u{width}", copy=False)
    stored: bytes = narrow.view("u1").reshape(-1, width)[:, :count].T.tobytes()
    return stored


def from_planes(data: bytes, count: int) -> Numbers:
    """Undo `planes` for ``count`` numbers; BadColumn if the bytes are not as many."""
    used = len(data) // count if count else 0
    if len(data) != used * count or used > 8 or (count and not used):
        raise BadColumn("another number of bytes than the shape says")
    if not count:
        return np.empty(0, "<u8")
    width = 1 << (used - 1).bit_length()
    rows = np.zeros((count, width), "u1") if used < width else np.empty((count, width), "u1")
    rows[:, :used] = np.frombuffer(data, "u1").reshape(used, count).T
    return rows.reshape(-1).view(f"<u{width}").astype("<u8", copy=False)


def look_up(places: Numbers, base: np.uint64, different: int, steps: bytes) -> Numbers:
    """The numbers behind a dictionary's places; BadColumn if one is beyond its end."""
    if not 0 < different <= places.size or int(places.max()) >= different:
        raise BadColumn("a place beyond the end of its dictionary")
    entries = np.empty(different, "<u8")
    entries[0] = base
    entries[1:] = from_planes(steps, different - 1)
    np.cumsum(entries, out=entries)
    found: Numbers = entries[places.view("<i8")]
    return found


def _length(part: _Array) -> float:
    """Bytes that zstd will need for one of these numbers, roughly: the mean length of their distance from the middle one."""
    middle = np.sort(part, axis=None)[part.size // 2]
    bits = np.frexp(np.abs((part - middle).view("<i8")).astype("<f8"))[1]
    return float(bits.mean() + 1) / 8


def _distinct(numbers: Numbers) -> tuple[Numbers, _Array]:
    """The different numbers in rising order, and each number's place among them: np.unique, but five times as fast.

    A hash table without buckets: every number is written into its slot; what reads another number there has lost it to a collision
    and is sorted instead. Whoever makes all numbers collide gets the speed of np.unique.
    """
    if numbers.size < _SMALL:
        return np.unique(numbers, return_inverse=True)
    slot = ((numbers * _SPREAD) >> np.uint64(64 - _SLOTS_LOG2)).astype(np.intp)
    slots = np.empty(1 << _SLOTS_LOG2, "<u8")
    slots[slot] = numbers
    used = np.zeros(slots.size, "?")
    used[slot] = True
    winners = np.flatnonzero(used)
    losers = np.flatnonzero(slots[slot] != numbers)
    others, other_places = np.unique(numbers[losers], return_inverse=True)
    entries = np.concatenate([slots[winners], others])
    order = np.argsort(entries)
    ranks = np.empty(entries.size, "<u4")
    ranks[order] = np.arange(entries.size, dtype="<u4")
    table = np.empty(slots.size, "<u4")
    table[winners] = ranks[:winners.size]
    places = table[slot]
    places[losers] = ranks[winners.size:][other_places]
    return entries[order], places


def _bytes_for(largest: int) -> int:
    return max(1, (largest.bit_length() + 7) // 8)
