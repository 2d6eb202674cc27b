"""All calls of models among the exchanges of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from report.llm.answer import Answer
from report.llm.asked import Asked
from report.llm.call import LlmCall, Said
from report.llm.events import Arrivals, Event, array_elements, json_lines, server_sent
from report.llm.loose import items, parse_start, tell
from report.llm.routes import Dialect, Route, route_of
from tracer.session.exchanges import Exchange

__all__ = ("calls_of",)

_EVENTS = "text/event-stream"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/stream+json")
_SAID_LIMIT = 300  # characters of an error that is no JSON
_AT_ONCE_NS = 1_000_000  # between the first and the last piece: less is one delivery of the network


def calls_of(exchanges: Iterable[Exchange], pids: Mapping[int, int | None] | None = None, origin: int = 0) -> list[LlmCall]:
    """The calls in the order of the exchanges. ``pids`` by the number of the process; times are told from ``origin`` on."""
    exchanges = list(exchanges)
    sent = {_request(exchange) for exchange in exchanges if exchange.side == "client" and exchange.request_body}
    found: list[LlmCall] = []
    known: dict[Said, Said] = {}  # a conversation is sent again and again
    before: dict[tuple[Any, ...], LlmCall] = {}
    for exchange in exchanges:
        if exchange.side == "server" and _request(exchange) in sent:
            continue  # both ends are traced: it is one call
        body, is_whole = parse_start(exchange.request_body) if exchange.request_body else (None, False)
        route = route_of(exchange, body)
        if route is None:
            continue
        asked = route.dialect.asked(body if isinstance(body, dict) else {})
        if not is_whole:
            asked.messages = None
        asked.prompt = [known.setdefault(said, said) for said in asked.prompt]
        key = (exchange.proc, exchange.url, *_request(exchange))
        call = _call(exchange, route, asked, (pids or {}).get(exchange.proc), origin, _failed(before.get(key), exchange.started_ns - origin))
        if exchange.request_body:
            before[key] = call
        found.append(call)
    return found


def _request(exchange: Exchange) -> tuple[Any, ...]:
    """What is equal for the same request, wherever it was seen."""
    return exchange.method, exchange.target, exchange.request_length, blake2b(exchange.request_body, digest_size=16).digest()


def _failed(call: LlmCall | None, at_ns: int) -> int | None:
    """The number of a call that had failed by then."""
    return call.number if call is not None and call.error is not None and (call.ended_ns or call.started_ns) <= at_ns else None


def _call(exchange: Exchange, route: Route, asked: Asked, pid: int | None, origin: int, retry_of: int | None) -> LlmCall:
    def since(at_ns: int | None) -> int | None:
        return None if at_ns is None else at_ns - origin

    answer, streamed = _answer(exchange, route.dialect)
    usage = answer.usage.get
    sent = exchange.sent_ns or exchange.started_ns
    return LlmCall(
        exchange.number, route.provider, route.operation, asked.model or route.model or None, answer.model or None, answer.id or None,
        exchange.started_ns - origin, since(answer.first_ns), since(exchange.ended_ns),
        None if answer.first_ns is None else max(answer.first_ns - sent, 0) / 1e6, _tokens_per_s(answer),
        usage("input"), usage("output"), usage("cached"), usage("cache_write"), usage("reasoning"), tuple(answer.finish),
        asked.messages, tuple(asked.tools), answer.tool_calls, answer.text, answer.reasoning,
        asked.stream if streamed is None else streamed, _error(exchange, answer, bool(streamed)), retry_of, pid, exchange.url, exchange.status,
        "\n\n".join(asked.system), tuple(asked.prompt), exchange.request_cut or exchange.response_cut,
    )


def _answer(exchange: Exchange, dialect: Dialect) -> tuple[Answer, bool | None]:
    """The answer, and whether it was streamed, None if nobody knows."""
    body, pieces = exchange.response_body, _pieces(exchange, dialect)
    answer = Answer(pieces is not None)
    if pieces is None:
        value, _ = parse_start(body) if body else (None, True)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                dialect.read(answer, part, "")
        return answer, False if exchange.status is not None else None
    arrivals = Arrivals(exchange.response_marks)
    for event in pieces:
        if event.data == "[DONE]":
            answer.ended = True
        elif isinstance(event.value, dict):
            answer.now = arrivals.of(event.end)
            dialect.read(answer, event.value, event.name)
    return answer, True


def _pieces(exchange: Exchange, dialect: Dialect) -> Iterator[Event] | None:
    """The response in pieces, if it is a stream; servers do not always say so."""
    body, kind = exchange.response_body, exchange.header("content-type").partition(";")[0].strip().lower()
    start = body[:64].lstrip()
    if kind == _EVENTS or start.startswith((b"data:", b"event:", b"id:", b": ")):
        return server_sent(body)
    if kind in _LINES or (dialect.name == "ollama" and b"\n{" in body and kind != "application/json"):
        return json_lines(body)
    if dialect.name == "gemini" and start.startswith(b"[") and "stream" in exchange.target:
        return array_elements(body)
    return None


def _tokens_per_s(answer: Answer) -> float | None:
    """Tokens that nobody saw being streamed, those of hidden reasoning, say nothing of the speed; nor do those that came all at once."""
    if answer.first_ns is None or answer.last_ns is None or answer.last_ns - answer.first_ns < _AT_ONCE_NS:
        return None
    streamed = answer.usage.get("output", 0) - (0 if answer.reasoning else answer.usage.get("reasoning", 0))
    return streamed * 1e9 / (answer.last_ns - answer.first_ns) if streamed > 0 else None


def _error(exchange: Exchange, answer: Answer, streamed: bool) -> str | None:
    status = exchange.status
    if status is not None and status >= 400:
        said = answer.error or _said(exchange.response_body) or exchange.reason
        return f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if answer.error:
        return answer.error
    if status is None or exchange.ended_ns is None:
        return exchange.errors[0] if exchange.errors else "No response was seen." if status is None else "Its end was not seen."
    if streamed and not answer.ended and not exchange.response_cut:
        return exchange.errors[0] if exchange.errors else "The stream ended before the answer did."
    return None


def _said(body: bytes) -> str:
    """What the body of an error says."""
    value, _ = parse_start(body[:1 << 16]) if body else (None, True)
    said = tell(value) if isinstance(value, dict) or items(value) else ""
    return said or " ".join(body[:4 * _SAID_LIMIT].decode("utf-8", "replace").split())[:_SAID_LIMIT]
