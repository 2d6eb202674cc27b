"""Totals by syscall: what the kernel counted, call by call and exact, whether or not the calls' records were kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from report.calls import arch_of, call_name
from report.selection import selected
from tracer.records import HISTOGRAM_BUCKETS, HISTOGRAM_SHIFT, SYSNO_LIMIT
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("SyscallTotals", "calls_by_process", "latency_histograms", "quantile", "syscall_totals")

_SUMS = ("calls", "errors", "unfinished", "bytes", "total_ns")


@dataclass(frozen=True)
class SyscallTotals:
    """One syscall. Latencies cover the calls that were seen to start and to return; quantiles are None if there are none."""

    name: str
    calls: int  # all, with those that never returned
    errors: int
    unfinished: int  # never returned: ended with their thread, or still running at the end
    total_ns: int
    max_ns: int
    p50_ns: int | None
    p99_ns: int | None
    bytes: int  # sum of what calls that move bytes returned


def syscall_totals(session: Session, procs: Collection[int] | None = None) -> tuple[SyscallTotals, ...]:
    """Totals of the calls that were asked for, of all processes, or of these (numbers of ours, not pids); by time spent, then by calls."""
    asked = selected(session)
    sums = {field: np.zeros(SYSNO_LIMIT, np.uint64) for field in _SUMS}
    longest = np.zeros(SYSNO_LIMIT, np.uint64)
    histogram = np.zeros((SYSNO_LIMIT, HISTOGRAM_BUCKETS), np.uint64)
    wanted = None if procs is None else np.array(sorted(procs), np.uint32)
    for table in session.tables(BlockKind.TOTALS):
        counted = (table["sysno"] < SYSNO_LIMIT) & asked[np.minimum(table["sysno"], SYSNO_LIMIT)]
        if wanted is not None:
            counted &= np.isin(table["proc"], wanted)
        sysno = table["sysno"][counted]
        for field in _SUMS:
            np.add.at(sums[field], sysno, table[field][counted])
        np.maximum.at(longest, sysno, table["max_ns"][counted])
        np.add.at(histogram, sysno, table["histogram"][counted])
    arch = arch_of(session)
    rows = [
        SyscallTotals(
            name=call_name(arch, int(sysno)),
            **{field: int(sums[field][sysno]) for field in _SUMS},
            max_ns=int(longest[sysno]),
            p50_ns=quantile(histogram[sysno], int(longest[sysno]), 0.50),
            p99_ns=quantile(histogram[sysno], int(longest[sysno]), 0.99),
        )
        for sysno in np.flatnonzero(sums["calls"])
    ]
    return tuple(sorted(rows, key=lambda row: (-row.total_ns, -row.calls, row.name)))


def calls_by_process(session: Session) -> Counter[int]:
    """How many calls that were asked for each process made; 0 is all processes that had no room of their own in the kernel's map."""
    calls: Counter[int] = Counter()
    asked = selected(session)
    for table in session.tables(BlockKind.TOTALS):
        procs, where = np.unique(table["proc"], return_inverse=True)
        sums = np.zeros(len(procs), np.uint64)
        np.add.at(sums, where, np.where(asked[np.minimum(table["sysno"], SYSNO_LIMIT)], table["calls"], np.uint64(0)))
        calls.update(dict(zip(procs.tolist(), sums.tolist(), strict=True)))
    return calls


def latency_histograms(session: Session) -> dict[str, list[int]]:
    """By name of the call, how many took how long: the first number is of those under 2**(HISTOGRAM_SHIFT + 1) ns, each further one of
    those up to twice as long, the last of all others. Calls that were asked for and timed, of all processes."""
    sums = np.zeros((SYSNO_LIMIT, HISTOGRAM_BUCKETS), np.uint64)
    asked = selected(session)
    for table in session.tables(BlockKind.TOTALS):
        counted = (table["sysno"] < SYSNO_LIMIT) & asked[np.minimum(table["sysno"], SYSNO_LIMIT)]
        np.add.at(sums, table["sysno"][counted], table["histogram"][counted])
    arch = arch_of(session)
    return {call_name(arch, sysno): sums[sysno].tolist() for sysno in np.flatnonzero(sums.any(axis=1)).tolist()}


def quantile(histogram: NDArray[np.uint64], max_ns: int, share: float) -> int | None:
    """The latency (ns) that this share of the calls did not exceed; None without calls.

    Inside its power of two it is interpolated geometrically: there are more short calls than long ones there, too.
    """
    upto = np.cumsum(histogram)
    calls = int(upto[-1])
    if not calls:
        return None
    rank = share * calls
    bucket = int(np.searchsorted(upto, rank))
    inside = int(histogram[bucket])
    part = (rank - (int(upto[bucket]) - inside)) / inside
    low = 1 << (bucket + HISTOGRAM_SHIFT)
    if bucket == 0:  # open-ended below
        return min(round(2 * low * part), max_ns)
    high = max_ns if bucket == HISTOGRAM_BUCKETS - 1 else 2 * low  # the last one is open-ended above
    longer: float = (high / low) ** part
    return min(round(low * longer), max_ns)
