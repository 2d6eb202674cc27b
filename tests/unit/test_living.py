"""Which traced processes live, whatever the order of their records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.kinds import LifeKind
from tracer.stream.living import Living

Record = tuple[int, int, int, int, int]
BORN: list[tuple[int, int, int]] = []


@pytest.fixture
def living() -> Living:
    BORN.clear()
    return Living(lambda proc, tgid, start_ns: BORN.append((proc, tgid, start_ns)))


def birth(proc: int, kind: LifeKind = LifeKind.FORK) -> Record:
    return int(kind), proc, 1000 + proc, 0, 5 * proc


def end(proc: int) -> Record:
    return int(LifeKind.EXIT), proc, 1000 + proc, 1, 5 * proc


def thread(proc: int, kind: LifeKind) -> Record:
    return int(kind), proc, 1000 + proc, 0, 5 * proc


def test_births_and_ends(living: Living) -> None:
    living.hear([birth(3, LifeKind.FOUND), thread(3, LifeKind.THREAD), birth(7), thread(7, LifeKind.EXEC), thread(3, LifeKind.EXIT)])
    assert (living.pids(), living.count, living.ended, BORN) == ([1003, 1007], 2, set(), [(3, 1003, 15), (7, 1007, 35)])
    living.hear([end(3)])
    assert (living.pids(), living.count, living.ended) == ([1007], 2, {3})


def test_a_process_that_was_found_twice_is_one(living: Living) -> None:
    living.hear([birth(3, LifeKind.FOUND), birth(3, LifeKind.FOUND)])
    assert (living.count, BORN) == (1, [(3, 1003, 15)])


def test_an_end_that_is_read_before_its_beginning(living: Living) -> None:
    """Perf buffers are read CPU by CPU."""
    living.hear([end(3)])
    assert (living.pids(), living.count, living.ended) == ([], 0, {3})
    living.hear([birth(3)])
    assert (living.pids(), living.count, BORN) == ([], 1, [])


def test_last_threads_that_all_say_they_were_the_last(living: Living) -> None:
    living.hear([birth(3), end(3), end(3), birth(4)])
    assert (living.pids(), living.count, living.ended) == ([1004], 2, {3})


@given(st.permutations([birth(1), end(1), birth(2), end(2), birth(3), birth(4)]))
def test_any_order(records: list[Record]) -> None:
    living = Living(lambda proc, tgid, start_ns: None)
    living.hear(records)
    assert (sorted(living.pids()), living.count, living.ended) == ([1003, 1004], 4, {1, 2})
