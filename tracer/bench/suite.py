"""All rows of the benchmark, in the order in which they are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tracer.bench.calls import BUDGETS, SYSCOUNT, added_time
from tracer.bench.lab import Lab, lab
from tracer.bench.rows import Budget, Row
from tracer.bench.streams import DISK, EVENTS, MEMORY, NETWORK, SIZE, disk, flood, network
from tracer.bench.tls import CALLS, DOWNLOAD, GIGABIT, download, tls_calls
from tracer.bench.whole import COMPILE, FIND, FIRST, PYTHON, REPORT, WARM, first_start, overhead, report, warm_start
from tracer.errors import EbtraceError, HostError
from tracer.kernel.image import image

__all__ = ("FULL", "QUICK", "Effort", "host", "measure", "measure_one")

_Part = tuple[tuple[Budget, ...], Callable[[], list[Row]]]


@dataclass(frozen=True)
class Effort:
    """How often and how long."""

    call_rounds: int
    calls: int
    starts: int
    first_starts: int
    pairs: int  # of whole programs, network and disk
    floods: int
    flood_s: float


FULL = Effort(call_rounds=7, calls=1_000_000, starts=25, first_starts=3, pairs=7, floods=3, flood_s=10)
QUICK = Effort(call_rounds=3, calls=200_000, starts=5, first_starts=1, pairs=3, floods=1, flood_s=2)


def host() -> dict[str, Any]:
    """Where the figures come from. What else runs takes its share of them: the load says how much."""
    system = os.uname()
    return {"kernel": system.release, "machine": system.machine, "cpus": len(os.sched_getaffinity(0)), "load": round(os.getloadavg()[0], 2)}


def measure(effort: Effort, told: Callable[[str], None]) -> list[Row]:
    """Runs everything; ``told`` hears what is being measured. Raises HostError where the host lacks something that all rows need.

    Whatever else fails costs its own rows, and they say why.
    """
    told("compiling")
    with lab() as here:
        for mode in ("full", "summary", "counts"):
            image(mode, "ring")  # no round is to wait for a compiler
        rows: list[Row] = []
        for budgets, run in _parts(here, effort, told):
            try:
                rows += run()
            except HostError:
                raise
            except EbtraceError as error:
                rows += [budget.failed(error.message) for budget in budgets]
    return rows


def measure_one(words: Sequence[str], effort: Effort, told: Callable[[str], None]) -> list[Row]:
    """What tracing costs a program of the user's. Raises EbtraceError if it fails, HostError as `measure`."""
    told("compiling")
    image("full", "ring")  # no round is to wait for a compiler
    with lab(patience_s=None) as here:
        added = overhead(here, Budget(f"overhead: {os.path.basename(words[0])}", "added from fork to end", "%"), effort.pairs, told, words)
        told("start-up")
        return [added, warm_start(here, effort.starts)]


def _parts(here: Lab, effort: Effort, told: Callable[[str], None]) -> Iterator[_Part]:
    """What is measured together, and the rows that are lost when it fails."""
    for budget in (COMPILE, PYTHON, FIND):
        yield (budget,), partial(_one, overhead, here, budget, effort.pairs, told)
    yield (*BUDGETS.values(), SYSCOUNT), partial(added_time, here, effort.call_rounds, effort.calls, told)
    for kind, both in CALLS.items():
        yield both, partial(tls_calls, here, kind, effort.call_rounds, effort.calls // 20, told)
    for budget in (GIGABIT, DOWNLOAD):
        yield (budget,), partial(_one, download, here, budget, effort.pairs, told)
    told("start-up")
    yield (WARM,), partial(_one, warm_start, here, effort.starts)
    yield (FIRST,), partial(_one, first_start, here, effort.first_starts)
    yield (EVENTS, MEMORY, SIZE), partial(flood, here, effort.floods, effort.flood_s, told)
    yield (NETWORK,), partial(_one, network, here, effort.pairs, told)
    yield (DISK,), partial(_one, disk, here, effort.pairs, told)
    told("a report")
    yield (REPORT,), partial(_one, report, here, effort.pairs)


def _one(run: Callable[..., Row], *arguments: Any) -> list[Row]:
    return [run(*arguments)]
