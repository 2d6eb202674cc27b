"""What the page is told besides the calls: the document of `ebtrace stats --json`, with its tables as columns and its texts as they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from report.html.conversation import LLM_COLUMNS
from report.html.coverage import coverage
from report.html.phases import phases_of
from report.html.texts import shown_all, shown_each
from tracer.session.exchanges import Exchange

__all__ = ("LONG_TABLES", "as_columns", "compact", "head_of", "tables_of")

LONG_TABLES = ("syscalls", "processes", "files", "searches", "connections", "dns", "http", "llm")
_LONGEST = 8  # syscalls that the first view shows
_PLAIN = {int, float, bool, type(None)}


def head_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the first view needs: all but the tables, and how many rows these have."""
    parts = {name: part for name, part in document.items() if name not in LONG_TABLES and name != "tls"}
    told: dict[str, Any] = shown_all(parts)
    syscalls = document["syscalls"]
    longest = [{field: row[field] for field in ("name", "calls", "total_ns")} for row in syscalls[:_LONGEST]]
    sums = {f"all_{field}": sum(row[field] for row in syscalls) for field in ("calls", "errors", "total_ns")}
    told["coverage"] = shown_all(coverage(document))
    return {**told, "rows": {name: len(document[name]) for name in LONG_TABLES}, "longest": shown_all(longest), **sums}


def tables_of(document: Mapping[str, Any], exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """The tables, each as {field: [value of each row]}. ``exchanges``: those of the document's rows, in the same order."""
    short = [{field: row[field] for field in LLM_COLUMNS} for row in document["llm"]]
    http = [{**row, "proc": exchange.proc, "phases": phases}
            for row, exchange, phases in zip(document["http"], exchanges, phases_of(document), strict=True)]
    return {name: as_columns({"llm": short, "http": http}.get(name, document[name])) for name in LONG_TABLES}


def as_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows with the same fields in the same order as one list for each field."""
    if not rows:
        return {}
    columns = zip(*(row.values() for row in rows), strict=True)  # row by row: a hundred thousand lie far apart in memory
    return {field: _shown_column(list(column)) for field, column in zip(rows[0], columns, strict=True)}


def _shown_column(values: list[Any]) -> list[Any]:
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return values
    if kinds == {str}:
        return shown_each(values)
    if kinds == {tuple}:  # in long tables they are few: most files have the same pids, and no earlier name
        known: dict[tuple[Any, ...], Any] = {}
        with suppress(TypeError):  # something in it cannot be a key
            return [known[value] if value in known else known.setdefault(value, shown_all(value)) for value in values]
    return list(map(shown_all, values))


def compact(value: Any) -> bytes:
    """Plain data as JSON for a machine."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
