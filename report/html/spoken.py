"""What was said over HTTP besides bodies, for the page: headers, arrival times, messages, texts of LLM calls. It opens this when someone looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from report.html.bodies import MOST_MESSAGES, Bodies
from report.html.conversation import Messages, Texts, turns
from report.html.packing import deflated
from report.text import count
from tracer.session.exchanges import Exchange, Mark

__all__ = ("spoken",)

_MOST_TEXT = 1 << 25  # characters of all texts of LLM calls
_LONGEST_TEXT = 1 << 20
_LONGEST_HEADER = 1 << 16  # characters of a header's value
_MOST_HEADERS = 1000  # of one message
_MOST_MARKS = 10_000
_FAST = 1


def spoken(exchanges: Sequence[Exchange], document: Mapping[str, Any], origin_ns: int, bodies: Bodies | None) -> tuple[str, list[str]]:
    """Base64 of one compressed part, and what was left out, as sentences. ``origin_ns``: the start of the session, CLOCK_MONOTONIC. Without bodies
    the texts of LLM calls are left out, too."""
    texts = Texts(_MOST_TEXT, _LONGEST_TEXT)
    messages = Messages(texts)
    calls = turns(document["llm"], messages) if bodies else []
    about = {"http": [_told(exchange, origin_ns, bodies) for exchange in exchanges], "llm": calls, "messages": messages.all, "texts": texts.all}
    # A lone surrogate can stand in JSON as an escape, but not in UTF-8
    data = json.dumps(about, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(errors="backslashreplace")
    notes = [*(bodies.notes if bodies else ()), *([f"Of the messages of LLM calls {count(texts.left_out)} are cut."] if texts.left_out else ())]
    return deflated(data, _FAST), notes


def _told(exchange: Exchange, origin: int, bodies: Bodies | None) -> dict[str, Any]:
    return {
        "target": [exchange.scheme, exchange.authority, exchange.target],
        "headers": [_headers(part) for part in (exchange.request_headers, exchange.response_headers, exchange.request_trailers,
                                                exchange.response_trailers)],
        "interim": exchange.interim, "marks": [_marks(marks, origin) for marks in (exchange.request_marks, exchange.response_marks)],
        "bodies": bodies.places(exchange) if bodies else [None, None, None],
        "messages": [[message.at_ns - origin, message.sent, message.kind, len(message.data), message.length]
                     for message in exchange.messages[:MOST_MESSAGES]],
    }


def _headers(headers: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [[name[:_LONGEST_HEADER], value if len(value) <= _LONGEST_HEADER else f"{value[:_LONGEST_HEADER]}… ({len(value):,} characters)"]
            for name, value in headers[:_MOST_HEADERS]]


def _marks(marks: Sequence[Mark], origin: int) -> list[list[int]]:
    return [[offset, at_ns - origin] for offset, at_ns in marks[:_MOST_MARKS]]
