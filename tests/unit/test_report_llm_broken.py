"""Calls that failed, that were cut, and bodies that want to do harm."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from report.llm import OTEL, LlmCall, as_rows, calls_of
from report.llm.call import Said
from report.llm.events import array_elements, json_lines, server_sent
from report.llm.facts import LlmFacts, facts_of
from report.llm.loose import parse, parse_start, tell
from tests.unit.llm_stories import MS, NDJSON, SSE, URLS, USAGE, asked, call, facts, packed, sse, streamed
from tracer.session.exchanges import Exchange

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "one"}}]}
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(("body", "said"), [
    ({"error": {"message": "Slow down.", "type": "rate_limit", "code": "x"}}, "rate_limit: Slow down."),
    ({"error": "no such model"}, "no such model"),
    ({"object": "error", "message": "too long", "code": 400}, "too long"),
    ({"detail": "Not Found"}, "Not Found"),
    ({"detail": [{"msg": "field required", "type": "missing"}]}, "missing: field required"), ([{"error": {"message": "x", "code": 400}}], "x"),
    (b"<html>\n <b>Bad   Gateway</b>", "<html> <b>Bad Gateway</b>"), (b"", "Bad Gateway"), ({}, "{}"), ([], "[]"), ({"error": {"type": "t"}}, "t"),
    ({"error": {"error": {"error": {"message": "deep"}}}}, "deep"), (b"\xff\xfe", "\ufffd\ufffd"),
])
def test_errors_of_servers(body: Any, said: str) -> None:
    assert call(asked("chat", CHAT, body, status=502, reason="Bad Gateway")).error == f"HTTP 502: {said}"


def test_errors_inside_streams_and_cut_streams() -> None:
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK, {"error": {"message": "Overloaded", "code": 503}}))])).error == "Overloaded"
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK, END))])).error is None
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK, "[DONE]"))])).error is None
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK))])).error == "The stream ended before the answer did."
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK))], errors=["Reset."], ended_ns=None)).error == "Reset."
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK))], ended_ns=None)).error == "Its end was not seen."
    assert call(asked("chat", CHAT, status=None)).error == "No response was seen."
    assert facts(call(asked("chat", {**CHAT, "stream": True}, status=None)), "streamed", "text", "status") == (True, "", None)
    ended = call(streamed("chat", CHAT, [(5, sse(CHUNK)[:-2])]))  # the last empty line is missing
    assert (ended.text, ended.error) == ("one", "The stream ended before the answer did.")
    assert call(streamed("chat", CHAT, [(5, sse(CHUNK)[:-9])])).text == ""


def test_of_a_response_that_was_cut_nothing_is_made_up() -> None:
    found = call(streamed("chat", CHAT, [(5, sse(CHUNK))], response_cut=True))
    assert facts(found, "text", "error", "cut", "finish_reasons", *USAGE) == ("one", None, True, (), None, None, None, None, None)
    whole = packed({"id": "c", "model": "m-1", "choices": [{"message": {"content": "a long answer"}}]})
    found = call(asked("chat", CHAT, whole[:whole.index(b" answer")], response_cut=True))
    assert facts(found, "response_id", "response_model", "text", "cut") == ("c", "m-1", "a long", True)


def test_of_a_request_that_was_cut_the_start_is_told() -> None:
    body = packed({"model": "m", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a \"long\" story"}, {"role": "user"}]})
    found = call(asked("chat", body[:body.index(b" story")], request_cut=True, request_length=len(body)))
    assert facts(found, "model", "messages", "system", "prompt", "cut") == ("m", None, "S", (Said("user", 'a "long"'),), True)
    for to in ("chat", "responses", "anthropic", "ollama"):
        assert facts(call(asked(to, b"", b"", request_cut=True)), "model", "messages", "prompt", "error") == (None, None, (), None)
    assert calls_of([asked(("a.example", "/messages"), b"", request_cut=True)]) == []


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12), st.data())
def test_any_start_of_a_json_text_can_be_read(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass")
    found, is_whole = parse_start(text[:data.draw(st.integers(0, len(text)))])
    assert is_whole or found is None or isinstance(found, list | dict | str)


def test_the_start_of_a_json_text_is_what_was_there() -> None:
    text = '{"a": [1, {"b": "x\\u00e9\\"y"}, true], "c": {"d": null}, "e": 12}'
    seen = []
    for end in range(len(text)):
        found, _ = parse_start(text[:end].encode())
        if found not in seen:
            seen.append(found)
    assert seen == [None, {}, {"a": []}, {"a": [1]}, {"a": [1, {}]}, {"a": [1, {"b": ""}]}, {"a": [1, {"b": "x"}]}, {"a": [1, {"b": "xé"}]},
                    {"a": [1, {"b": 'xé"'}]}, {"a": [1, {"b": 'xé"y'}]}, {"a": [1, {"b": 'xé"y'}, True]}, {"a": [1, {"b": 'xé"y'}, True], "c": {}},
                    {"a": [1, {"b": 'xé"y'}, True], "c": {"d": None}}, {"a": [1, {"b": 'xé"y'}, True], "c": {"d": None}, "e": 12}][:len(seen)]
    assert len(seen) >= 13


@pytest.mark.parametrize("hostile", [
    b"[" * 200_000, b'{"a":' * 100_000, b"9" * 300_000, b'{"messages":' + b"9" * 300_000 + b"}", b'"' * 100_001, b'"\\' * 50_000, b"1e999999",
    b'{"model": NaN}', b"\xff" * 1000, b"{}" * 50_000, b"[" + b"{}," * 20_000 + b"{}]", b'{"messages":[' + b"[]," * 20_000,
], ids=lambda value: repr(value[:8]))
@pytest.mark.parametrize("to", URLS)
def test_hostile_bodies(hostile: bytes, to: str) -> None:
    request = {"model": "m", "messages": [], "input": "", "max_tokens": 1, "contents": []}
    for kind, body in ((SSE, b"data: " + hostile + b"\n\n"), (SSE, hostile), (NDJSON, hostile), ("", hostile), ("application/json", hostile)):
        assert call(asked(to, request, body, kind)).number == 1
    calls_of([asked(to, hostile, hostile), asked(to, hostile, hostile, request_cut=True, status=500)])


WORDS = st.sampled_from((
    "model", "messages", "role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "choices", "delta", "message", "usage",
    "prompt_tokens", "prompt_tokens_details", "cached_tokens", "error", "candidates", "parts", "functionCall", "args", "usageMetadata",
    "promptTokenCount", "content_block", "message_start", "content_block_start", "content_block_delta", "partial_json",
    "input", "output", "response", "index",
    "response.output_item.done", "item", "response.completed", "object", "done", "id", "tools", "system", "instructions",
    "thinking", "contents", "request",
    "tool_use", "tool_result", "reasoning", "finish_reason", "stop_reason", "message_delta", "input_tokens",
    "status", "completed", "functionResponse"))
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-3, 1 << 60) | st.just(1e300) | st.just(-0.5) | WORDS,
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=25)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(URLS)), st.dictionaries(WORDS, VALUES, max_size=6), st.lists(VALUES, max_size=4), st.sampled_from((SSE, NDJSON, "")),
       st.sampled_from((200, 500, None)))
def test_any_values_anywhere(to: str, request: dict[str, Any], values: list[Any], kind: str, status: int | None) -> None:
    request |= {"model": request.get("model", "m"), "messages": request.get("messages", []), "max_tokens": 1}
    joined = b"\n".join(map(packed, values)) if kind == NDJSON else sse(*values) if kind else packed(values[0] if values else None)
    for found in calls_of([asked(to, request, joined, kind, status=status)]):
        check(found)


def check(found: LlmCall) -> None:
    for name in ("provider", "operation", "text", "reasoning", "url", "system"):
        assert isinstance(getattr(found, name), str)
    for name in USAGE:
        assert getattr(found, name) is None or 0 <= getattr(found, name) < 1 << 60
    assert all(isinstance(part, str) for told in found.tool_calls for part in (told.id, told.name, told.arguments))
    assert all(isinstance(word, str) for word in (*found.tools, *found.finish_reasons))
    assert all(isinstance(said.role, str) and isinstance(said.text, str) for said in found.prompt)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text("data:event{}[]\",\n\r 1", max_size=200).map(str.encode))
def test_any_bytes_are_some_events(body: bytes) -> None:
    for read in (server_sent, json_lines, array_elements):
        ends = [event.end for event in read(body)]
        assert ends == sorted(ends)
        assert all(0 < end <= len(body) for end in ends)


def test_events_as_the_standard_has_them() -> None:
    body = b"\xef\xbb\xbf: comment\nevent: a\ndata: {\"x\":\ndata:1}\nid: 7\n\ndata\n\nevent: lost\n\ndata: [DONE]\r\rretry: 5"
    assert [(event.name, event.value, event.data) for event in server_sent(body)] == [
        ("a", {"x": 1}, '{"x":\n1}'), ("", None, ""), ("", None, "[DONE]")]
    assert [event.value for event in array_elements(b'[{"a":"]}"},\n{"b":[{}]},[1], 2, {"c":')] == [{"a": "]}"}, {"b": [{}]}, [1]]
    assert [(event.value, event.end) for event in json_lines(b'{"a":1}\n\n {"b":2}\r\n{"c"')] == [({"a": 1}, 8), ({"b": 2}, 19), (None, 23)]


def test_numbers_that_nobody_needs_are_none() -> None:
    assert parse(b'{"a": 123456789012345678901}') == {"a": None}
    assert tell({"error": {"error": 5}}) == ""
    usage = {"prompt_tokens": -1, "completion_tokens": "7", "prompt_tokens_details": [], "completion_tokens_details": {"reasoning_tokens": 2.0}}
    assert facts(call(asked("chat", CHAT, {"usage": usage})), *USAGE) == (None, None, None, None, 2)


def again(number: int, at_ms: int, status: int | None = 200, request: Any = CHAT, **more: Any) -> Exchange:
    return asked("chat", request, {"choices": []} if status == 200 else {"error": "busy"}, number=number, status=status, started_ns=at_ms * MS,
                 ended_ns=(at_ms + 10) * MS, **more)


def test_retries_are_the_same_request_after_one_that_failed() -> None:
    other = {**CHAT, "temperature": 1}
    told = [again(1, 0, 500), again(2, 20, 429, connection=9), again(3, 30, 200, other), again(4, 40), again(5, 60), again(6, 70, 500, proc=2),
            again(7, 75, proc=2), again(8, 100, 503), again(9, 120, request_length=9999), again(10, 130)]
    # 5 repeats a call that did not fail; 7 began while 6 was under way; 9 is longer than what was kept of it
    assert [found.retry_of for found in calls_of(told)] == [None, 1, None, 2, None, None, None, None, None, 8]


def test_a_call_of_which_both_ends_are_traced_is_one() -> None:
    told = [again(1, 0), again(2, 1, proc=2, side="server"), again(3, 50, proc=2, side="server", request={**CHAT, "model": "n"})]
    assert [found.number for found in calls_of(told)] == [1, 3]


def test_a_conversation_is_held_once() -> None:
    first, second = calls_of([again(1, 0), again(2, 20, request={**CHAT, "messages": [*CHAT["messages"], {"role": "assistant", "content": "x"}]})])
    assert first.prompt[0] is second.prompt[0]
    rows = as_rows([first, second])
    assert rows[0]["prompt"] == [{"role": "user", "text": "hi", "tool_calls": (), "answers": "", "attached": ()}]
    assert rows[0]["prompt"][0] is rows[1]["prompt"][0]


def test_times_and_pids_are_those_of_the_session() -> None:
    found, = calls_of([streamed("chat", CHAT, [(5, sse(CHUNK))])], {1: 100}, origin=-7)
    assert facts(found, "started_ns", "first_token_ns", "ended_ns", "pid", "ttft_ms") == (7, 5 * MS + 7, 1000 * MS + 7, 100, 4.0)
    found, = calls_of([streamed("chat", CHAT, [(5, sse(CHUNK))], sent_ns=None)])
    assert found.ttft_ms == 5.0


def test_all_calls_in_numbers() -> None:
    usage = {"usage": {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}}
    told = [asked("chat", CHAT, usage, ended_ns=400 * MS), asked("chat", CHAT, usage, started_ns=300 * MS, ended_ns=500 * MS),
            asked("chat", {**CHAT, "model": "n"}, {}, started_ns=700 * MS, ended_ns=800 * MS, status=500),
            asked("chat", {**CHAT, "model": "n"}, {}, started_ns=900 * MS, ended_ns=None, status=None)]
    assert facts_of(map(vars, calls_of(told))) == LlmFacts(4, 2, 1, 600 * MS, 20, 6, 8, 0, ("m", "n"))
    assert facts_of([]) == LlmFacts(0, 0, 0, 0, 0, 0, 0, 0, ())


def test_the_names_of_open_telemetry_belong_to_fields() -> None:
    assert set(OTEL) <= set(vars(call(asked("chat", CHAT, {}))))
