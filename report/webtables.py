"""The tables of `ebtrace stats` about what was said: TLS in clear, HTTP exchanges, calls of language models."""

from __future__ import annotations

from math import floor

from rich.text import Text

from report.http import HttpRow
from report.layout import Column, first, more, table, title, wrapped
from report.llm import LlmCall
from report.llm.facts import facts_of
from report.text import count, duration, size, visible
from report.tls import TlsConnection
from report.totals import Totals

__all__ = ("coverage", "exchanges", "model_calls", "percent")

_HTTP = (Column("status"), Column("method", 8, left=True), Column("time", 7), Column("first byte", 4), Column("sent", 5), Column("received", 6),
         Column("protocol", 2, left=True), Column("pid", 3), Column("url", left=True, flexible=True, narrowest=20))
_LLM = (Column("time", 7), Column("in", 8), Column("cached", 5), Column("out", 8), Column("TTFT", 6), Column("tokens/s", 4), Column("pid", 1),
        Column("stop", 3, left=True), Column("model, tools called, error", left=True, flexible=True, narrowest=20))
_NAMES_TOLD = 3

# What was taken out: one, more
_SECRETS = {"header": ("header", "headers"), "url": ("URL parameter", "URL parameters"), "body": ("field of a body", "fields of bodies"),
            "shape": ("token by its shape", "tokens by their shape"), "argument": ("argument", "arguments"),
            "environment": ("value of the environment", "values of the environment")}


def coverage(totals: Totals, width: int | None, top: int) -> list[Text]:
    """How much of the TLS traffic was read in clear, a line for what was not, and how many secrets were taken out."""
    facts = totals.tls
    lines: list[Text] = []
    if facts.connections:
        seen, whole = sum(one.seen for one in facts.connections), sum(one.whole for one in facts.connections)
        verdict = f"TLS: {size(seen)} of {size(whole)} in clear ({percent(facts.percent)})" if whole else "TLS: nothing was sent inside"
        style = "bold green" if seen == whole else "bold yellow"
        lines += [Text(line, style) for line in wrapped(verdict, width)]
        groups: dict[tuple[str, str], list[TlsConnection]] = {}
        for one in facts.connections:
            if one.percent is not None and one.percent < 100:
                groups.setdefault((one.process or "?", one.reason), []).append(one)
        rows, hidden = first(sorted(groups.items(), key=lambda group: -sum(one.whole - one.seen for one in group[1])), top)
        lines += [Text(line, "yellow") for (process, reason), some in rows for line in wrapped(_unread(process, reason, some), width)]
        lines += more(hidden, width)
    missing = [f"{size(facts.plaintext[name])} {word}" for name, word in (("cut", "beyond the limits"), ("lost", "lost")) if name in facts.plaintext]
    if missing:
        sentence = f"Of {size(facts.plaintext.get('bytes', 0))} in clear {size(facts.plaintext.get('kept', 0))} were kept: {', '.join(missing)}"
        lines += [Text(line, "bold red" if "lost" in facts.plaintext else "yellow") for line in wrapped(sentence, width)]
    if facts.redacted:
        told = [f"{count(number)} {visible(_SECRETS.get(kind, (kind, kind))[number != 1])}" for kind, number in facts.redacted.items()]
        lines += [Text(line) for line in wrapped(f"Redacted: {', '.join(told)}", width)]
    return lines


def percent(share: float | None) -> str:
    """A share with one decimal, never rounded up; without decimals only where it is exact."""
    if share is None:
        return "-"
    return f"{share:.0f} %" if share in (0, 100) else f"{floor(share * 10) / 10:.1f} %"


def exchanges(totals: Totals, width: int | None, top: int) -> list[Text]:
    """Every exchange over HTTP, in the order of their start."""
    shown, hidden = first(totals.http, top)
    rows: list[list[str | Text]] = [
        [Text(_status(row), "yellow" if row.status is None or row.status >= 400 else ""), visible(row.method or "-"),
         _since(row.ended_ns, row.started_ns), _since(row.first_byte_ns, row.started_ns), size(row.request_bytes), size(row.response_bytes),
         visible(row.protocol), str(row.pid or "-"), _url(row)]
        for row in shown
    ]
    redacted = sum(row.redacted for row in totals.http)
    heading = f"HTTP: {count(len(totals.http))}" + (f", {count(redacted)} {'secret' if redacted == 1 else 'secrets'} taken out" if redacted else "")
    return [title(heading), *table(_HTTP, rows, width), *more(hidden, width)]


def model_calls(totals: Totals, width: int | None, top: int) -> list[Text]:
    """Every call of a language model, in the order of their start."""
    facts = facts_of(map(vars, totals.llm))
    waiting = f"{duration(facts.waiting_ns)} of {duration(totals.session.duration_s * 1e9)} waiting for them"
    cached = f" ({count(facts.cached_tokens)} of them cached)" if facts.cached_tokens else ""
    failed = f", {count(facts.failed)} failed" if facts.failed else ""
    heading = f"LLM calls: {count(facts.calls)}{failed}, {waiting}; tokens: {count(facts.input_tokens)} in{cached}, {count(facts.output_tokens)} out"
    shown, hidden = first(totals.llm, top)
    rows: list[list[str | Text]] = [
        [_since(call.ended_ns, call.started_ns), *(_tokens(number) for number in (call.input_tokens, call.cached_tokens, call.output_tokens)),
         "-" if call.ttft_ms is None else duration(call.ttft_ms * 1e6), "-" if call.tokens_per_s is None else f"{call.tokens_per_s:.1f}",
         str(call.pid or "-"), visible(" ".join(call.finish_reasons) or "-"), _about(call)]
        for call in shown
    ]
    return [*(title(line) for line in wrapped(heading, width)), *table(_LLM, rows, width), *more(hidden, width)]


def _unread(process: str, reason: str, some: list[TlsConnection]) -> str:
    seen, whole = sum(one.seen for one in some), sum(one.whole for one in some)
    ends = list(dict.fromkeys(one.name or one.sni or one.remote or "?" for one in some))
    others = f" and {count(len(ends) - _NAMES_TOLD)} more" if len(ends) > _NAMES_TOLD else ""
    number = "1 connection" if len(some) == 1 else f"{count(len(some))} connections"
    return (f"  {size(whole - seen)} not read: {number} of {visible(process)} to {', '.join(map(visible, ends[:_NAMES_TOLD]))}{others}: "
            f"{visible(reason)}")


def _status(row: HttpRow) -> str:
    return "-" if row.status is None else str(row.status)


def _url(row: HttpRow) -> Text:
    messages = f" {count(row.messages)} messages" if row.messages else ""
    return Text.assemble(visible(row.url), (messages, "dim"), *((f" {visible(error)}", "yellow") for error in row.errors))


def _about(call: LlmCall) -> Text:
    tools = "".join(f" {tool.name}" for tool in call.tool_calls)
    retry = f" (again: {call.retry_of})" if call.retry_of is not None else ""
    return Text.assemble((visible(call.model or call.response_model or "?"), "bold"), visible(tools), retry,
                         (f" {visible(call.error)}" if call.error else "", "yellow"))


def _since(at_ns: int | None, start_ns: int) -> str:
    return "-" if at_ns is None else duration(max(at_ns - start_ns, 0))


def _tokens(number: int | None) -> str:
    return "-" if number is None else count(number)
