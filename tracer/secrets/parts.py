"""Secrets in the parts of multipart bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.secrets.names import Level, field_level, is_secret
from tracer.secrets.spans import Span, is_tag

__all__ = ("part_spans",)

_PART = re.compile(rb'[ ;]name="?([\w.\[\]-]{1,64})"?[^\r\n]{0,256}\r\n(?:[^\r\n]{1,256}\r\n){0,4}\r\n')


def part_spans(data: bytes, kind: str) -> Iterator[Span]:
    """The secret parts of a multipart body."""
    at = 0
    while match := _PART.search(data, at):
        at = match.end()
        level = max(field_level(match[1]), Level.YES if match[1] == b"token" else Level.NO)
        if level is Level.NO:
            continue
        end = data.find(b"\r\n--", at)
        start, at = at, end if end >= 0 else len(data)
        if start < at and not is_tag(data[start:at]) and is_secret(level, data[start:at]):
            yield Span(start, at, data[start:at], kind)
