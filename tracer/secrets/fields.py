"""Secrets in the fields of bodies: JSON in any depth of escapes, forms, and the parts of multipart bodies.

Nothing is parsed as a whole: bodies are cut off, come as events, hold JSON in strings of JSON, and must stay as they are around the
secrets. All searches are linear in the length of the body, whatever stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tracer.secrets.names import Level, argument_level, field_level, is_secret, parameter_level
from tracer.secrets.spans import Span, is_tag

__all__ = ("form_spans", "json_spans", "part_spans", "unquoted")

_FIELD = re.compile(rb'"([\w.$ -]{1,64})(\\{0,31})"[ \t\r\n]{0,32}:[ \t\r\n]{0,32}(?:(\\{0,31})"|(-?[0-9][0-9.eE+-]{3,64}))')
_SCHEME = re.compile(rb"(?:[Bb]earer|[Bb]asic|[Tt]oken|[Aa]pi-?[Kk]ey|Digest|AWS4-HMAC-SHA256) +")
_FORM = re.compile(rb"(?:\A|&)([^=&\s]{1,64})=([^&\s\"'<>]+)")
_PART = re.compile(rb'[ ;]name="?([\w.\[\]-]{1,64})"?[^\r\n]{0,256}\r\n(?:[^\r\n]{1,256}\r\n){0,4}\r\n')
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def unquoted(value: bytes) -> bytes:
    """Without percent-encoding."""
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), value) if b"%" in value else value


def json_spans(data: bytes, kind: str) -> Iterator[Span]:
    """The secret strings of JSON, by the names of their fields."""
    at = 0
    while match := _FIELD.search(data, at):
        at = match.end()
        level = field_level(match[1].decode("latin-1"))
        if match[4] is not None:
            # Numbers are counts and ids, but for those that are passwords by name.
            if level is Level.YES and not match[1].lower().endswith((b"token", b"key")):
                yield Span(match.start(4), match.end(4), match[4], kind, bare=True)
            continue
        if level is Level.NO:
            at -= 1  # what looked like a value's quote may open the next name
            continue
        depth = len(match[3])
        start, end = match.end(), _string_end(data, match.end(), depth)
        at = end
        if scheme := _SCHEME.match(data, start, end):
            start = scheme.end()
        raw = data[start:end]
        if raw and not is_tag(raw) and is_secret(level, raw) and b"PRIVATE KEY-----" not in raw:
            yield Span(start, end, _unescaped(raw, depth), kind)


def _string_end(data: bytes, start: int, depth: int) -> int:
    """Where the string that begins here ends, in JSON whose quotes have ``depth`` backslashes before them: 0, 1, 3, 7, ...

    An escaped quote within it has twice as many and one; each backslash within it is twice as many and two.
    """
    at = start
    while (quote := data.find(b'"', at)) >= 0:
        slashes = quote - at - len(data[at:quote].rstrip(b"\\"))
        if slashes % (2 * depth + 2) != 2 * depth + 1:
            return max(start, quote - min(slashes, depth))
        at = quote + 1
    return len(data)


def _unescaped(raw: bytes, depth: int) -> bytes:
    value = raw
    while b"\\" in value and depth >= 0:
        try:
            value = json.loads(b'"' + value + b'"').encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            break
        depth = (depth - 1) // 2 if depth else -1
    return value


def form_spans(data: bytes, kind: str) -> Iterator[Span]:
    """The secret fields of name=value&name=value."""
    for match in _FORM.finditer(data):
        name = unquoted(match[1]).decode("latin-1")
        # "key" alone is the name of a file as often as a secret.
        level = min(parameter_level(name), Level.LOOK) if name.lower() == "key" else max(parameter_level(name), argument_level(name))
        if not is_tag(match[2]) and is_secret(level, match[2], 8):
            yield Span(match.start(2), match.end(2), unquoted(match[2]), kind)


def part_spans(data: bytes, kind: str) -> Iterator[Span]:
    """The secret parts of a multipart body."""
    at = 0
    while match := _PART.search(data, at):
        at = match.end()
        level = max(field_level(match[1].decode("latin-1")), Level.YES if match[1] == b"token" else Level.NO)
        if level is Level.NO:
            continue
        end = data.find(b"\r\n--", at)
        start, at = at, end if end >= 0 else len(data)
        if start < at and not is_tag(data[start:at]) and is_secret(level, data[start:at]):
            yield Span(start, at, data[start:at], kind)
