"""HTTP exchanges and calls of language models as lines of the JSONL export (report/jsonl.py)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from report.http import http_rows
from report.llm import LlmCall, as_rows, calls_of
from report.processes import Process
from report.text import as_json
from tracer.session.exchanges import Exchange

__all__ = ("Line", "web_lines")

Line = tuple[int, Callable[[], str]]
"""When it happened, CLOCK_MONOTONIC, ns; and what makes the line."""


def web_lines(told: Sequence[Exchange], processes: Iterable[Process], origin: int) -> list[Line]:
    """The lines in the order of time: each exchange, and after it the call that it was, if it was one."""
    known = {process.proc: process for process in processes}
    calls = {call.number: call for call in calls_of(told, {proc: process.pid for proc, process in known.items()}, origin)}
    lines: list[Line] = []
    for exchange in told:
        lines.append((exchange.started_ns, partial(_http, exchange, known, origin)))
        call = calls.pop(exchange.number, None)
        if call is not None:
            lines.append((exchange.started_ns, partial(_llm, call, exchange.tid)))
    return lines


def _http(exchange: Exchange, processes: Mapping[int, Process], origin: int) -> str:
    row, = http_rows([exchange], processes, {}, origin)
    fields = {name: value for name, value in vars(row).items() if name not in ("started_ns", "pid", "remote", "messages")}
    event = {"type": "http", "ts_ns": row.started_ns, "pid": row.pid, "tid": exchange.tid, **fields, "interim": exchange.interim}
    for name in ("request_headers", "response_headers", "request_trailers", "response_trailers"):
        event[name] = getattr(exchange, name)
    for name in ("request_body", "response_body"):
        event |= _data(name, getattr(exchange, name))
    for name in ("request_marks", "response_marks"):
        event[name] = [(offset, at_ns - origin) for offset, at_ns in getattr(exchange, name)]
    event["messages"] = [{"ts_ns": one.at_ns - origin, "sent": one.sent, "kind": one.kind, "length": one.length, **_data("data", one.data)}
                         for one in exchange.messages]
    return as_json(event) + "\n"


def _llm(call: LlmCall, tid: int) -> str:
    fields, = as_rows([call])
    return as_json({"type": "llm", "ts_ns": fields.pop("started_ns"), "pid": fields.pop("pid"), "tid": tid, **fields}) + "\n"


def _data(name: str, data: bytes) -> dict[str, Any]:
    """Bytes as text; those that are none under another name, as base64."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode("ascii")}
