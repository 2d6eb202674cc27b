"""Events in the order of time, from blocks that hold them in the order of delivery, without holding all of them.

A record is sent when its call returns, so that delivery follows the ends of calls, roughly: per-CPU buffers are read
one after the other. Most calls are short; a few wait for hours, and arrive that late. Two passes take care of both:

1. Calls of a second or more are set aside. A thread can make one such call a second at most, so they stay few. Of every
   block's other rows the smallest key is noted, and from these the smallest key that any later block still holds.
2. Rows with keys below that are complete: they are sorted, merged with those set aside, and given out.

The order is exact however the file was written; only the memory needed grows with its disorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from report.types import Columns

__all__ = ("LATE_NS", "in_order", "take")

LATE_NS = 1_000_000_000
_NEVER = np.iinfo(np.uint64).max


def take(columns: Columns, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Columns:
    """The same columns, of these rows."""
    return {name: column[rows] for name, column in columns.items()}


def in_order(blocks: Callable[[], Iterable[Columns]]) -> Iterator[Columns]:
    """All rows, sorted by column ``key`` (ns), in windows of about one block.

    ``blocks`` is called twice and gives the same tables each time, with the columns ``key`` and ``arrival`` (ns: when
    the record was sent at the earliest) among others. Rows with equal keys keep the order of the file.
    """
    late, floors = _survey(blocks())
    taken = 0
    held: list[Columns] = []
    held_from = _NEVER
    for number, block in enumerate(blocks()):
        prompt = take(block, ~_is_late(block))
        if len(prompt["key"]):
            held.append(prompt)
            held_from = min(held_from, prompt["key"].min())
        floor = floors[number + 1]
        if held_from >= floor:
            continue
        rows = _sorted(held)
        whole = int(np.searchsorted(rows["key"], floor))
        until = int(np.searchsorted(late["key"], floor)) if late else 0
        window = take(rows, slice(whole))
        yield _sorted([take(late, slice(taken, until)), window]) if until > taken else window
        taken = max(taken, until)
        held = [take(rows, slice(whole, None))] if whole < len(rows["key"]) else []
        held_from = held[0]["key"][0] if held else _NEVER
    rest = [*held, take(late, slice(taken, None))] if late else held
    if any(len(part["key"]) for part in rest):
        yield _sorted(rest)


def _survey(blocks: Iterable[Columns]) -> tuple[Columns, NDArray[np.uint64]]:
    """The late rows, sorted, and for every block the smallest key of the prompt rows in it and all after it."""
    late: list[Columns] = []
    smallest: list[int] = []
    for block in blocks:
        is_late = _is_late(block)
        if is_late.any():
            late.append(take(block, is_late))
        keys = block["key"][~is_late]
        smallest.append(int(keys.min()) if len(keys) else int(_NEVER))
    floors = np.minimum.accumulate(np.array([*smallest, _NEVER], dtype=np.uint64)[::-1])[::-1]
    return _sorted(late) if late else {}, floors


def _is_late(block: Columns) -> NDArray[np.bool_]:
    waited: NDArray[np.bool_] = block["arrival"] >= block["key"] + np.uint64(LATE_NS)
    return waited


def _sorted(parts: list[Columns]) -> Columns:
    rows = parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(rows["key"], kind="stable")
    return take(rows, order)
