"""Where secrets stand in a text, and how tags take their places; everything else stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ("TAG", "Edit", "Span", "is_tag", "merged", "shifted")

TAG = rb"\[redacted:[0-9a-f]{8}\]"
_TAG = re.compile(TAG)


class Span(NamedTuple):
    """One secret in a text."""

    start: int
    end: int
    value: bytes        # what its tag is made of: the secret without the escapes of the place where it stands
    kind: str           # what it counts as (Redactor.counts)
    bare: bool = False  # the tag needs quotes: a number in JSON


class Edit(NamedTuple):
    """A replacement that was made: offsets before it, and the length of what stands there now."""

    start: int
    end: int
    length: int


def is_tag(value: bytes) -> bool:
    """Whether there is nothing left to take out."""
    return len(value) == 19 and _TAG.fullmatch(value) is not None


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order and without overlaps: what begins first wins, and takes in whatever overlaps it."""
    found: list[Span] = []
    end = 0
    for span in sorted(spans):
        if span.start >= end:
            found.append(span)
            end = span.end
        elif span.end > end:
            end = span.end
            found[-1] = span if span.start == found[-1].start else found[-1]._replace(end=end)
    return found


def shifted(marks: Sequence[tuple[int, int]], edits: Sequence[Edit]) -> list[tuple[int, int]]:
    """Marks (offset, time) after the edits; one within a secret moves to where its tag begins. Both are in order."""
    moved, place, delta = [], 0, 0
    for offset, at_ns in marks:
        while place < len(edits) and edits[place].end <= offset:
            delta += edits[place].length - (edits[place].end - edits[place].start)
            place += 1
        inside = place < len(edits) and edits[place].start < offset
        moved.append(((edits[place].start if inside else offset) + delta, at_ns))
    return moved
