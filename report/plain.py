"""Values out of a session's maps, whose form nobody guarantees: what is not what it should be counts as not told."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("entries", "integer", "last_map", "number", "text", "words")


def integer(value: Any) -> int | None:
    """A whole number, or None."""
    return value if type(value) is int else None


def number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if type(value) in (int, float) and isfinite(value) else None


def text(value: Any) -> str:
    """A text; empty if it is none."""
    return value if isinstance(value, str) else ""


def words(value: Any) -> tuple[str, ...]:
    """A list of texts; empty if it is none."""
    return tuple(value) if isinstance(value, list) and all(isinstance(word, str) for word in value) else ()


def entries(session: Session, kind: BlockKind, field: str) -> Iterator[dict[str, Any]]:
    """The maps in the list that this field of all maps of a kind holds."""
    for value in session.maps(kind):
        found = value.get(field)
        yield from (entry for entry in (found if isinstance(found, list) else ()) if isinstance(entry, dict))


def last_map(session: Session, kind: BlockKind) -> dict[str, Any]:
    """The last map of a kind whose maps supersede each other; empty if there is none."""
    last: dict[str, Any] = {}
    for value in session.maps(kind):
        last = value
    return last
