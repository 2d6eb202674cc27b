"""Texts that a traced program chose, made safe to embed and to show: nothing invisible, nothing endless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from report.text import command_line, visible

__all__ = ("LONGEST", "shown", "shown_all", "shown_each", "typed")

_AT_ONCE = 64
LONGEST = 16_384  # signs of one text; the tracer keeps no longer ones, a forged session may


def shown(text: str) -> str:
    """The text with whatever cannot be seen spelled out, and its length in the place of an end that is too far away."""
    if len(text) <= LONGEST:
        return visible(text)
    return f"{visible(text[:LONGEST])}… ({len(text):,} characters)"


def shown_each(texts: list[str]) -> list[str]:
    """Each of them as `shown`. Most texts are shown as they are, which is told of many at once."""
    if max(map(len, texts), default=0) > LONGEST:
        return list(map(shown, texts))
    found: list[str] = []
    for first in range(0, len(texts), _AT_ONCE):
        some = texts[first:first + _AT_ONCE]
        together = "".join(some)
        found += some if visible(together) is together else map(shown, some)
    return found


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
