"""Secrets in texts of any kind: in URLs, in lines of headers, in assignments to environment variables, after "Bearer"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.secrets.fields import unquoted
from tracer.secrets.names import Level, argument_level, is_secret, looks_random, parameter_level
from tracer.secrets.spans import Span, is_tag

__all__ = ("assignment_spans", "line_spans", "url_spans", "userinfo_spans")

_USERINFO = re.compile(rb"://([^\s/\"'@:?#<>\\]{0,512})(?::([^\s/\"'@<>\\]{0,2048}))?@")
_PARAMETER = re.compile(rb"(?:[?&;#]|%3[fF]|%26|\\u0026)([\w.~\[\]-]{1,64})(=|%3[dD])([^&\s\"'<>\\#]+)")
_ENCODED_END = re.compile(rb"%26|%23")
_LINE = re.compile(rb"(authorization|x-api-key|api-key|x-goog-api-key|x-auth-token|x-amz-security-token|private-token)[ \t]{0,4}:[ \t]{0,4}"
                   rb"(bearer |basic |token |apikey |api-key )?[ ]{0,4}([^\s\"'\\,;<>\0]{4,})")
_BEARER = re.compile(rb"bearer[ \t]{1,4}([\w.~+/=-]{8,})")
_COOKIES = re.compile(rb"cookie:[ \t]{0,4}((?:[^\s=;\"'\\\0]{1,128}=[^\s;\"'\\\0]{0,4096}(?:;[ ]?|(?=[\s\"'\\\0])|\Z)){1,64})")
_COOKIE = re.compile(rb"[^\s=;]+=([^\s;]+)")
_ASSIGNED = re.compile(rb"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|PAT|AUTH)=\\{0,15}[\"']?([^\s\"'\\;&|<>(){}$`\0]{4,})")
_NAME = re.compile(rb"[A-Za-z0-9_]+")


def userinfo_spans(data: bytes, kind: str) -> Iterator[Span]:
    """Of user:password@host the password, and the user if it is a token."""
    if b"://" not in data:
        return
    for match in _USERINFO.finditer(data):
        if match[1] and not is_tag(match[1]) and looks_random(match[1]):
            yield Span(match.start(1), match.end(1), unquoted(match[1]), kind)
        if match[2] and not is_tag(match[2]):
            yield Span(match.start(2), match.end(2), unquoted(match[2]), kind)


def url_spans(data: bytes, kind: str) -> Iterator[Span]:
    """Userinfo, and the secret parameters of queries, also of URLs that are parameters of others."""
    yield from userinfo_spans(data, kind)
    if b"=" not in data and b"%3" not in data:
        return
    for match in _PARAMETER.finditer(data):
        level = parameter_level(match[1].decode("latin-1"))
        end = match.end(3)
        if match[2] != b"=" and (stop := _ENCODED_END.search(data, match.start(3), end)):
            end = stop.start()
        value = data[match.start(3):end]
        if value and not is_tag(value) and is_secret(level, value, 8):
            yield Span(match.start(3), end, unquoted(value), kind)


def line_spans(data: bytes, kind: str) -> Iterator[Span]:
    """Headers written out as lines, as in logs and in the arguments of curl."""
    lower = data.lower()
    if b"authorization" in lower or b"-key" in lower or b"-token" in lower:
        for match in _LINE.finditer(lower):
            value = data[match.start(3):match.end(3)]
            if not is_tag(value) and is_secret(Level.YES if match[2] or not match[1].startswith(b"auth") else Level.LOOK, value, 8):
                yield Span(match.start(3), match.end(3), value, kind)
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


def assignment_spans(data: bytes, kind: str) -> Iterator[Span]:
    """OPENAI_API_KEY=..., as in shells, .env files and containers' descriptions."""
    for match in _ASSIGNED.finditer(data):
        name = _NAME.findall(data, max(0, match.start() - 64), data.index(b"=", match.start()))[-1]
        level = argument_level(name.decode("latin-1"))
        if not is_tag(match[1]) and is_secret(level, match[1], 8):
            yield Span(match.start(1), match.end(1), match[1], kind)
