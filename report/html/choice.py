"""Which calls a report holds one by one when a session has more than its file should carry: errors, slow ones, and one in so many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.moments import is_failed
from report.types import Columns

__all__ = ("Choice", "Survey")

_BITS = 65


@dataclass
class Survey:
    """What a first look at all calls tells, without which nothing can be chosen or laid out."""

    calls: int = 0
    failed: int = 0
    ends_ns: int = 0  # when the last one was over, CLOCK_MONOTONIC
    by_length: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BITS, np.int64))  # calls by bits of their duration
    threads: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))  # proc << 32 | tid, sorted
    kinds: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))  # as kinds.kinds_of takes them, sorted

    def add(self, calls: Columns) -> None:
        """Look at some more calls, with ``thread`` and ``kind``."""
        self.calls += len(calls["ret"])
        self.failed += int(np.count_nonzero(is_failed(calls["ret"])))
        lengths = np.frexp(calls["duration_ns"].astype(np.float64))[1]
        self.by_length += np.bincount(np.clip(lengths, 0, _BITS - 1), minlength=_BITS)
        if len(calls["ret"]):
            self.ends_ns = max(self.ends_ns, int((calls["start_ns"] + calls["duration_ns"]).max()))
        self.threads = np.union1d(self.threads, _different(calls["thread"]))
        self.kinds = np.union1d(self.kinds, _different(calls["kind"]))


@dataclass(frozen=True)
class Choice:
    """A call is kept if it is as long as ``slow_ns``, or fails and is one in ``failed_every`` of all calls, or is one in ``every``."""

    every: int = 1
    failed_every: int = 1
    slow_ns: int | None = None

    @classmethod
    def of(cls, survey: Survey, most: int) -> Choice:
        """A choice that keeps ``most`` calls or fewer: up to a quarter slow ones, up to a quarter failed ones, the rest evenly over all."""
        if survey.calls <= most:
            return cls()
        quarter = max(most // 4, 1)
        longer = np.append(np.cumsum(survey.by_length[::-1])[::-1], 0)  # calls with so many bits or more
        bits = int(np.flatnonzero(longer <= quarter)[0])
        failed_every = max(-(-survey.failed // quarter), 1)
        special = int(longer[bits]) + min(-(-survey.calls // failed_every), survey.failed)
        return cls(-(-survey.calls // max(most - special, 1)), failed_every, 1 << bits - 1 if 0 < bits < _BITS else None)

    def kept(self, calls: Columns, before: int) -> NDArray[np.bool_]:
        """Which calls of a block are kept; ``before`` is how many came in the blocks before it."""
        places = np.arange(before, before + len(calls["ret"]))
        kept: NDArray[np.bool_] = places % self.every == 0
        kept |= is_failed(calls["ret"]) & (places % self.failed_every == 0)
        if self.slow_ns is not None:
            kept |= calls["duration_ns"] >= self.slow_ns
        return kept


def _different(values: NDArray[Any]) -> NDArray[Any]:
    """The different values; many in a row are the same."""
    if not len(values):
        return values
    return np.unique(values[np.flatnonzero(np.append(True, values[1:] != values[:-1]))])
