"""Tables and lines of text that fit a width: columns give way in the order of their worth, and every cut is marked.

Rich measures (wide and combining characters) and colours; what goes where is decided here, so that it can be relied upon
at 40 columns as at 200, and so that without a terminal nothing is cut at all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.cells import cell_len
from rich.text import Span, Text

from report.text import count

__all__ = ("Column", "first", "fit", "flow", "more", "table", "title", "wrapped")

Row = TypeVar("Row")

_GAP = 2
_STAYS = 9  # the worth of a column that never goes
_ELLIPSIS = "…"


@dataclass(frozen=True)
class Column:
    """One column. The one flexible column of a table takes what room the others leave."""

    title: str
    worth: int = _STAYS  # the least worth goes first
    left: bool = False
    flexible: bool = False
    cut_start: bool = False  # of paths the end tells most
    narrowest: int = 16  # what the flexible column is left with before other columns have to go


def fit(text: str, width: int | None, cut_start: bool = False) -> str:
    """The text in this many cells, with an ellipsis where something was cut off; no width, no cut."""
    if width is None or cell_len(text) <= width:
        return text
    kept = max(width - 1, 0)
    while cell_len(part := text[len(text) - kept :] if cut_start else text[:kept]) > width - 1 and kept:
        kept -= 1
    return _ELLIPSIS + part if cut_start else part + _ELLIPSIS


def flow(parts: Iterable[str | Text], width: int | None, between: str = " · ") -> list[Text]:
    """The parts one after the other, on as many lines as they need."""
    lines: list[Text] = []
    for part in parts:
        text = part if isinstance(part, Text) else Text(part)
        if text.cell_len > (width or text.cell_len):
            text = Text(fit(text.plain, width), text.style)
        if lines and (width is None or lines[-1].cell_len + cell_len(between) + text.cell_len <= width):
            lines[-1] = Text.assemble(lines[-1], (between, "dim"), text)
        else:
            lines.append(text)
    return lines


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], width: int | None) -> list[Text]:
    """Title line, rows, and a last line that names the columns for which there was no room."""
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = [max([cell_len(column.title), *(row[index].cell_len for row in cells)]) for index, column in enumerate(columns)]
    shown = list(range(len(columns)))
    dropped: list[int] = []
    while width is not None and _least(columns, widths, shown) > width:
        weakest = min(shown, key=lambda index: (columns[index].worth, -index))
        if columns[weakest].worth >= _STAYS:
            break
        shown.remove(weakest)
        dropped.append(weakest)
    if width is not None:
        for index in shown:
            if columns[index].flexible:
                others = sum(widths[other] for other in shown if other != index) + _GAP * (len(shown) - 1)
                widths[index] = max(min(widths[index], width - others), 2)
    titles = [Text(column.title, "bold") for column in columns]
    lines = [_line([(columns[index], row[index], widths[index]) for index in shown]) for row in (titles, *cells)]
    if dropped:
        names = ", ".join(columns[index].title for index in sorted(dropped))
        lines += [Text(part, "dim") for part in wrapped(f"(no room for: {names})", width)]
    return lines


def wrapped(sentence: str, width: int | None) -> list[str]:
    """A sentence on as many lines as it needs."""
    return [sentence] if width is None else textwrap.wrap(sentence, width) or [""]


def first(rows: Sequence[Row], top: int) -> tuple[Sequence[Row], int]:
    """The rows to show, 0 for all; and how many are not among them."""
    return (rows[:top], max(len(rows) - top, 0)) if top else (rows, 0)


def more(hidden: int, width: int | None) -> list[Text]:
    """What to say of rows that are not shown."""
    return [Text(line, "dim") for line in wrapped(f"… {count(hidden)} more (-n 0 shows all)", width)] if hidden else []


def title(text: str) -> Text:
    """The first line of a section."""
    return Text(text, "bold cyan")


def _least(columns: Sequence[Column], widths: Sequence[int], shown: Sequence[int]) -> int:
    """The cells that the shown columns need at the least."""
    least = (min(widths[index], columns[index].narrowest) if columns[index].flexible else widths[index] for index in shown)
    return sum(least) + _GAP * (len(shown) - 1)


def _fitted(cell: Text, width: int, cut_start: bool) -> Text:
    """The cell in this many cells of the terminal; where its end is cut, with the colours of what is left."""
    plain = fit(cell.plain, width, cut_start)
    spans = [] if cut_start else [Span(span.start, min(span.end, len(plain)), span.style) for span in cell.spans if span.start < len(plain)]
    return Text(plain, cell.style, spans=spans)


def _line(cells: Iterable[tuple[Column, Text, int]]) -> Text:
    line = Text()
    for number, (column, cell, width) in enumerate(cells):
        text = _fitted(cell, width, column.cut_start)
        gap = " " * (width - text.cell_len)
        line.append(" " * _GAP if number else "")
        line.append_text(text if column.left else Text(gap))
        line.append_text(Text(gap) if column.left else text)
    line.rstrip()
    return line
