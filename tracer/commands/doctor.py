"""`ebtrace doctor`: what this host can do, each capability tried, and what to do about what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tracer.errors import HostError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tracer.doctor.checks import Check

__all__ = ("command", "lines")

_COLOURS = {"ok": "green", "missing": "bold red", "optional": "yellow", "untested": "yellow"}
_WIDE, _NARROW = 100, 60  # cells: from the first on each row has a column for what it is for, below the second each cell has a line
_NAMED = 3  # so many capabilities are listed by name


@click.command
@click.option("--json", "as_document", is_flag=True, help="One JSON document.")
def command(as_document: bool) -> int:
    """What this host can do, each capability tried: what is there, what is missing, and what to do about it.

    The exit status is 0 when everything that tracing needs works, else 3. As an ordinary user some things remain untested: sudo ebtrace doctor.
    """
    from tracer.doctor.checks import as_map, lacking
    from tracer.doctor.examine import examine

    checks = examine()
    status = HostError.status if lacking(checks) else 0
    if as_document:
        from report.text import as_json

        sys.stdout.write(as_json(as_map(checks), indent=2) + "\n")
        return status
    from rich.console import Console

    console = Console()
    for line in lines(checks, console.width if console.is_terminal else None):
        console.print(line, soft_wrap=not console.is_terminal, highlight=False)
    return status


def lines(checks: list[Check], width: int | None) -> Iterator[RenderableType]:
    """What to print, in order, for a terminal of ``width`` cells; None: not a terminal, nothing is cut or wrapped."""
    from rich.text import Text

    if width is None:
        yield from _plain(checks)
    elif width >= _NARROW:
        yield _table(checks, width >= _WIDE)
    else:
        yield from _stacked(checks)
    for remedy, names in _remedies(checks).items():
        some = ", ".join(names) if len(names) <= _NAMED else f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
        yield Text.assemble("\n" if width else "", (some, "bold"), f": {remedy}")
    yield Text("")
    yield _verdict(checks)


def _plain(checks: list[Check]) -> Iterator[RenderableType]:
    from rich.text import Text

    widest = [max(len(check.name) for check in checks), max(len(check.purpose) for check in checks)]
    for check in checks:
        yield Text(f"{check.status:<8}  {check.name:<{widest[0]}}  {check.purpose:<{widest[1]}}  {check.detail}")


def _table(checks: list[Check], wide: bool) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("", "capability"):
        table.add_column(title, no_wrap=True)
    for title, ratio in (("what for", 2), ("here", 3)) if wide else (("here, and what for", 1),):
        table.add_column(title, ratio=ratio)
    for check in checks:
        purpose, detail = Text(check.purpose, "dim"), Text(check.detail)
        cells = (purpose, detail) if wide else (Text.assemble(detail, "\n", purpose),)
        table.add_row(Text(check.status, _COLOURS[check.status]), check.name, *cells)
    return table


def _stacked(checks: list[Check]) -> Iterator[RenderableType]:
    """Narrow terminals: each capability on lines of its own."""
    from rich.padding import Padding
    from rich.text import Text

    for check in checks:
        yield Text.assemble((f"{check.status:<8}", _COLOURS[check.status]), " ", (check.name, "bold"))
        yield Padding(Text.assemble((check.purpose, "dim"), f"\n{check.detail}"), (0, 0, 0, 9), expand=False)


def _remedies(checks: list[Check]) -> dict[str, list[str]]:
    """What to do, and for which capabilities; one remedy may help several."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if not check.ok and check.remedy:
            found.setdefault(check.remedy, []).append(check.name)
    return found


def _verdict(checks: list[Check]) -> RenderableType:
    from rich.text import Text

    needed = [check for check in checks if check.required and not check.ok]
    missing = [check.name for check in needed if check.tested]
    if not needed:
        return Text("Everything that tracing needs works here.", "bold green")
    if missing:
        return Text(f"Tracing does not work here. Missing: {', '.join(missing)}.", "bold red")
    return Text("Not everything could be tested without root rights.", "bold yellow")
