import json
from typing import Any

import pytest

from report.llm import calls_of
from report.llm.call import Said, ToolCall
from tests.unit.llm_stories import MS, USAGE, asked, call, facts, sse, streamed

CHAT: dict[str, Any] = {
    "model": "gpt-5-mini", "stream": True, "stream_options": {"include_usage": True},
    "messages": [
        {"role": "system", "content": "Be short."}, {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "What is in the picture?"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_0", "content": "a cat"}],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}, {"type": "function", "function": {"name": "read"}}],
}


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5-mini-2026-01-01",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None, **more}


def test_a_streamed_chat() -> None:
    usage = {"prompt_tokens": 120, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 100},
             "completion_tokens_details": {"reasoning_tokens": 10}}
    found = call(streamed("chat", CHAT, [
        (51, sse(chunk({"role": "assistant", "content": "", "refusal": None}))), (101, sse(chunk({"content": "A c"}))),
        (401, sse(chunk({"content": "at: Grüße"}))), (402, sse(chunk({}, "stop")) + sse({**chunk({}), "choices": [], "usage": usage}, "[DONE]"))]))
    assert facts(found, "provider", "operation", "model", "response_model", "response_id", "streamed", "error", "status") == (
        "openai", "chat", "gpt-5-mini", "gpt-5-mini-2026-01-01", "chatcmpl-1", True, None, 200)
    assert facts(found, *USAGE) == (120, 40, 100, None, 10)
    assert facts(found, "first_token_ns", "ttft_ms", "tokens_per_s") == (101 * MS, 100.0, 100.0)  # 30 that were seen, in 300 ms
    assert facts(found, "text", "finish_reasons", "tool_calls", "tools", "messages") == ("A cat: Grüße", ("stop",), (), ("look", "read"), 5)
    assert found.system == "Be short.\n\nBe kind."
    assert found.prompt == (Said("user", "What is in the picture?", attached=("image",)), Said("assistant", "", (ToolCall("call_0", "look", "{}"),)),
                            Said("tool", "a cat", answers="call_0"))
    assert facts(found, "url", "cut", "retry_of") == ("https://api.openai.com/v1/chat/completions", False, None)


def test_events_may_be_split_anywhere() -> None:
    body = sse(chunk({"content": "one "}), chunk({"content": "two"}, "stop"), "[DONE]").replace(b"\n", b"\r\n")
    whole = call(streamed("chat", CHAT, [(20, body)]))
    assert (whole.text, whole.ttft_ms, whole.tokens_per_s) == ("one two", 19.0, None)
    end = body.index(b"\r\n\r\n") + 4  # an event has come when the last byte of it has
    for place in range(1, len(body)):
        found = call(streamed("chat", CHAT, [(20, body[:place]), (30, body[place:])]))
        assert (found.text, found.ttft_ms) == ("one two", 19.0 if place >= end else 29.0)


def test_tool_calls_are_put_together() -> None:
    def part(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
        return chunk({"tool_calls": [{"index": index, "function": function, **more}]})

    found = call(streamed("chat", CHAT, [
        (10, sse(part(0, "", id="call_a", name="read"))), (20, sse(part(0, '{"path":'), part(0, '"/etc/hosts"}'))),
        (30, sse(part(1, "{}", id="call_b", name="look"), chunk({}, "tool_calls")))]))
    assert found.tool_calls == (ToolCall("call_a", "read", '{"path":"/etc/hosts"}'), ToolCall("call_b", "look", "{}"))
    assert facts(found, "text", "finish_reasons", "ttft_ms", "error") == ("", ("tool_calls",), 9.0, None)
    same = [part(0, '{"n":1}', id="x", name="read"), part(0, '{"n":2}', id="y", name="read")]  # a server that numbers all of them 0
    assert [told.arguments for told in call(streamed("chat", CHAT, [(10, sse(*same, chunk({}, "stop")))])).tool_calls] == ['{"n":1}', '{"n":2}']


def test_a_whole_chat_with_choices() -> None:
    message = {"role": "assistant", "content": "Yes.", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    found = call(asked("chat", {**CHAT, "stream": False}, {
        "id": "chatcmpl-2", "object": "chat.completion", "model": "m", "choices": [
            {"index": 0, "message": message, "finish_reason": "stop"},
            {"index": 1, "message": {"content": "No.", "refusal": None}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}))
    assert facts(found, "text", "finish_reasons", "streamed", "first_token_ns", "ttft_ms", "tokens_per_s") == (
        "Yes.\n\nNo.", ("stop", "length"), False, None, None, None)
    assert found.tool_calls == (ToolCall("c", "f", "{}"),)
    assert facts(found, *USAGE) == (3, 4, None, None, None)


@pytest.mark.parametrize(("host", "target", "provider"), [
    ("openrouter.ai", "/api/v1/chat/completions", "openrouter"), ("api.groq.com", "/openai/v1/chat/completions", "groq"),
    ("api.deepseek.com", "/chat/completions", "deepseek"), ("api.mistral.ai", "/v1/chat/completions", "mistral_ai"),
    ("localhost:8000", "/v1/chat/completions", "openai-compatible"), ("127.0.0.1:1234", "/v1/chat/completions", "openai-compatible"),
    ("localhost:11434", "/v1/chat/completions", "ollama"), ("API.OpenAI.com:443", "/v1/chat/completions", "openai"),
    ("x.openai.azure.com", "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", "azure.ai.openai"),
    ("api.openai.com.evil.example", "/v1/chat/completions", "openai-compatible"),
])
def test_servers_that_speak_alike(host: str, target: str, provider: str) -> None:
    found = call(asked((host, target), {"messages": []}, {"choices": []}))
    assert (found.provider, found.operation, found.model) == (provider, "chat", "my-gpt" if "deployments" in target else None)


def test_how_others_tell_reasoning_and_usage() -> None:
    deepseek = call(streamed("chat", CHAT, [(11, sse(chunk({"reasoning_content": "Hm. "}))), (21, sse(chunk({"reasoning_content": "So."}))),
                                            (31, sse(chunk({"content": "42"}), chunk({}, "stop", usage={
                                                "prompt_tokens": 10, "completion_tokens": 8, "prompt_cache_hit_tokens": 6,
                                                "completion_tokens_details": {"reasoning_tokens": 6}}), "[DONE]"))]))
    assert facts(deepseek, "reasoning", "text", "ttft_ms", "tokens_per_s") == ("Hm. So.", "42", 10.0, 400.0)  # all 8 were seen, in 20 ms
    assert facts(deepseek, *USAGE) == (10, 8, 6, None, 6)
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5}}
    openrouter = call(streamed("chat", CHAT, [(11, b": OPENROUTER PROCESSING\n\n" + sse(
        chunk({"content": "", "reasoning": "Hm"}), chunk({"content": "x"}, "stop", usage=usage)))]))
    assert facts(openrouter, "reasoning", "text", *USAGE) == ("Hm", "x", 10, 1, 4, 5, None)
    groq = call(streamed("chat", CHAT, [(11, sse(chunk({"content": "x"}, "stop", x_groq={"usage": {"prompt_tokens": 1, "completion_tokens": 2}})))]))
    assert facts(groq, *USAGE) == (1, 2, None, None, None)
    mistral = call(asked("chat", CHAT, {"choices": [{"message": {"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "x"}]}, "finish_reason": "stop"}]}))
    assert facts(mistral, "reasoning", "text") == ("Hm", "x")


def test_older_completions_and_embeddings() -> None:
    found = call(streamed(("localhost:8000", "/v1/completions"), {"model": "m", "prompt": "Once", "stream": True}, [
        (11, sse({"id": "cmpl-1", "choices": [{"text": " upon", "index": 0, "finish_reason": None}]}))
        , (12, sse({"id": "cmpl-1", "choices": [{"text": " a time", "index": 0, "finish_reason": "length"}]}, "[DONE]"))]))
    assert facts(found, "operation", "text", "finish_reasons", "prompt", "messages") == (
        "text_completion", " upon a time", ("length",), (Said("user", "Once"),), None)
    found = call(asked(("api.openai.com", "/v1/embeddings"), {"model": "e", "input": ["a", "b"]}, {
        "object": "list", "model": "e-1", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 2, "total_tokens": 2}}))
    assert facts(found, "operation", "model", "response_model", "text", *USAGE) == ("embeddings", "e", "e-1", "", 2, None, None, None, None)


RESPONSES: dict[str, Any] = {
    "model": "gpt-5", "instructions": "Be short.", "stream": True, "tools": [{"type": "function", "name": "shell"}, {"type": "web_search"}],
    "input": [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be kind."}]},
              {"role": "user", "content": [{"type": "input_text", "text": "List."}, {"type": "input_image", "image_url": "data:,"}]},
              {"type": "reasoning", "encrypted_content": "x"}, {"type": "function_call", "call_id": "call_0", "name": "shell", "arguments": "{}"},
              {"type": "function_call_output", "call_id": "call_0", "output": "a b"}],
}
END = {"object": "response", "id": "resp_1", "model": "gpt-5-2026", "status": "completed", "output": [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    {"type": "message", "content": [{"type": "output_text", "text": "Two files."}]},
    {"type": "function_call", "call_id": "call_1", "name": "shell", "arguments": '{"c":"ls"}'}],
    "usage": {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 20,
              "output_tokens_details": {"reasoning_tokens": 5}}}


def test_a_streamed_response() -> None:
    start = {"type": "response.created", "response": {**END, "status": "in_progress", "output": [], "usage": None}}
    found = call(streamed("responses", RESPONSES, [
        (5, sse(start, names=True)), (21, sse({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm."}, names=True)),
        (40, sse({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Two "}, names=True)),
        (60, sse({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "files."},
                 {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "Two files."},
                 {"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "call_id": "call_1", "name": "shell"}},
                 {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"c":'}, names=True)),
        (121, sse({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '"ls"}'},
                  {"type": "response.output_item.done", "output_index": 2, "item": END["output"][2]}, names=True)),  # type: ignore[index]
        (300, sse({"type": "response.completed", "response": END}, names=True))]))
    whole = call(asked("responses", {**RESPONSES, "stream": False}, END))
    for one in (found, whole):
        assert facts(one, "provider", "operation", "model", "response_model", "response_id", "messages", "tools", "system") == (
            "openai", "chat", "gpt-5", "gpt-5-2026", "resp_1", 5, ("shell", "web_search"), "Be short.\n\nBe kind.")
        assert facts(one, "text", "reasoning", "tool_calls", "finish_reasons", "error") == (
            "Two files.", "Hm.", (ToolCall("call_1", "shell", '{"c":"ls"}'),), ("completed",), None)
        assert facts(one, *USAGE) == (50, 20, 40, None, 5)
        assert one.prompt == (Said("user", "List.", attached=("image",)), Said("assistant", "", attached=("reasoning",)),
                              Said("assistant", "", (ToolCall("call_0", "shell", "{}"),)), Said("tool", "a b", answers="call_0"))
    assert facts(found, "ttft_ms", "tokens_per_s", "streamed") == (20.0, 200.0, True)
    assert facts(whole, "ttft_ms", "streamed") == (None, False)


def test_responses_that_fail_or_are_not_whole() -> None:
    last = {"type": "response.incomplete", "response": {**END, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}}
    assert facts(call(streamed("responses", RESPONSES, [(9, sse(last))])), "finish_reasons", "error") == (("max_output_tokens",), None)
    error = {"code": "server_error", "message": "Sorry."}
    failed = {"type": "response.failed", "response": {"object": "response", "status": "failed", "error": error}}
    assert facts(call(streamed("responses", RESPONSES, [(9, sse(failed))])), "finish_reasons", "error") == (("failed",), "server_error: Sorry.")
    error = {"type": "error", "code": "ERR", "message": "Broken.", "param": None}
    assert call(streamed("responses", RESPONSES, [(9, sse(error))])).error == "ERR: Broken."
    assert call(asked("responses", {"model": "m", "input": "hi"}, b"", status=None, ended_ns=None, errors=["reset"])).error == "reset"


def test_what_is_no_call_of_a_model() -> None:
    assert calls_of([
        asked("chat", {"messages": []}, {}, method="GET"), asked("chat", b"messages", {}), asked("chat", [1], {}), asked("chat", b"", {}),
        asked(("a.example", "/api/chat"), {"messages": []}), asked(("a.example", "/messages"), {"text": "hi"}),
        asked(("a.example", "/responses"), {"answers": [1]}), asked(("a.example", "/graphql"), {"model": "m", "messages": [], "max_tokens": 1}),
        asked(("a.example", "/completions"), {"q": "x"}), asked(("api.anthropic.com", "/v1/messages/count_tokens"), {"messages": [], "model": "m"}),
    ]) == []
    assert json.dumps(CHAT)  # nothing of the requests was changed
