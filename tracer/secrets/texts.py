"""Secrets in texts of any kind that no name with quotes or "=" tells of: before an "@", in lines of headers, after "Bearer"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.secrets.named import unquoted
from tracer.secrets.names import Level, is_secret, looks_random
from tracer.secrets.spans import TAG, Span, is_tag

__all__ = ("line_spans", "userinfo_spans")

_USERINFO = re.compile(rb"://(" + TAG + rb"|[^\s/\"'@:?#<>\\]{0,512})(?::([^\s/\"'@<>\\]{0,2048}))?@")
_LINES = tuple((word, re.compile(word + rb"[ \t]{0,4}:[ \t]{0,4}(bearer |basic |token |apikey |api-key )?[ ]{0,4}([^\s\"'\\,;<>\0]{4,})"))
               for word in (b"authorization", b"api-key", b"auth-token", b"security-token", b"private-token"))
_BEARER = re.compile(rb"bearer[ \t]{1,4}([\w.~+/=-]{8,})")
_COOKIES = re.compile(rb"cookie:[ \t]{0,4}((?:[^\s=;\"'\\\0]{1,128}=[^\s;\"'\\\0]{0,4096}(?:;[ ]?|(?=[\s\"'\\\0])|\Z)){1,64})")
_COOKIE = re.compile(rb"[^\s=;]+=([^\s;]+)")


def userinfo_spans(data: bytes, kind: str) -> Iterator[Span]:
    """Of user:password@host the password, and the user if it is a token."""
    if b"://" not in data or b"@" not in data:
        return
    for match in _USERINFO.finditer(data):
        if match[1] and not is_tag(match[1]) and looks_random(match[1]):
            yield Span(match.start(1), match.end(1), unquoted(match[1]), kind)
        if match[2] and not is_tag(match[2]):
            yield Span(match.start(2), match.end(2), unquoted(match[2]), kind)


def line_spans(data: bytes, kind: str) -> Iterator[Span]:
    """Headers written out as lines, as in logs and in the arguments of curl."""
    lower = data.lower()
    for word, pattern in _LINES:
        if word not in lower:
            continue
        for match in pattern.finditer(lower):
            value = data[match.start(2):match.end(2)]
            if not is_tag(value) and is_secret(Level.YES if match[1] or word != b"authorization" else Level.LOOK, value, 8):
                yield Span(match.start(2), match.end(2), value, kind)
    if b"bearer" in lower:
        for match in _BEARER.finditer(lower):
            value = data[match.start(1):match.end(1)]
            if looks_random(value, 8):
                yield Span(match.start(1), match.end(1), value, kind)
    if b"cookie:" in lower:
        for match in _COOKIES.finditer(lower):
            for pair in _COOKIE.finditer(data, match.start(1), match.end(1)):
                if not is_tag(pair[1]):
                    yield Span(pair.start(1), pair.end(1), pair[1], kind)
