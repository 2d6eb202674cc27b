"""What was done to each socket, by all processes together: calls, bytes and times; and the same by the addresses that calls name."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from report.activity import REMOTE_FIELDS, Activity
from report.order import take
from report.sums import summed
from report.things import Kind

__all__ = ("NONE", "Traffic", "by_address", "by_socket", "pids_of")

_PIDS_KEPT = 8


class Traffic(NamedTuple):
    """Sums. Times: ns after the start of the session; None: never used. The order is that of REMOTE_FIELDS."""

    receives: int = 0
    sends: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    errors: int = 0
    time_ns: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    @property
    def is_any(self) -> bool:
        """Whether there was a call at all."""
        return any(self[:6])

    def plus(self, other: Traffic) -> Traffic:
        """Both together."""
        firsts, lasts = ([at for at in pair if at is not None] for pair in zip(self[6:], other[6:], strict=True))
        return Traffic._make([*(a + b for a, b in zip(self[:6], other[:6])), min(firsts, default=None), max(lasts, default=None)])

    def minus(self, other: Traffic) -> Traffic:
        """What is left of it, within the same times."""
        return Traffic._make([*(max(a - b, 0) for a, b in zip(self[:6], other[:6])), *self[6:]])


NONE = Traffic()


def by_socket(activity: Activity) -> dict[int, Traffic]:
    """By index of the thing."""
    rows, things = _of_sockets(activity)
    return {thing: Traffic._make(sums) for thing, sums in summed(things, take(activity.uses, rows), REMOTE_FIELDS).items()}


def by_address(activity: Activity) -> dict[int, list[tuple[int, Traffic]]]:
    """By index of the thing: string ids of addresses that calls named (0: of too many to tell apart), and what they had to do with them."""
    found: dict[int, list[tuple[int, Traffic]]] = {}
    columns: dict[str, Any] = activity.remotes
    for thing, address, *sums in zip(*(columns[name].tolist() for name in ("thing", "address", *REMOTE_FIELDS)), strict=True):
        found.setdefault(thing, []).append((address, Traffic(*sums)))
    return found


def pids_of(activity: Activity) -> dict[int, tuple[int, ...]]:
    """By index of the thing: who used it, the first eight."""
    rows, things = _of_sockets(activity)
    found: dict[int, set[int]] = {}
    for thing, proc in zip(things.tolist(), activity.uses["proc"][rows].tolist(), strict=True):
        if proc in activity.pids:
            found.setdefault(thing, set()).add(activity.pids[proc])
    return {thing: tuple(sorted(pids)[:_PIDS_KEPT]) for thing, pids in found.items()}


def _of_sockets(activity: Activity) -> tuple[Any, Any]:
    """Which rows of the uses are of sockets, and of which."""
    is_socket = np.array([thing.kind is Kind.SOCKET for thing in activity.things], np.bool_)
    rows = np.flatnonzero(is_socket[activity.uses["thing"]])
    return rows, activity.uses["thing"][rows]
