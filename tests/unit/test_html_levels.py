from base64 import b64decode

import numpy as np
import pytest

from report.html.levels import Tally
from report.html.packing import Pack
from report.types import Columns
from tests.unit.html_columns import unpacked


def level(span: int, *calls: tuple[int, int, int, int, int]) -> tuple[Tally, list[tuple[int, ...]]]:
    """Calls are (thread, start, duration, ret, class); the cells of what they are summed up to."""
    tally = Tally(span, len(calls), 3)
    names = ("thread", "start", "duration", "ret")
    columns: Columns = {name: np.array([call[place] for call in calls], np.int64) for place, name in enumerate(names)}
    tally.add(columns, np.array([call[4] for call in calls], np.uint8))
    return tally, cells(tally.levels().columns)


def cells(packed: Pack) -> list[tuple[int, ...]]:
    found = unpacked(b64decode(packed.base64), packed.directory)
    found["piece"] = np.cumsum(found["piece"]) & np.uint64(0xFFFF)
    return list(zip(*(found[name].tolist() for name in ("thread", "piece", "class", "calls", "errors", "busy"))))


def test_calls_are_counted_where_they_start_and_their_time_where_it_passes() -> None:
    tally, found = level(1024 * 100, (0, 10, 20, 0, 1), (0, 50, 20, -2, 1), (0, 90, 230, 1, 6), (2, 102_399, 1, 5, 0))
    assert found == [(0, 0, 1, 2, 1, 40), (0, 0, 6, 1, 0, 10), (0, 1, 6, 0, 0, 100), (0, 2, 6, 0, 0, 100), (0, 3, 6, 0, 0, 20), (2, 1023, 0, 1, 0, 1)]
    assert tally.levels().width_ns == 100


@pytest.mark.parametrize(("start", "duration"), [(-500, 100), (-500, 700), (102_000, 10**6), (10**9, 5)])
def test_what_lies_outside_is_at_the_border(start: int, duration: int) -> None:
    _, found = level(1024 * 100, (1, start, duration, 0, 0))
    assert sum(cell[3] for cell in found) == 1
    inside = max(min(start + duration, 102_400) - max(start, 0), 0)
    assert sum(cell[5] for cell in found) == inside


def test_the_chart_holds_all_calls_by_class_and_then_errors() -> None:
    tally, _ = level(256 * 1000, (0, 500, 1, -1, 0), (0, 1500, 1, 0, 0), (1, 1600, 1, 0, 7), (0, 255_999, 1, 0, 7))
    chart = tally.levels().chart
    assert [len(row) for row in chart] == [256] * 9
    assert (chart[0][:2], chart[7][1], chart[7][255], chart[8][0], sum(map(sum, chart))) == ([1, 1], 1, 1, 1, 5)


def test_random_calls_keep_their_sums() -> None:
    random = np.random.default_rng(1)
    calls: Columns = {"thread": random.integers(0, 3, 5000), "start": np.sort(random.integers(0, 10**9, 5000)),
                      "duration": random.integers(0, 10**7, 5000), "ret": random.integers(-2, 2, 5000)}
    calls["duration"] = np.minimum(calls["duration"], 10**9 - calls["start"])
    tally = Tally(10**9, 5000, 3)
    for half in (slice(0, 2000), slice(2000, None)):
        tally.add({name: column[half] for name, column in calls.items()}, random.integers(0, 8, len(calls["thread"][half])).astype(np.uint8))
    found = cells(tally.levels().columns)
    assert sum(cell[3] for cell in found) == 5000
    assert sum(cell[4] for cell in found) == int((calls["ret"] < 0).sum())
    assert sum(cell[5] for cell in found) == int(calls["duration"].sum())
    assert found == sorted(found)


def test_many_threads_get_fewer_pieces() -> None:
    tally = Tally(1 << 20, 10_000_000, 40_000)
    tally.add({name: np.zeros(1, np.int64) for name in ("thread", "start", "duration", "ret")}, np.zeros(1, np.uint8))
    assert tally.levels().pieces == 256
