"""Who is looked at when, and what the looks cost; and one real look."""

import os
import time
from pathlib import Path

import pytest

from tracer.session.format import BlockKind, table_fault
from tracer.stream.sampler import Look, Sampler, look_at


class World:
    """Processes that are looked at, and clocks that stand still until they are told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost_s: float = 0.0) -> None:
        self.now, self.worked, self.cost_s, self.looks = 1000.0, 0.0, cost_s, 0
        self.seen: list[int] = []
        self.found: dict[int, Look | None] = {}
        self.sampler = Sampler(self.look)
        monkeypatch.setattr("tracer.stream.sampler.time.monotonic", lambda: self.now)
        monkeypatch.setattr("tracer.stream.sampler.time.thread_time", lambda: self.worked)

    def look(self, tgid: int) -> Look | None:
        self.seen.append(tgid)
        self.worked += self.cost_s
        self.looks += 1
        return self.found.get(tgid, Look(self.looks, 2 << 20, 3 << 20, 1))

    def born(self, *tgids: int, ago: float = 0.0) -> None:
        for tgid in tgids:
            self.sampler.born(tgid + 1000, tgid, int((self.now - ago) * 1e9))

    def go(self, until: float, alive: set[int] | None = None) -> list[tuple[float, int]]:
        """Rounds as they become due; when each process was looked at."""
        looks = []
        while self.sampler.due <= until:
            self.now = max(self.now, self.sampler.due)
            self.seen.clear()
            self.sampler.round({tgid + 1000 for tgid in alive} if alive is not None else range(10**6))
            looks += [(round(self.now, 2), tgid) for tgid in self.seen]
        return looks


def test_the_first_look_is_early_and_then_there_is_one_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    assert world.sampler.due == float("inf")
    world.born(7)
    world.born(8, ago=3600)
    assert world.go(1003.0) == [(1000, 8), (1000.25, 7), (1001, 8), (1001.25, 7), (1002, 8), (1002.25, 7), (1003, 8)]


def test_what_does_nothing_is_looked_at_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.found[7] = Look(5, 1, 1, 1)
    world.born(7, ago=1)
    assert [at - 1000 for at, _ in world.go(1040)] == [0, 1, 3, 7, 15, 25, 35]
    world.found[7] = Look(6, 1, 1, 1)
    assert [at - 1000 for at, _ in world.go(1049)] == [45, 46, 48]


def test_rounds_are_small_and_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, cost_s=30e-6)
    world.born(*range(1000), ago=1)
    looks = world.go(1060)
    assert world.worked / 60 < 0.0016
    assert max(sum(at == when for when, _ in looks) for at, _ in looks) == 64
    counts = [sum(tgid == who for _, who in looks) for tgid in range(1000)]
    assert min(counts) >= 2  # of 3 at the average: everybody has a turn


def test_those_that_have_ended_cost_nothing_and_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.born(*range(10_000))
    world.found[3] = None
    assert world.go(1001, alive={3, 4, 5}) == [(1000.25, 3), (1000.25, 4), (1000.25, 5)]
    assert world.go(1002, alive={4, 5}) == [(1001.25, 4), (1001.25, 5)]
    world.go(2000, alive=set())
    assert world.sampler.due == float("inf")


def test_a_pid_that_is_anothers_by_now_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.born(7, ago=1)
    world.found[7] = Look(500, 1, 1, 1)
    assert world.sampler.round([1007]) is not None
    world.found[7] = Look(20, 1, 1, 1)  # CPU time does not go back
    world.now += 1
    assert world.sampler.round([1007]) is None
    assert world.sampler.due == float("inf")


def test_the_last_round_is_of_all_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.born(*range(5000))
    columns = world.sampler.last_round(range(10**6))
    assert columns is not None
    assert len(columns["proc"]) == 1024
    assert table_fault(BlockKind.SAMPLES, columns) is None
    assert world.sampler.last_round(()) is None


def test_a_real_look() -> None:
    before = time.process_time_ns()
    found = look_at(os.getpid())
    assert found is not None
    assert before <= found.cpu_ns <= time.process_time_ns()
    assert found.rss_bytes <= found.peak_rss_bytes
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    assert found.peak_rss_bytes == pytest.approx(peak << 10, rel=0.05)
    assert found.threads == len(os.listdir("/proc/self/task"))


def test_no_look_at_what_is_not_there() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    zombie = look_at(child)
    assert zombie is not None
    assert (zombie.rss_bytes, zombie.peak_rss_bytes) == (0, 0)
    os.waitpid(child, 0)
    assert look_at(child) is None
    assert look_at(1 << 31) is None
