"""Secrets that are known by their shape, wherever they stand.

Chosen for having next to no false alarms: a prefix that an issuer has given its tokens, then a length or a content that words, paths
and hashes do not have. A JWT's first part must be the base64 of a JSON object with an "alg".
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tracer.secrets.spans import Span

__all__ = ("private_key", "shape_places", "shape_spans")


def _digit(value: bytes) -> bool:
    return re.search(rb"[0-9]", value) is not None


def _aws(value: bytes) -> bool:
    return len(value) == 20 and _digit(value)


def _dense(value: bytes) -> bool:
    return _digit(value) and re.search(rb"[A-Za-z0-9_]{10}", value) is not None  # else a class of CSS


def _jwt(value: bytes) -> bool:
    head, _, rest = value.partition(b".")
    if b"." not in rest or len(head) > 4096:
        return False
    try:
        return b'"alg"' in binascii.a2b_base64(head.translate(bytes.maketrans(b"-_", b"+/")) + b"==="[:(-len(head)) % 4])
    except ValueError:
        return False


class _Shape(NamedTuple):
    prefix: bytes
    pattern: re.Pattern[bytes]  # begins with the prefix
    check: Callable[[bytes], bool] | None


def _shape(prefix: str, rest: str, check: Callable[[bytes], bool] | None = None) -> _Shape:
    return _Shape(prefix.encode(), re.compile((re.escape(prefix) + rest).encode()), check)


_SHAPES = (
    _shape("sk-", r"[A-Za-z0-9_-]{16,}", _dense),  # OpenAI, Anthropic, OpenRouter, DeepSeek, LiteLLM, ...
    _shape("AIza", r"[A-Za-z0-9_-]{35,}"),                                    # Google
    _shape("ya29.", r"[A-Za-z0-9_-]{20,}"),
    _shape("GOCSPX-", r"[A-Za-z0-9_-]{20,}"),
    *(_shape(f"gh{kind}_", r"[A-Za-z0-9]{30,}") for kind in "pousr"),          # GitHub
    _shape("github_pat_", r"[A-Za-z0-9_]{22,}"),
    _shape("glpat-", r"[A-Za-z0-9_-]{20,}"),                                  # GitLab
    _shape("xox", r"[abeoprs]-[A-Za-z0-9-]{10,}", _digit),                    # Slack
    _shape("xapp-", r"[A-Za-z0-9-]{20,}", _digit),
    *(_shape(kind, r"[A-Z0-9]{16,}", _aws) for kind in ("AKIA", "ASIA")),  # AWS
    _shape("eyJ", r"[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,4}", _jwt),  # always matches, so that no part is searched twice
    _shape("npm_", r"[A-Za-z0-9]{36,}"),
    _shape("pypi-AgE", r"[A-Za-z0-9_-]{40,}"),
    _shape("hf_", r"[A-Za-z0-9]{30,}"),
    _shape("gsk_", r"[A-Za-z0-9]{20,}", _digit),                              # Groq
    _shape("xai-", r"[A-Za-z0-9]{20,}", _digit),
    _shape("r8_", r"[A-Za-z0-9]{37,}"),
    _shape("pplx-", r"[A-Za-z0-9]{32,}", _digit),
    *(_shape(f"{kind}_", r"(?:live|test)_[A-Za-z0-9]{16,}") for kind in ("sk", "rk")),  # Stripe
    _shape("SG.", r"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}"),
)
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(rb"-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----(?:\\{1,16}[nr]|[\r\n]){0,4}")
_PEM = re.compile(rb"[A-Za-z0-9+/=\s\\:,-]{0,65536}")  # a key that is cut off ends where this does
# A letter before the prefix belongs to another word, unless it is the end of an escape: \n, \u0026, %3D.
_ESCAPE = re.compile(rb"(?:\\[nrtbf]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})\Z")


def shape_places(data: bytes) -> list[tuple[int, int]]:
    """Where one of them may be, whatever stands before it: the text may be many texts without anything between them."""
    places = [match.span() for prefix, pattern, _ in _SHAPES for match in _matches(prefix, pattern, data)]
    return places + [match.span() for match in (_BEGIN.finditer(data) if b"PRIVATE KEY" in data else ())]


def _matches(prefix: bytes, pattern: re.Pattern[bytes], data: bytes) -> Iterator[re.Match[bytes]]:
    """Like finditer, but many times as fast where the prefix is rare."""
    at = data.find(prefix)
    while at >= 0:
        match = pattern.match(data, at)
        if match:
            yield match
        at = data.find(prefix, match.end() if match else at + 1)


def shape_spans(data: bytes) -> Iterator[Span]:
    """All of them."""
    for prefix, pattern, check in _SHAPES:
        for match in _matches(prefix, pattern, data):
            start = match.start()
            if data[start - 1:start].isalnum() and not _ESCAPE.search(data[max(0, start - 6):start]):
                continue
            if check is None or check(match[0]):
                yield Span(start, match.end(), match[0], "shape")
    if b"PRIVATE KEY" in data:
        yield from _private_keys(data)


def private_key(data: bytes) -> bytes | None:
    """What the tag of a text is made of that is a private key and nothing else."""
    spans = list(_private_keys(data)) if data.startswith(b"-----BEGIN ") else []
    return spans[0].value if spans and spans[0].end == len(data) else None


def _private_keys(data: bytes) -> Iterator[Span]:
    at = 0
    while begin := _BEGIN.search(data, at):
        lines = _PEM.match(data, begin.end())
        limit = lines.end() if lines else begin.end()
        end = _END.search(data, begin.end(), limit)
        at = end.end() if end else limit
        inner = re.sub(rb"\\{1,16}[nrt]|\s", b"", data[begin.end():end.start() if end else at])
        yield Span(begin.start(), at, inner, "shape")
