"""Secrets in bodies and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tracer.secrets.named import named_spans
from tracer.secrets.parts import part_spans
from tracer.secrets.spans import Span
from tracer.secrets.texts import line_spans, userinfo_spans

__all__ = ("body_spans", "cut_spans", "is_binary")

_LOOKED_AT = 8192
_CONTROLS_LIMIT = 16  # not a share: what was taken out before must not turn a binary body into a text
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b")
_FORM = re.compile(rb"[\w.%+\[\]-]{1,64}=[^\s\"'<>{}]*(?:&[\w.%+\[\]-]{1,64}=|\Z)")
_LEAST = 6
_BEGUN = re.compile(rb"(?:\A|[^A-Za-z0-9])((?:sk-(?:proj|ant|or|svcacct)-|AIza|gh[pousr]_|github_pat_|glpat-|xox[a-z]-)[\w-]*)\Z")


def is_binary(data: bytes) -> bool:
    """Whether it is no text: names and shapes mean nothing in it."""
    head = data[:_LOOKED_AT]
    return b"\0" in head or len(head) - len(head.translate(None, _CONTROLS)) > _CONTROLS_LIMIT


def body_spans(data: bytes, kind: str, content_type: str = "") -> Iterator[Span]:
    """The secrets that names tell of, in any text."""
    yield from named_spans(data, kind, form="urlencoded" in content_type or _FORM.match(data) is not None)
    yield from part_spans(data, kind)
    yield from userinfo_spans(data, kind)
    yield from line_spans(data, kind)


def cut_spans(data: bytes, values: Iterable[bytes]) -> Iterator[Span]:
    """The beginning of a secret at the end of a body that was cut off there."""
    tail = data[-16384:]
    for value in values:
        for length in range(min(len(value) - 1, len(tail)), _LEAST - 1, -1):
            if tail.endswith(value[:length]):
                yield Span(len(data) - length, len(data), value, "body")
                break
    if match := _BEGUN.search(data, max(0, len(data) - 256)):
        yield Span(match.start(1), len(data), match[1], "shape")
