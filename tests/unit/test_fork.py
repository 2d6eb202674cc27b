"""Forks that are talked to: where they run, and that they may run elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tracer.bare import Thread
from tracer.fork import fork, leave, processor


@pytest.fixture
def cpus() -> Iterator[set[int]]:
    """Those that this process may run on; put back at the end."""
    allowed = os.sched_getaffinity(0)
    yield allowed
    os.sched_setaffinity(0, allowed)


def _told() -> bytes:
    """What a fork says of itself: its parent, its session, and where it may run."""
    def says(link: int) -> int:
        os.write(link, repr((os.getppid(), os.getsid(0) == os.getpid(), sorted(os.sched_getaffinity(0)))).encode())
        return 7

    pid, link = fork(says)
    try:
        return os.read(link, 4096)
    finally:
        os.close(link)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_it_may_run_wherever_its_parent_may(cpus: set[int]) -> None:
    for _ in range(7):
        assert _told() == repr((os.getpid(), True, sorted(cpus))).encode()


def test_it_stays_where_there_is_one_cpu(cpus: set[int]) -> None:
    for cpu in cpus:
        os.sched_setaffinity(0, {cpu})
        assert processor() == cpu
        assert _told() == repr((os.getpid(), True, [cpu])).encode()


def test_it_ends_with_the_status_of_an_error() -> None:
    def fails(link: int) -> int:
        raise LookupError(link)

    pid, link = fork(fails)
    assert os.read(link, 1) == b""
    os.close(link)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_a_thread_that_leaves_a_cpu_stays_away_and_takes_nobody_along(cpus: set[int]) -> None:
    here = processor()
    found: list[set[int]] = []

    def away() -> None:
        leave(here)
        found.append(os.sched_getaffinity(0))

    thread = Thread(away)
    thread.join()
    assert found == [cpus - {here} or cpus]
    assert os.sched_getaffinity(0) == cpus
