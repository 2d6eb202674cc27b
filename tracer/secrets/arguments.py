"""Secrets on command lines: a block of words, each ended by NUL but perhaps the last, which may be cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.secrets.headers import header_spans
from tracer.secrets.named import named_spans, names_in
from tracer.secrets.names import argument_level, is_secret, parameter_level
from tracer.secrets.spans import Span, is_tag
from tracer.secrets.texts import line_spans, userinfo_spans

__all__ = ("argument_spans", "suspicious", "suspicious_paths")

_OPTION = re.compile(rb"-{0,2}([A-Za-z][\w.-]{0,63})=(.+)", re.DOTALL)
_NAMED = re.compile(rb"--?([A-Za-z][\w.-]{1,63})\Z")
_HEADER = re.compile(rb"(?:-H)?([A-Za-z][A-Za-z0-9-]{1,63}):[ \t]*(.+)", re.DOTALL)
_AFTER_NAMES = frozenset((b'"', b"'", b"\\", b"=", b"%", b":", b"\0", b" "))
_USER_OPTIONS = (b"-u", b"--user", b"-U", b"--proxy-user")
_SHELL_USER = re.compile(rb"(?:-u|-U|--user|--proxy-user)[ =]{0,4}[\"']?[^\s:\"'=]{1,64}:([^\s\"']{1,256})")
_USER_OPTION = re.compile(rb"[\0 ](?:-u|-U|--user|--proxy-user)[\0 =]")
_LAST_NAME = re.compile(rb"[^\w.$~\[\]-]+")
_USER = re.compile(rb"://[^/\s\0]{1,512}@")


def suspicious(data: bytes) -> Iterator[int]:
    """Places in the words that `argument_spans` should look at; where there is none, it finds nothing."""
    yield from (end - 1 for end in names_in(data) if data[end:end + 1] in _AFTER_NAMES)
    if b"://" in data:
        yield from (match.start() for match in _USER.finditer(data))
    if b"-u" in data or b"-U" in data or b"--proxy-user" in data:
        yield from (match.start() for match in _USER_OPTION.finditer(data))


def suspicious_paths(data: bytes) -> Iterator[int]:
    """The same for strings of one word each, which have few "=" and no options with a word of their own."""
    at = data.find(b"=")
    while at >= 0:
        name = _LAST_NAME.split(data[max(0, at - 64):at])[-1]
        if argument_level(name) or parameter_level(name):
            yield at
        at = data.find(b"=", at + 1)
    for sign in (b"://", b"%3d", b"%3D", b'":', b": "):
        at = data.find(sign)
        while at >= 0:
            yield at
            at = data.find(sign, at + 1)


def argument_spans(data: bytes, kind: str) -> Iterator[Span]:
    """The secrets that names, URLs and headers in the words tell of."""
    at, before = 0, b""
    curl = data.split(b"\0", 1)[0].rsplit(b"/", 1)[-1] in (b"curl", b"http", b"https")
    for word in data.split(b"\0"):
        for span in _word(word, before, kind, curl):
            yield span._replace(start=span.start + at, end=span.end + at)
        at += len(word) + 1
        before = word


def _word(word: bytes, before: bytes, kind: str, curl: bool) -> Iterator[Span]:
    if not word or is_tag(word):
        return
    if before != b"-c" and (match := _OPTION.match(word)):  # else it is a program
        level = argument_level(match[1])
        if not is_tag(match[2]) and is_secret(level, match[2]):
            yield Span(match.start(2), match.end(2), match[2], kind)
    if (named := _NAMED.match(before)) and not word.startswith(b"-"):
        level = argument_level(named[1])
        if is_secret(level, word):
            yield Span(0, len(word), word, kind)
    if curl and before in _USER_OPTIONS and b":" in word:
        start = word.index(b":") + 1
        if start < len(word) and not is_tag(word[start:]):
            yield Span(start, len(word), word[start:], kind)
    elif b"curl " in word:
        for match in _SHELL_USER.finditer(word):
            if not is_tag(match[1]):
                yield Span(match.start(1), match.end(1), match[1], kind)
    if match := _HEADER.match(word):
        for span in header_spans(match[1].decode("latin-1"), match[2], kind):
            yield span._replace(start=span.start + match.start(2), end=span.end + match.start(2))
    yield from named_spans(word, kind, form=b"&" in word)
    yield from userinfo_spans(word, kind)
    yield from line_spans(word, kind)
