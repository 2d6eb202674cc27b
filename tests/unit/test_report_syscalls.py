from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from report.syscalls import SyscallTotals, calls_by_process, quantile, syscall_totals
from tests.unit.report_sessions import Story
from tracer.kinds import CallFlag
from tracer.records import HISTOGRAM_BUCKETS
from tracer.session.format import BlockKind
from tracer.session.reader import open_session


def histogram(**buckets: int) -> NDArray[np.uint64]:
    counts = np.zeros(HISTOGRAM_BUCKETS, np.uint64)
    for name, number in buckets.items():
        counts[int(name[1:])] = number
    return counts


@pytest.mark.parametrize(("counts", "max_ns", "share", "expected"), [
    (histogram(), 0, 0.5, None),
    (histogram(b0=4), 127, 0.5, 64),         # 0-128 ns
    (histogram(b0=4), 50, 0.5, 50),          # clamped to the longest
    (histogram(b4=100), 2047, 0.50, 1448),   # the geometric middle of 1024-2048
    (histogram(b4=100), 2047, 0.99, 2034),
    (histogram(b4=100), 1500, 0.99, 1500),
    (histogram(b0=99, b10=1), 70_000, 0.99, 128),
    (histogram(b0=98, b10=2), 131_000, 0.99, 92_682),
    (histogram(b31=10), 1 << 40, 0.5, round((1 << 37) * 8 ** 0.5)),  # the last is open-ended: up to the longest
])
def test_quantile(counts: NDArray[np.uint64], max_ns: int, share: float, expected: int | None) -> None:
    assert quantile(counts, max_ns, share) == expected


def test_quantiles_of_real_latencies_are_within_their_power_of_two() -> None:
    latencies = np.sort(np.random.default_rng(1).lognormal(8, 1.5, 50_000).astype(np.uint64))
    counts = np.bincount(np.maximum(np.log2(np.maximum(latencies, 1)).astype(int) - 6, 0), minlength=HISTOGRAM_BUCKETS).astype(np.uint64)
    for share in (0.5, 0.99):
        found = quantile(counts, int(latencies[-1]), share)
        true = int(latencies[int(share * len(latencies))])
        assert found is not None
        assert abs(found - true) < 0.12 * true


def story() -> Story:
    told = Story()
    for _ in range(7):
        told.call("read", 0, 1500, 100, proc=1)
    told.call("read", 0, 1500, -11, proc=2)
    told.call("openat", 0, 9000, 3, proc=2)
    told.call("futex", 0, 0, flags=CallFlag.UNFINISHED, proc=2)
    return told


def test_sums_of_deltas(tmp_path: Path) -> None:
    session = open_session(str(story().write(tmp_path / "a.ebt")))
    assert syscall_totals(session) == (
        SyscallTotals("read", calls=8, errors=1, unfinished=0, total_ns=12_000, max_ns=1500, p50_ns=1448, p99_ns=1500, bytes=700),
        SyscallTotals("openat", calls=1, errors=0, unfinished=0, total_ns=9000, max_ns=9000, p50_ns=9000, p99_ns=9000, bytes=0),
        SyscallTotals("futex", calls=1, errors=0, unfinished=1, total_ns=0, max_ns=0, p50_ns=None, p99_ns=None, bytes=0),
    )
    assert calls_by_process(session) == {1: 7, 2: 3}


def test_one_process(tmp_path: Path) -> None:
    session = open_session(str(story().write(tmp_path / "a.ebt")))
    assert [(row.name, row.calls, row.bytes) for row in syscall_totals(session, {1})] == [("read", 7, 700)]
    assert [(row.name, row.calls) for row in syscall_totals(session, {2})] == [("openat", 1), ("read", 1), ("futex", 1)]
    assert syscall_totals(session, set()) == ()


def test_counts_mode_knows_no_latency(tmp_path: Path) -> None:
    told = Story(mode="counts")
    told.call("read", 0, 1500, 100, delivered=False)
    row, = syscall_totals(open_session(str(told.write(tmp_path / "a.ebt"))))
    assert (row.calls, row.total_ns, row.max_ns, row.p50_ns, row.p99_ns) == (1, 0, 0, None, None)


def test_compat_and_nameless_calls_and_an_unknown_machine(tmp_path: Path) -> None:
    told = Story()
    told.call("openat (32-bit)", 0)
    told.totals[1, 510] = told.totals[1, 511] = next(iter(told.totals.values()))
    assert {row.name for row in syscall_totals(open_session(str(told.write(tmp_path / "a.ebt"))))} == {"openat (32-bit)", "syscall_510", "unknown"}
    told.meta["arch"] = "pdp11"
    assert "syscall_510" in {row.name for row in syscall_totals(open_session(str(told.write(tmp_path / "b.ebt"))))}


def test_summary_without_any_table(tmp_path: Path) -> None:
    session = open_session(str(Story().write(tmp_path / "a.ebt")))
    assert list(session.tables(BlockKind.TOTALS)) == []
    assert syscall_totals(session) == ()
