"""Secrets in headers, by their names."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from tracer.secrets.names import Level, field_level, header_level, is_secret
from tracer.secrets.spans import Span, is_tag

__all__ = ("header_spans", "worth_learning")

_CREDENTIALS = frozenset(("authorization", "proxy-authorization"))
_SCHEME = re.compile(rb"\s*(?:([A-Za-z][\w-]{0,31})[ \t]+)?(\S.*?)\s*\Z", re.DOTALL)
_COOKIE = re.compile(rb"(?:\A|;)[ \t]*(?:[^=;]{0,4096}=)?([^;]*)")
_OFFERED = re.compile(rb"([A-Za-z][A-Za-z-]{2,64})[.|]([^,\s]{4,})")


def header_spans(name: str, value: bytes, kind: str) -> Iterator[Span]:
    """What is secret in the value of a header of this name."""
    lower = name.lower()
    if lower in _CREDENTIALS:
        if (match := _SCHEME.match(value)) and not is_tag(match[2]):
            yield Span(match.start(2), match.end(2), match[2], kind)
    elif lower == "cookie":
        for match in _COOKIE.finditer(value):
            yield from _trimmed(match, kind)
    elif lower in ("set-cookie", "set-cookie2"):
        if match := _COOKIE.match(value):
            yield from _trimmed(match, kind)
    elif lower == "sec-websocket-protocol":  # browsers can send no other header with a WebSocket
        for match in _OFFERED.finditer(value):
            if not is_tag(match[2]) and field_level(match[1]):
                yield Span(match.start(2), match.end(2), match[2], kind)
    else:
        level = header_level(name.encode("utf-8", "replace"))
        if level is not Level.NO and (match := _SCHEME.match(value)):
            start = match.start(1) if match[1] and match[1].lower() not in (b"bearer", b"basic", b"token") else match.start(2)
            secret = value[start:match.end(2)]
            if not is_tag(secret) and is_secret(level, secret):
                yield Span(start, match.end(2), secret, kind)


def _trimmed(match: re.Match[bytes], kind: str) -> Iterator[Span]:
    """The value of a cookie without the blanks and quotes around it."""
    secret = match[1].strip(b" \t\"")
    if secret and not is_tag(secret):
        start = match.start(1) + match[1].index(secret)
        yield Span(start, start + len(secret), secret, kind)


def worth_learning(name: str, secret: bytes) -> Iterator[bytes]:
    """What of a header's secret is a secret by itself, wherever it stands: not what is new in every request, as signatures are."""
    lower = name.lower()
    if b" " in secret or b"," in secret:
        return
    if lower not in _CREDENTIALS:
        if len(secret) >= 12 or header_level(name.encode("utf-8", "replace")) is Level.YES:
            yield secret
        return
    yield secret
    try:
        pair = base64.b64decode(secret, validate=True)
    except ValueError:
        return
    _, colon, password = pair.partition(b":")
    if colon and pair.isascii() and pair.decode("ascii").isprintable():
        yield pair
        yield password
