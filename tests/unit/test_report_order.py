from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from report.order import LATE_NS, in_order
from report.types import Columns

Numbers = NDArray[np.uint64]


def blocks_of(keys: Numbers, arrivals: Numbers, size: int) -> list[Columns]:
    table = {"key": keys, "arrival": arrivals, "row": np.arange(len(keys))}
    return [{name: column[at:at + size] for name, column in table.items()} for at in range(0, len(keys), size)]


def delivered(rows: int, seed: int, skew: int) -> tuple[Numbers, Numbers]:
    """Calls of several threads in the order in which they end, with the order of CPUs mixed by up to ``skew`` ns; a few last very long."""
    random = np.random.default_rng(seed)
    start = np.sort(random.integers(0, rows * 1000, rows)).astype(np.uint64)
    duration = random.integers(0, 5000, rows).astype(np.uint64)
    duration[random.random(rows) < 0.001] = 5 * LATE_NS
    order = np.argsort(start + duration + random.integers(0, skew + 1, rows).astype(np.uint64), kind="stable")
    return start[order], (start + duration)[order]


@pytest.mark.parametrize(("size", "skew"), [(37, 0), (100, 0), (1000, 3000), (1000, 10**9), (10**6, 10**9)])
def test_every_row_once_and_in_order(size: int, skew: int) -> None:
    keys, arrivals = delivered(20_000, 7, skew)
    blocks = blocks_of(keys, arrivals, size)
    windows = list(in_order(lambda: blocks))
    rows = np.concatenate([window["row"] for window in windows])
    assert np.array_equal(np.concatenate([window["key"] for window in windows]), np.sort(keys))
    assert np.array_equal(keys[rows], np.sort(keys))
    assert np.array_equal(np.sort(rows), np.arange(len(keys)))


def test_windows_stay_small_beside_calls_that_wait_for_hours() -> None:
    keys, arrivals = delivered(200_000, 3, 10_000)
    keys[-1], arrivals[-1] = 0, 10**15  # the main thread's, waiting since the beginning
    blocks = blocks_of(keys, arrivals, 8192)
    assert max(len(window["key"]) for window in in_order(lambda: blocks)) < 3 * 8192


def test_equal_keys_keep_the_order_of_the_file() -> None:
    keys = np.zeros(300, np.uint64)
    blocks = blocks_of(keys, keys, 100)
    assert np.concatenate([window["row"] for window in in_order(lambda: blocks)]).tolist() == list(range(300))


def test_nothing() -> None:
    def none() -> Iterator[Columns]:
        return iter(())

    empty = blocks_of(np.zeros(0, np.uint64), np.zeros(0, np.uint64), 1)
    assert list(in_order(none)) == []
    assert list(in_order(lambda: empty)) == []
