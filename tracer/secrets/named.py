"""Secrets that follow their names: "api_key": "...", ?token=..., OPENAI_API_KEY=...

Nothing is parsed as a whole: bodies are cut off, come as events, hold JSON in strings of JSON, and must stay as they are around the
secrets. The words that secret names end in are searched for as plain bytes, which is ten times as fast as looking at every field, and
all searches are linear in the length of the text, whatever stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tracer.secrets.names import Level, argument_level, field_level, is_secret, parameter_level
from tracer.secrets.shapes import private_key
from tracer.secrets.spans import Span, is_tag

__all__ = ("named_spans", "names_in", "unquoted")

_WORDS = (b"key", b"token", b"secret", b"pass", b"pwd", b"credential", b"auth", b"bearer", b"cookie", b"jwt", b"sess", b"signature")
_WHOLE_WORDS = (b"sig", b"code", b"ticket", b"assertion", b"pat")  # before a "=" only: too frequent in other names
_REST = re.compile(rb"[\w.$~\[\]-]*")
_NAME_BYTES = bytes(byte for byte in range(256) if re.match(rb"[\w.$~\[\]-]", bytes((byte,))))
_LONGEST_NAME = 64
_LONGEST_LOOK = 256
_JSON = re.compile(rb'\\{0,31}"[ \t\r\n]{0,32}:[ \t\r\n]{0,32}(?:(\\{0,31})"|(-?[0-9][0-9.eE+-]{3,64}))')
_SCHEME = re.compile(rb"(?:[Bb]earer|[Bb]asic|[Tt]oken|[Aa]pi-?[Kk]ey|Digest|AWS4-HMAC-SHA256) +")
_PARAMETER = re.compile(rb"[^&\s\"'<>\\#]+")
_ENCODED_END = re.compile(rb"%26|%23")
_ASSIGNED = re.compile(rb"\\{0,15}[\"']?([^\s\"'\\;&|<>(){}$`\0]{4,})")
_ENCODED_START = re.compile(rb"3[fF]|26")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def unquoted(value: bytes) -> bytes:
    """Without percent-encoding."""
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), value) if b"%" in value else value


def names_in(data: bytes) -> list[int]:
    """Where names end that may be those of secrets, in order."""
    lower = data.lower()
    ends = set()
    for word in _WORDS:
        at = lower.find(word)  # many times as fast as a pattern that begins with the word
        while at >= 0:
            end = _REST.match(lower, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            ends.add(end)
            at = lower.find(word, end)
    for sign in (b"=", b"%3d"):
        for word in _WHOLE_WORDS if sign in lower else ():
            at = lower.find(word + sign)
            while at >= 0:
                ends.add(at + len(word))
                at = lower.find(word + sign, at + 1)
    return sorted(ends)


def named_spans(data: bytes, kind: str, *, form: bool = False) -> Iterator[Span]:
    """All secrets that names tell of; ``form``: the text is name=value&name=value, and begins with a name."""
    done = 0
    for end in names_in(data):
        follows = data[end:end + 1]
        if end < done or follows not in (b'"', b"\\", b"=", b"%"):
            continue
        before = data[max(done, end - _LONGEST_NAME):end]
        start = end - len(before) + len(before.rstrip(_NAME_BYTES))
        if follows in (b'"', b"\\"):
            span = _string(data, start, end, kind)
        elif follows == b"=":
            span = _value(data, start, end, kind, form)
        else:
            span = _parameter(data, data[start:end], end + 3, kind) if data[end:end + 3].lower() == b"%3d" else None
        if span:
            done = span.end
            if span.value:
                yield span


def _string(data: bytes, start: int, end: int, kind: str) -> Span | None:
    """The value of a field in JSON."""
    level = field_level(data[start:end])
    if level is Level.NO or data[start - 1:start] != b'"' or not (match := _JSON.match(data, end)):
        return None
    if match[2] is not None:
        # Numbers are counts and ids, but for those that are passwords by name.
        if level is Level.YES and not data[start:end].lower().endswith((b"token", b"key", b"auth")):
            return Span(match.start(2), match.end(2), match[2], kind, bare=True)
        return None
    start, depth = match.end(), len(match[1])
    if level is Level.LOOK and data.find(b'"', start, start + 16) >= 0:
        return None  # too short, as the pieces of text are that come with log probabilities
    end = _string_end(data, start, depth)
    if scheme := _SCHEME.match(data, start, end):
        start = scheme.end()
    raw = data[start:end]
    if raw and not is_tag(raw) and is_secret(level, raw):
        return Span(start, end, private_key(raw) or _unescaped(raw, depth), kind)
    return None


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
        except ValueError:
            break
        depth = (depth - 1) // 2 if depth else -1
    return value


def _value(data: bytes, start: int, end: int, kind: str, form: bool) -> Span | None:
    """What stands behind name=."""
    name, before = data[start:end], data[start - 1:start]
    if before == b"%" and (encoded := _ENCODED_START.match(name)):
        return _parameter(data, name[encoded.end():], end + 1, kind)
    if before == b"\\" and name.startswith(b"u0026"):
        return _parameter(data, name[5:], end + 1, kind)
    if before in (b"?", b"&", b";", b"#") or (form and not start):
        return _parameter(data, name, end + 1, kind)
    # In programs, any variable is set so: only the names of environment variables are trusted.
    level = argument_level(name) if name[-1:].isupper() else Level.NO
    match = _ASSIGNED.match(data, end + 1) if level is not Level.NO else None
    return _judged(level, match.start(1), match.end(1), match[1], kind) if match else None


def _parameter(data: bytes, name: bytes, start: int, kind: str) -> Span | None:
    """The value of a parameter, perhaps in a URL that is itself a parameter."""
    level = parameter_level(_ENCODED_START.sub(b"", name, count=1) if data[start - 3:start - 2] == b"%" else name)
    if level is Level.NO or not (match := _PARAMETER.match(data, start)):
        return None
    stop = _ENCODED_END.search(data, start, match.end()) if data[start - 3:start - 2] == b"%" else None
    end = stop.start() if stop else match.end()
    value = data[start:end]
    return _judged(level, start, end, value, kind)


def _judged(level: Level, start: int, end: int, value: bytes, kind: str) -> Span | None:
    """The value if it is a secret. One without a secret's value is no secret, but so long that no second look at it is to be taken."""
    if value and not is_tag(value) and is_secret(level, value, 8):
        return Span(start, end, unquoted(value), kind)
    return Span(start, end, b"", kind) if len(value) > _LONGEST_LOOK else None
