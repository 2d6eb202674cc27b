"""Calls of language models: what the session tells of each is what the model's server meant, in three interfaces, streamed and whole."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from tests.kernel.lab import Lab
from tests.kernel.web.agent import agent
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.clients import CLIENTS, trusting
from tests.kernel.web.compare import all_in_clear, exchanges, same
from tests.kernel.web.llm import ARGUMENTS, FIRST_S, WORDS
from tests.kernel.web.plans import Plan, plan
from tests.kernel.web.secrets import found_in, new_secret
from tests.kernel.web.server import Server

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
PROVIDERS = {"chat": "openai-compatible", "responses": "openai-compatible", "messages": "anthropic-compatible"}
MESSAGES = {"chat": 2, "responses": 1, "messages": 1}  # in one of the three the system's is one of them
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS: dict[str, dict[str, Any]] = {
    "chat": {"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": SCHEMA}},
    "responses": {"type": "function", "name": "weather", "description": "Tells it", "parameters": SCHEMA},
    "messages": {"name": "weather", "description": "Tells it", "input_schema": SCHEMA},
}


def request(interface: str, streamed: bool, text: str) -> str:
    asked: dict[str, Any] = {"model": "mock-1", "stream": streamed, "tools": [TOOLS[interface]]}
    messages = [{"role": "user", "content": text}]
    if interface == "chat":
        asked |= {"messages": [{"role": "system", "content": "Be short."}, *messages]}
        asked |= {"stream_options": {"include_usage": True}} if streamed else {}
    elif interface == "responses":
        asked |= {"instructions": "Be short.", "input": messages}
    else:
        asked |= {"system": "Be short.", "messages": messages, "max_tokens": 131}
    return json.dumps(asked)


def conversation(url: str, told: list[tuple[str, bool, str]]) -> Plan:
    requests = plan(url, [("POST", PATHS[interface]) for interface, _, _ in told], **{"content-type": "application/json"})
    for one, words in zip(requests, told):
        one["body"] = request(*words)
    return requests


def check(row: dict[str, Any], told: dict[str, Any]) -> None:
    for name in ("model", "tools", "text", "streamed", "input_tokens", "output_tokens", "cached_tokens"):
        assert row[name] == told[name], name
    calls = [{**call, "arguments": json.loads(call["arguments"])} for call in told["tool_calls"]]
    assert [{**call, "arguments": _parsed(call["arguments"])} for call in row["tool_calls"]] == calls
    assert not row["error"]


def _parsed(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


@pytest.mark.parametrize("client", ["python-http.client", "httpx-http2-parallel", "node-fetch", "bun-fetch", "go-http2-parallel"])
def test_every_call_is_told(lab: Lab, web: Server, trust: Certificate, client: str) -> None:
    asked = list(product(PATHS, (True, False), ("say hello", "now use weather")))
    requests = conversation(web.url, asked)
    session = lab.trace(CLIENTS[client].words(lab.folder, requests, str(trust.authority)), **trusting(trust)).whole()
    ours = same(session, web, library=CLIENTS[client].library)
    rows = {row["number"]: row for row in session.stats["llm"]}
    assert len(rows) == len(asked) == 12
    for logged in web.log:
        exchange = ours[logged.number]
        row, interface = rows[exchange.number], str(logged.told["operation"])
        check(row, logged.told)
        assert (row["provider"], row["url"], row["status"]) == (PROVIDERS[interface], exchange.url, 200)
        assert row["system"] == "Be short."
        assert row["messages"] == MESSAGES[interface]
        (said,) = row["prompt"]
        assert (said["role"], said["text"]) == ("user", "now use weather" if logged.told["tool_calls"] else "say hello")
        if row["streamed"]:
            assert row["ttft_ms"] >= 1000 * FIRST_S * 0.9  # the server waited for so long
            assert row["started_ns"] < row["first_token_ns"] <= row["ended_ns"]
            assert row["tokens_per_s"] is None or row["tokens_per_s"] > 0


def test_a_retry(lab: Lab, web: Server, trust: Certificate) -> None:
    requests = conversation(web.url, [("chat", True, "be busy"), ("chat", True, "be busy")])
    requests[1]["headers"]["x-retry"] = "1"
    session = lab.trace(CLIENTS["python-http.client"].words(lab.folder, requests, str(trust.authority))).whole()
    same(session, web, library="openssl")
    first, second = sorted(session.stats["llm"], key=lambda row: row["started_ns"])
    assert (first["status"], second["status"]) == (429, 200)
    assert "Slow down" in first["error"]
    assert (first["retry_of"], second["retry_of"]) == (None, first["number"])
    assert second["text"] == "".join(WORDS)


@pytest.mark.slow
def test_a_coding_agent(lab: Lab, web: Server, trust: Certificate) -> None:
    """opencode is asked to use a tool, does so, and tells the model: every word of it is in the session, and its key is not."""
    secret = new_secret()
    words, how = agent(lab.folder, web.url, trust, secret, "please use bash to say something")
    session = lab.trace(words, **how).whole()
    assert "Hello from the mock model" in session.output
    log = web.quiet()
    ours = same(session, web, library="boringssl")
    all_in_clear(session, "boringssl")
    rows = {row["number"]: row for row in session.stats["llm"]}
    assert len(rows) == len(log) >= 3  # a title, the question, and what came of the tool
    for logged in log:
        check(rows[ours[logged.number].number], logged.told)
    first, second = (row for row in sorted(session.stats["llm"], key=lambda row: row["started_ns"]) if row["tools"])
    assert [_parsed(call["arguments"]) for call in first["tool_calls"]] == [ARGUMENTS["bash"]]
    assert second["text"] == "".join(WORDS)
    assert "from the tool" in json.dumps(second["prompt"])
    assert found_in(str(session.path), secret) == []
    assert all("[redacted:" in exchange.header("authorization", of_request=True) for exchange in exchanges(session))
