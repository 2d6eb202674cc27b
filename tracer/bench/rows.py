"""One line of the benchmark: what was measured, and how that compares with what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ("Budget", "Row", "as_map", "broken", "figure")


@dataclass(frozen=True)
class Budget:
    """A promise. ``goal`` is what this project wants to reach, ``target`` what was asked for, ``critical`` what must never be passed.

    Without limits a row is for information: the price of the worst case, say.
    """

    what: str  # a few words
    meaning: str  # what exactly was measured
    unit: str
    goal: float | None = None
    target: float | None = None
    critical: float | None = None
    more_is_better: bool = False

    def within(self, value: float, limit: float | None) -> bool:
        """Whether ``value`` is on the right side of ``limit``."""
        return limit is None or (value >= limit if self.more_is_better else value <= limit)

    def measured(self, samples: Sequence[float], note: str = "", broken: bool = False) -> Row:
        """A row of one sample or more; ``broken``: whatever the figure, something happened that must not."""
        return Row(self, tuple(samples), note, broken)

    def failed(self, why: str) -> Row:
        """A row whose measurement failed, which it must not."""
        return Row(self, (), why, broken=True)

    def skipped(self, why: str) -> Row:
        """A row that could not be measured here."""
        return Row(self, (), why)


@dataclass(frozen=True)
class Row:
    """The outcome for one budget. The figure that counts is the median of the samples."""

    budget: Budget
    samples: tuple[float, ...]
    note: str = ""
    broken: bool = False

    @property
    def value(self) -> float | None:
        """The median; None when nothing could be measured."""
        return median(self.samples) if self.samples else None

    @property
    def verdict(self) -> str:
        """The strictest promise that is kept."""
        value, budget = self.value, self.budget
        if self.broken:
            return "FAILED"
        if value is None:
            return "not measured"
        if not budget.within(value, budget.critical):
            return "FAILED"
        if budget.critical is None:
            return "no limit"
        if budget.within(value, budget.goal):
            return "goal met"
        if budget.within(value, budget.target):
            return "target met"
        return "below target" if budget.more_is_better else "above target"


def broken(rows: Sequence[Row]) -> list[Row]:
    """Rows beyond what must never be passed."""
    return [row for row in rows if row.verdict == "FAILED"]


def figure(value: float, unit: str) -> str:
    """A number with its unit in as many digits as mean something: 2.31 x, 84 ms, 1,613,000 /s."""
    size = abs(value)
    if size >= 100_000:
        text = f"{round(value, -3):,.0f}"
    elif size >= 100 or value == int(value):
        text = f"{value:,.0f}"
    else:
        text = f"{value:.1f}" if size >= 10 else f"{value:.2f}"
    return f"{text} {unit}"


def as_map(rows: Sequence[Row], host: dict[str, Any]) -> dict[str, Any]:
    """The document that `ebtrace bench --json` prints."""
    return {
        "ok": not broken(rows),
        "host": host,
        "rows": [
            {"what": row.budget.what, "meaning": row.budget.meaning, "unit": row.budget.unit, "median": row.value,
             "spread": [min(row.samples), max(row.samples)] if row.samples else None, "samples": list(row.samples),
             "goal": row.budget.goal, "target": row.budget.target, "critical": row.budget.critical, "verdict": row.verdict, "note": row.note}
            for row in rows
        ],
    }
