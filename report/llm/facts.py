"""The calls of a session in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ("LlmFacts", "facts_of")


@dataclass(frozen=True)
class LlmFacts:
    """All calls together. Tokens are those that are known."""

    calls: int
    failed: int
    retries: int
    waiting_ns: int  # time in which at least one call was under way
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    tool_calls: int
    models: tuple[str, ...]  # those that were called most come first


def facts_of(rows: Iterable[Mapping[str, Any]]) -> LlmFacts:
    """Sum up rows as `ebtrace stats --json` has them under "llm"."""
    rows = list(rows)
    sums = {name: sum(row[name] or 0 for row in rows) for name in ("input_tokens", "output_tokens", "cached_tokens")}
    models = Counter(row["model"] or row["response_model"] or "?" for row in rows)
    return LlmFacts(
        calls=len(rows), failed=sum(row["error"] is not None for row in rows), retries=sum(row["retry_of"] is not None for row in rows),
        waiting_ns=_covered((row["started_ns"], row["ended_ns"]) for row in rows if row["ended_ns"] is not None), **sums,
        tool_calls=sum(len(row["tool_calls"]) for row in rows), models=tuple(name for name, _ in models.most_common()),
    )


def _covered(spans: Iterable[tuple[int, int]]) -> int:
    """The time that spans cover; where they overlap it counts once."""
    covered, reached = 0, None
    for start, end in sorted(spans):
        start = start if reached is None else max(start, reached)
        if end > start:
            covered += end - start
            reached = end
    return covered
