"""What the tracer says of its own cost."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from tracer.stream.meter import sum_of, usage, usage_beside

MB = 1 << 20


def in_a_fork(work: Callable[[], object]) -> dict[str, float]:
    """`usage_beside` of a forked process after its work."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            kept = work()
            os.write(write, json.dumps(usage_beside()).encode())
            del kept
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as answer:
        found: dict[str, float] = json.loads(answer.read())
    os.waitpid(pid, 0)
    return found


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_fork_counts_the_memory_that_it_does_not_share() -> None:
    shared = bytearray(os.urandom(64 * MB))
    idle = in_a_fork(lambda: None)["peak_rss_mb"]
    busy = in_a_fork(lambda: bytearray(os.urandom(23 * MB)))["peak_rss_mb"]
    assert 23 <= busy - idle < 23 + 32  # os.urandom and bytearray may hold it twice for a moment
    assert idle < len(shared) / MB / 2


def test_a_peak_that_is_over_is_still_counted() -> None:
    assert in_a_fork(lambda: len(bytearray(os.urandom(23 * MB))))["peak_rss_mb"] >= 23


def test_a_fork_counts_its_own_time_and_that_of_its_ended_children() -> None:
    def work() -> None:
        burn(0.11)
        if not (pid := os.fork()):
            burn(0.13)
            os._exit(0)
        os.waitpid(pid, 0)

    assert 0.24 <= in_a_fork(work)["cpu_s"] < 1


def test_the_figures_of_helpers_are_added() -> None:
    helpers = sum_of({"cpu_s": 1.5, "peak_rss_mb": 30.0}, {}, {"cpu_s": 0.25, "peak_rss_mb": 7.0})
    assert helpers == {"cpu_s": 1.75, "peak_rss_mb": 37.0}
    alone, together = usage(None, {}), usage(None, helpers)
    assert 1.75 <= together["cpu_s"] - alone["cpu_s"] < 2.75
    assert 36.9 < together["peak_rss_mb"] - alone["peak_rss_mb"] < 40
