"""`ebtrace bench`: what tracing costs on this machine, against the budgets; or what it costs a program of the user's."""

from __future__ import annotations

import shlex
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from tracer.errors import EbtraceError, PermissionMissing
from tracer.target.rights import can_trace

if TYPE_CHECKING:
    from rich.text import Text

    from tracer.bench.rows import Row

__all__ = ("command", "lines")

_BUSY = 0.5  # load for each CPU above which times mean little
_COLOURS = {"goal met": "green", "target met": "green", "FAILED": "bold red"}


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--json", "as_document", is_flag=True, help="One JSON document, with every sample.")
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds: half a minute instead of three.")
@click.argument("words", metavar="[CMD...]", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...], as_document: bool, quick: bool) -> int:
    """Measure here what tracing costs: with and without in turn, medians of the pairs, against target and critical threshold.

    With CMD: how much longer that takes, run several times with and without. The exit status is 1 when a critical threshold is passed.
    Keep the machine quiet meanwhile.
    """
    if not can_trace():
        again = f"run it as root: sudo {shlex.quote(sys.argv[0])} bench"
        raise PermissionMissing("the benchmark loads probes of its own, which needs root rights", again)
    from tracer.bench.rows import as_map, broken
    from tracer.bench.suite import FULL, QUICK, host, measure, measure_one
    from tracer.target.terminal import ProgressLine

    where = host()
    progress = ProgressLine(True)
    try:
        effort = QUICK if quick else FULL

        def told(what: str) -> None:
            progress.show(f"measuring: {what}")

        rows = measure_one(words, effort, told) if words else measure(effort, told)
    finally:
        progress.clear()
    if as_document:
        from report.text import as_json

        sys.stdout.write(as_json(as_map(rows, where), indent=2) + "\n")
    else:
        from rich.console import Console

        console = Console()
        for line in lines(rows, where, console.width if console.is_terminal else None):
            console.print(line, soft_wrap=True, highlight=False)
    return EbtraceError.status if broken(rows) else 0


def lines(rows: list[Row], where: dict[str, Any], width: int | None) -> list[Text]:
    """The table and its notes, for ``width`` cells; None: nothing is cut."""
    from rich.text import Text

    from report.layout import Column, table
    from tracer.bench.rows import figure

    columns = (
        Column("", left=True, flexible=True), Column("measured"), Column("spread", 2), Column("goal", 1), Column("target", 5), Column("critical", 4),
        Column("verdict", left=True),
    )
    cells: list[list[str | Text]] = []
    for row in rows:
        budget = row.budget
        sign = "> " if budget.more_is_better else "< "
        limits = ["-" if limit is None else sign + figure(limit, budget.unit) for limit in (budget.goal, budget.target, budget.critical)]
        spread = f"{figure(min(row.samples), '').strip()} - {figure(max(row.samples), '').strip()}" if row.samples else "-"
        measured = "-" if row.value is None else figure(row.value, budget.unit)
        cells.append([budget.what, Text(measured, "bold"), spread, *limits, Text(row.verdict, _COLOURS.get(row.verdict, "yellow"))])
    notes = ["; ".join(filter(None, (f"{row.budget.what}: {row.budget.meaning}", row.note))) for row in rows]
    notes.append(f"Linux {where['kernel']} {where['machine']}, {where['cpus']} CPUs, load {where['load']} when it began")
    busy = where["load"] > _BUSY * where["cpus"]
    warning = _wrapped("The machine was busy: take times with a grain of salt, or measure again when it rests.", width) if busy else []
    return [
        *table(columns, cells, width), Text(), *(Text(part, "dim") for note in notes for part in _wrapped(note, width)),
        *(Text(part, "yellow") for part in warning),
    ]


def _wrapped(sentence: str, width: int | None) -> list[str]:
    """On as many lines as it needs; what one may want to type stays whole."""
    return [sentence] if width is None else textwrap.wrap(sentence, width, break_on_hyphens=False)
