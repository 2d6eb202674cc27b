"""The benchmark end to end, with the least effort: figures are not judged here, whether they are true counts is."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest

from tests.kernel.support import need
from tracer.bench import calls, streams, tls, whole
from tracer.bench.empty import empty_probes
from tracer.bench.lab import Lab, lab
from tracer.bench.rows import Row
from tracer.bench.suite import Effort, host, measure, measure_one
from tracer.errors import EbtraceError
from tracer.kernel.image import image
from tracer.kernel.sys import arch
from tracer.syscalls.names import number

LEAST = Effort(call_rounds=1, calls=1000, starts=1, first_starts=1, pairs=1, floods=1, flood_s=0.1)


@pytest.fixture
def here() -> Iterator[Lab]:
    with lab() as made:
        yield made


def test_everything_is_measured() -> None:
    told: list[str] = []
    rows = {row.budget.what: row for row in measure(LEAST, told.append)}
    optional = {calls.SYSCOUNT.what}
    assert len(rows) == 21
    for what, row in rows.items():
        assert row.value is not None or what in optional, row.note
    for budget in (streams.EVENTS, tls.WRITE, tls.READ, *tls.CALLS["calls"], tls.GIGABIT, tls.DOWNLOAD):
        assert rows[budget.what].broken is False, rows[budget.what].note
    assert any("time per call" in line for line in told)
    assert set(host()) == {"kernel", "machine", "cpus", "load"}


def test_a_command_of_the_users() -> None:
    added, start = measure_one(["sh", "-c", "echo to nobody; sleep 0.1"], LEAST, lambda what: None)
    assert added.budget.what == "overhead: sh"
    assert added.value is not None
    assert re.search(r"0\.[1-9]\d s without ebtrace; the tracer took \d", added.note), added.note
    assert start.value is not None
    with pytest.raises(EbtraceError, match=r"^sh -c failed with status 3"):
        measure_one(["sh", "-c", "exit 3"], LEAST, lambda what: None)


def test_an_attached_round_is_counted_exactly(here: Lab) -> None:
    sysno = number(arch(), "getppid")
    assert sysno is not None
    with here.start("calls", "getppid", "1400") as storm:
        storm.round()
        with here.attached(storm.pid) as session:
            storm.round()
            storm.round()
    assert session.calls[sysno] == 2 * 1400
    assert session.ledger["syscalls"]["delivered"] == session.ledger["syscalls"]["counted"] >= 2 * 1400
    assert session.peak_mb > 0
    assert session.size == os.path.getsize(os.path.join(here.folder, "attached.ebt"))


def test_empty_probes_are_gone_afterwards(here: Lab) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with empty_probes():
        assert len(set(os.listdir("/proc/self/fd")) - before) >= 4  # two programs, two links
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_first_start_leaves_the_real_cache_alone(here: Lab) -> None:
    need(os.geteuid() == 0, "needs root")
    image("full", "ring")
    before = _cache_at_rest()
    row: Row = whole.first_start(here, 1)
    assert row.value is not None, row.note
    assert _cache() == before


def _cache() -> dict[str, int]:
    return {entry.name: entry.stat().st_mtime_ns for entry in os.scandir("/var/cache/ebtrace")}


def _cache_at_rest() -> dict[str, int]:
    """Once nothing changes any more: the last tracer of the test before may still be writing down what it has found."""
    seen, now = {}, _cache()
    while now != seen:
        time.sleep(0.3)
        seen, now = now, _cache()
    return now
