"""Under load: events a second, the tracer's memory, bytes on disk, and what network and disk of the target feel of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from statistics import median

from tracer.bench.lab import Lab, Session
from tracer.bench.rows import Budget, Row
from tracer.kernel.sys import arch
from tracer.syscalls.names import number as number_of

__all__ = ("DISK", "EVENTS", "MEMORY", "NETWORK", "SIZE", "disk", "flood", "network")

EVENTS = Budget(
    "events, none lost", "from one program that only makes calls, and from the trace's first moment on", "/s", 1_500_000, 1_500_000, 10_000,
    more_is_better=True)
MEMORY = Budget("tracer memory", "peak, all its processes, in that storm", "MB", 40, 50, 100)
SIZE = Budget("disk per event", "in the session file of that storm, whose records are much alike", "bytes", 4, 5, 5)
NETWORK = Budget("network round trip", "added over loopback, with both ends traced", "us", 10, 10_000, 25_000)
DISK = Budget("disk writes", "added until a file is on the same disk", "%", 2, 2, 5)

_ROUND_TRIPS = 10_000
_MEGABYTES = 64


def flood(lab: Lab, rounds: int, seconds: float, told: Callable[[str], None]) -> list[Row]:
    """A program that makes the cheapest call as fast as it can, all of them recorded; what was lost is in the ledger, and in the totals."""
    sysno = number_of(arch(), "getppid")
    assert sysno is not None
    sessions: list[Session] = []
    rates: list[float] = []
    wrong: list[str] = []
    for number in range(rounds):
        told(f"{seconds:.0f} s of system calls at full speed, round {number + 1} of {rounds}")
        with lab.start("flood", str(int(seconds * 1000))) as storm:
            with lab.attached(storm.pid, settled=False) as session:
                made, ns = map(int, storm.round().split())
            sessions.append(session)
            rates.append(made / (ns / 1e9))
            wrong += _wrong(session, made, session.calls.get(sysno, 0))
    kernel_mb = sessions[-1].tracer.get("kernel_map_mb", 0)
    alone = median(session.tracer.get("peak_rss_mb", 0) for session in sessions)
    events = [sum(lane["delivered"] for lane in session.ledger.values()) for session in sessions]
    return [
        EVENTS.measured(rates, "; ".join(wrong) or f"{sum(events):,} events: ledger closed, nothing lost", broken=bool(wrong)),
        MEMORY.measured(
            [session.peak_mb for session in sessions],
            f"{alone:.1f} MB without the front; {kernel_mb:.0f} MB more are the kernel's maps and rings"),
        SIZE.measured([session.size / max(n, 1) for session, n in zip(sessions, events)]),
    ]


def _wrong(session: Session, made: int, counted: int) -> list[str]:
    """What does not add up."""
    found = [f"{lane['lost']:,} lost of {name}" for name, lane in session.ledger.items() if lane["lost"]]
    found += [
        f"the ledger of {name} does not close" for name, lane in session.ledger.items()
        if lane["delivered"] + lane["sampled_out"] + lane["lost"] != lane["counted"]
    ]
    return found if counted == made else [*found, f"{made:,} calls made, {counted:,} counted"]


def network(lab: Lab, rounds: int, told: Callable[[str], None]) -> Row:
    """Microseconds added to a round trip over loopback, with both ends traced."""
    pairs = _pairs(lab, ("echo", str(_ROUND_TRIPS)), rounds, lambda number: told(f"network round trips, round {number + 1} of {rounds}"))
    usual = sorted(plain for plain, _ in pairs)[rounds // 2] / 1e3
    return NETWORK.measured([(traced - plain) / 1e3 for plain, traced in pairs], f"{usual:.1f} us without ebtrace")


def disk(lab: Lab, rounds: int, told: Callable[[str], None]) -> Row:
    """Percent that writing a file takes longer, up to the disk, while the session is written to the same one."""
    words = ("disk", os.path.join(lab.folder, "written"), str(_MEGABYTES))
    pairs = _pairs(lab, words, rounds, lambda number: told(f"writing to disk, round {number + 1} of {rounds}"))
    usual = sorted(plain for plain, _ in pairs)[rounds // 2] / 1e6
    return DISK.measured([100 * (traced - plain) / plain for plain, traced in pairs], f"{_MEGABYTES} MB in {usual:.0f} ms without ebtrace")


def _pairs(lab: Lab, words: tuple[str, ...], rounds: int, told: Callable[[int], None]) -> list[tuple[float, float]]:
    """Without and with, on one storm for each pair; the first of the two in turn."""
    pairs = []
    for number in range(rounds):
        told(number)
        with lab.start(*words) as storm:
            storm.round()
            early = None if number % 2 else float(storm.round())
            with lab.attached(storm.pid):
                traced = float(storm.round())
            pairs.append((float(storm.round()) if early is None else early, traced))
    return pairs
