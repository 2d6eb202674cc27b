"""Secrets that are known by their value: found wherever they stand, as they are, escaped in a URL or in JSON, or within base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from tracer.secrets.spans import TAG, Span

__all__ = ("SHORTEST", "Known")

SHORTEST = 6           # bytes; anything shorter is found in innocent places
_LONGEST = 16384
_VARIABLES_LIMIT = 256  # values from the environment
_SEEN_LIMIT = 64       # values from headers and URLs; the oldest make room, since a server sees any number of them
_BASE64_LEAST = 9
_PLAIN = re.compile(rb"[A-Za-z0-9._~-]+")
_NAMED = {0x08: b"b", 0x09: b"t", 0x0A: b"n", 0x0C: b"f", 0x0D: b"r", 0x22: b'"', 0x2F: b"/", 0x5C: b"\\"}


class _Form(NamedTuple):
    anchor: bytes  # is in every text that the pattern matches; a search for it costs a tenth of one for the pattern
    pattern: re.Pattern[bytes]


def _any_case(digits: str) -> bytes:
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits).encode()


def _character(character: str) -> bytes:
    """A pattern for all ways in which one character is written."""
    encoded = character.encode("utf-8", "surrogateescape")
    if _PLAIN.fullmatch(encoded):
        return re.escape(encoded)
    ways = [re.escape(encoded), b"".join(b"%" + _any_case(f"{byte:02x}") for byte in encoded)]
    code = ord(character)
    units = (code,) if code < 0x10000 else (0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF))
    ways.append(b"".join(rb"\\{1,16}u" + _any_case(f"{unit:04x}") for unit in units))
    if code in _NAMED:
        ways.insert(0, rb"\\{1,16}" + re.escape(_NAMED[code]))
    if character == " ":
        ways.append(rb"\+")
    return b"(?:" + b"|".join(ways) + b")"


def _written(value: bytes) -> _Form:
    text = value.decode("utf-8", "surrogateescape")
    anchor = max(_PLAIN.findall(value), key=len, default=b"")
    return _Form(anchor if len(anchor) > 2 else b"", re.compile(b"(?:" + TAG + b")|(" + b"".join(map(_character, text)) + b")"))


def _base64(value: bytes) -> Iterator[_Form]:
    """The value inside a longer text in base64, at each of the three places where it may begin."""
    for before in range(3):
        digits = base64.b64encode(bytes(before) + value)
        inner = digits[(0, 2, 3)[before]:(before + len(value)) * 8 // 6]
        pattern = inner.replace(b"+", b"[+-]").replace(b"/", b"[/_]")
        anchor = max(re.split(rb"[+/]", inner), key=len)
        yield _Form(anchor, re.compile(b"(?:" + TAG + b")|(" + pattern + b"(?:[A-Za-z0-9+/_-]={1,2})?)"))


class Known:
    """The values, and how to find them."""

    def __init__(self) -> None:
        self._forms: dict[bytes, tuple[str, list[_Form]]] = {}  # the longest first: one may hold another
        self._seen: dict[bytes, None] = {}
        self._variables = 0

    def add(self, value: bytes, kind: str) -> bool:
        """Whether it is new, and fit to be looked for."""
        if not SHORTEST <= len(value) <= _LONGEST or value in b"[redacted:" or b"[redacted:" in value or b"\0" in value:
            return False
        if kind != "environment" and value in self._seen:
            self._seen[value] = self._seen.pop(value)
        if value in self._forms:
            return False
        forms = [_written(value)]
        if kind == "environment":
            if self._variables >= _VARIABLES_LIMIT:
                return False
            self._variables += 1
            forms += _base64(value) if len(value) >= _BASE64_LEAST else ()
        else:
            self._seen[value] = None
            if len(self._seen) > _SEEN_LIMIT:
                oldest = next(iter(self._seen))
                del self._seen[oldest], self._forms[oldest]
        self._forms[value] = kind, forms
        self._forms = dict(sorted(self._forms.items(), key=lambda item: -len(item[0])))
        return True

    def __iter__(self) -> Iterator[bytes]:
        """The longest first."""
        return iter(list(self._forms))

    def of(self, value: bytes, data: bytes, *, hidden: bool = True) -> list[Span]:
        """All places of one value; ``hidden``: in base64, too."""
        kind, forms = self._forms[value]
        return [Span(match.start(), match.end(), value, kind)
                for anchor, pattern in (forms if hidden else forms[:1]) if anchor in data
                for match in pattern.finditer(data) if match[1] is not None]
