"""Secrets in the parts of multipart bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.secrets.names import Level, field_level, is_secret
from tracer.secrets.spans import Span, is_tag

__all__ = ("part_spans",)

_NAME = re.compile(rb'[ ;]name="?([\w.\[\]-]{1,64})')
_HEADERS_LIMIT = 1024  # bytes


def part_spans(data: bytes, kind: str) -> Iterator[Span]:
    """The secret parts of a multipart body."""
    end = data.find(b"\r\n\r\n") if b"form-data" in data else -1
    while end >= 0:
        start = end + 4
        headers = data.rfind(b"form-data", max(0, end - _HEADERS_LIMIT), end)
        name = _NAME.search(data, headers, end) if headers >= 0 else None
        level = max(field_level(name[1]), Level.YES if name[1] == b"token" else Level.NO) if name else Level.NO
        if level is not Level.NO:
            end = data.find(b"\r\n--", start)
            secret = data[start:end if end >= 0 else len(data)]
            if secret and not is_tag(secret) and is_secret(level, secret):
                yield Span(start, start + len(secret), secret, kind)
            start = start + len(secret)
        end = data.find(b"\r\n\r\n", start)
