"""Made-up exchanges with servers of models."""

from __future__ import annotations

import json
from typing import Any

from report.llm import LlmCall, calls_of
from tracer.session.exchanges import Exchange

MS = 1_000_000
JSON, SSE, NDJSON = "application/json", "text/event-stream; charset=utf-8", "application/x-ndjson"
URLS = {
    "chat": ("api.openai.com", "/v1/chat/completions"), "responses": ("api.openai.com", "/v1/responses"),
    "anthropic": ("api.anthropic.com", "/v1/messages?beta=true"),
    "gemini": ("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
    "ollama": ("localhost:11434", "/api/chat"),
}


def packed(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def asked(to: str | tuple[str, str], request: Any, response: Any = b"", kind: str = JSON, **fields: Any) -> Exchange:
    """One exchange: sent 1 ms after it began, answered from 11 ms on, over at 1 s."""
    host, target = URLS[to] if isinstance(to, str) else to
    body, answer = packed(request), packed(response)
    return Exchange(**{
        "number": 1, "proc": 1, "method": "POST", "scheme": "https", "authority": host, "target": target, "status": 200, "request_body": body,
        "response_body": answer, "request_bytes": len(body), "request_length": len(body), "response_bytes": len(answer),
        "response_length": len(answer), "response_headers": [("Content-Type", kind)], "response_marks": [(0, 11 * MS)] if answer else [],
        "started_ns": 0, "sent_ns": MS, "first_byte_ns": 11 * MS, "ended_ns": 1000 * MS, **fields})


def streamed(to: str | tuple[str, str], request: Any, pieces: list[tuple[int, bytes]], kind: str = SSE, **fields: Any) -> Exchange:
    """One exchange whose response came in pieces: (ms, bytes)."""
    marks, place = [], 0
    for at_ms, piece in pieces:
        marks.append((place, at_ms * MS))
        place += len(piece)
    return asked(to, request, b"".join(piece for _, piece in pieces), kind, response_marks=marks, **fields)


def sse(*values: Any, names: bool = False) -> bytes:
    """Events; with their type as their name, too, if it has ``names``."""
    return b"".join((b"event: %s\n" % value["type"].encode() if names else b"") + b"data: " + (
        value.encode() if isinstance(value, str) else packed(value)) + b"\n\n" for value in values)


def call(exchange: Exchange) -> LlmCall:
    found, = calls_of([exchange])
    return found


def facts(found: LlmCall, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(found, name) for name in names)


USAGE = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
