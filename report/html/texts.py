"""Texts that a traced program chose, made safe to embed and to show: nothing invisible, nothing endless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from report.text import command_line, visible

__all__ = ("LONGEST", "shown", "shown_all", "typed")

LONGEST = 16_384  # signs of one text; the tracer keeps no longer ones, a forged session may


def shown(text: str) -> str:
    """The text with whatever cannot be seen spelled out, and its length in the place of an end that is too far away."""
    if len(text) <= LONGEST:
        return visible(text)
    return f"{visible(text[:LONGEST])}… ({len(text):,} characters)"


def typed(words: Sequence[str], longest: int = LONGEST) -> str:
    """The words as one would type them in a shell, with a mark where the line is cut off."""
    line = command_line([word[: longest + 1] for word in words[: longest + 1]])
    return line if len(line) <= longest else f"{line[:longest]}…"


def shown_all(value: Any) -> Any:
    """Plain data with all its texts as they are shown; what stands under a name keeps the name."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {name: shown_all(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown_all(part) for part in value] if value else []
    return value
