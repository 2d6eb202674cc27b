from typing import Any

from report.llm.call import Said, ToolCall
from tests.unit.llm_stories import MS, NDJSON, USAGE, asked, call, facts, packed, sse, streamed

ANTHROPIC: dict[str, Any] = {
    "model": "claude-sonnet-4-5", "max_tokens": 1024, "stream": True, "system": [{"type": "text", "text": "Be short.", "cache_control": {}}],
    "tools": [{"name": "bash", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}],
    "messages": [
        {"role": "user", "content": "List."},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "x"}, {"type": "text", "text": "I look."},
                                          {"type": "tool_use", "id": "toolu_0", "name": "bash", "input": {"command": "ls"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_0", "content": [{"type": "text", "text": "a b"}]},
                                     {"type": "image", "source": {}}, {"type": "text", "text": "So?"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": "plain"}]}],
}
START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5-20250929", "content": [],
                                              "stop_reason": None,
                                              "usage": {"input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3000,
                                                        "output_tokens": 1}}}


def block(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, kind: str, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **content}}


def test_a_streamed_message() -> None:
    found = call(streamed("anthropic", ANTHROPIC, [
        (11, sse(START, block(0, type="thinking", thinking=""), {"type": "ping"}, names=True)),
        (31, sse(delta(0, "thinking_delta", thinking="Let me "), delta(0, "thinking_delta", thinking="see."),
                 delta(0, "signature_delta", signature="x"), names=True)),
        (131, sse({"type": "content_block_stop", "index": 0}, block(1, type="text", text=""), delta(1, "text_delta", text="There are "),
                  delta(1, "text_delta", text="two."), names=True)),
        (231, sse(block(2, type="tool_use", id="toolu_1", name="bash", input={}), delta(2, "input_json_delta", partial_json=""),
                  delta(2, "input_json_delta", partial_json='{"command": '), delta(2, "input_json_delta", partial_json='"pwd"}'), names=True)),
        (240, sse({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 50}},
                  {"type": "message_stop"}, names=True))]))
    assert facts(found, "provider", "operation", "model", "response_model", "response_id", "streamed", "error") == (
        "anthropic", "chat", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "msg_1", True, None)
    assert facts(found, *USAGE) == (3210, 50, 3000, 200, None)  # a cache's tokens are input, once
    assert facts(found, "first_token_ns", "ttft_ms", "tokens_per_s") == (31 * MS, 30.0, 250.0)
    assert facts(found, "text", "reasoning", "finish_reasons", "tool_calls") == (
        "There are two.", "Let me see.", ("tool_use",), (ToolCall("toolu_1", "bash", '{"command": "pwd"}'),))
    assert facts(found, "messages", "tools", "system") == (4, ("bash", "web_search"), "Be short.")
    assert found.prompt == (
        Said("user", "List."), Said("assistant", "I look.", (ToolCall("toolu_0", "bash", '{"command":"ls"}'),), attached=("thinking",)),
        Said("tool", "a b", answers="toolu_0"), Said("user", "So?", attached=("image",)), Said("tool", "plain", answers="toolu_9"))


def test_a_whole_message() -> None:
    found = call(asked("anthropic", {**ANTHROPIC, "stream": False}, {
        "id": "msg_2", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn", "content": [
            {"type": "text", "text": "One"}, {"type": "text", "text": " sentence."}, {"type": "tool_use", "id": "t", "name": "bash", "input": {}},
            {"type": "text", "text": "Another."}], "usage": {"input_tokens": 5, "output_tokens": 6}}))
    assert facts(found, "text", "finish_reasons", "tool_calls", "ttft_ms") == (
        "One sentence.\n\nAnother.", ("end_turn",), (ToolCall("t", "bash", "{}"),), None)
    assert facts(found, *USAGE) == (5, 6, None, None, None)


def test_a_message_that_ends_early_has_no_output_count() -> None:
    found = call(streamed("anthropic", ANTHROPIC, [(20, sse(START, block(0, type="text", text=""), delta(0, "text_delta", text="There")))]))
    assert facts(found, "text", "error", *USAGE) == ("There", "The stream ended before the answer did.", 3210, None, 3000, 200, None)
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert call(streamed("anthropic", ANTHROPIC, [(20, sse(START, overloaded, names=True))])).error == "overloaded_error: Overloaded"
    refused = call(asked("anthropic", ANTHROPIC, {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}}, status=429))
    assert facts(refused, "error", "streamed", "text") == ("HTTP 429: rate_limit_error: Slow down.", False, "")


def test_claude_at_other_places() -> None:
    vertex = "aiplatform.googleapis.com"
    path = "/v1/projects/p/locations/eu/publishers/anthropic/models/claude-x@1:streamRawPredict"
    found = call(streamed((f"eu-{vertex}", path), ANTHROPIC | {"model": None}, [(20, sse(START, {"type": "message_stop"}))]))
    assert facts(found, "provider", "model", "input_tokens") == ("gcp.vertex_ai", "claude-x@1", 3210)
    google = path.replace("anthropic", "google").replace("streamRawPredict", "generateContent")
    assert call(asked((f"eu-{vertex}", google), {})).provider == "gcp.vertex_ai"
    assert call(asked(("localhost:4000", "/v1/messages"), ANTHROPIC, {})).provider == "anthropic-compatible"


GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be short."}]},
    "tools": [{"functionDeclarations": [{"name": "ls"}, {"name": "cat"}]}, {"googleSearch": {}}],
    "contents": [{"role": "user", "parts": [{"text": "List."}, {"inlineData": {"mimeType": "image/png", "data": ""}}]},
                 {"role": "model", "parts": [{"functionCall": {"name": "ls", "args": {"path": "/"}}}]},
                 {"role": "user", "parts": [{"functionResponse": {"name": "ls", "response": {"output": "a b"}}}]}]}


def piece(*parts: dict[str, Any], finish: str | None = None, **usage: int) -> dict[str, Any]:
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}, **({"finishReason": finish} if finish else {})}],
            "modelVersion": "gemini-2.5-pro-002", "responseId": "r1", "usageMetadata": usage}


PIECES = [piece({"text": "Hm.", "thought": True}, promptTokenCount=100, cachedContentTokenCount=60),
          piece({"text": "Two "}, promptTokenCount=100, candidatesTokenCount=2),
          piece({"text": "files."}, {"functionCall": {"name": "cat", "args": {"p": 1}}}),
          piece(finish="STOP", promptTokenCount=100, candidatesTokenCount=12, thoughtsTokenCount=8, toolUsePromptTokenCount=5)]


def test_gemini_in_all_its_forms() -> None:
    listed = packed(PIECES)
    events = streamed("gemini", GEMINI, [(11 + 50 * step, sse(one)) for step, one in enumerate(PIECES)])
    array = streamed(("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:streamGenerateContent"), GEMINI,
                     [(11, listed[:300]), (161, listed[300:])], "application/json")
    enveloped = streamed(("cloudcode-pa.googleapis.com", "/v1internal:streamGenerateContent?alt=sse"), {"model": "gemini-2.5-pro", "request": GEMINI},
                         [(11 + 50 * step, sse({"response": one})) for step, one in enumerate(PIECES)])
    for exchange in (events, array, enveloped):
        found = call(exchange)
        assert facts(found, "provider", "operation", "model", "response_model", "response_id", "error", "streamed") == (
            "gcp.gemini", "generate_content", "gemini-2.5-pro", "gemini-2.5-pro-002", "r1", None, True)
        assert facts(found, *USAGE) == (105, 20, 60, None, 8)  # reasoning is output, the cache's part is input
        assert facts(found, "text", "reasoning", "tool_calls", "finish_reasons") == (
            "Two files.", "Hm.", (ToolCall("", "cat", '{"p":1}'),), ("STOP",))
        assert facts(found, "messages", "tools", "system") == (3, ("ls", "cat", "googleSearch"), "Be short.")
        assert found.prompt == (Said("user", "List.", attached=("inlineData",)), Said("model", "", (ToolCall("", "ls", '{"path":"/"}'),)),
                                Said("tool", '{"output":"a b"}', answers="ls"))
        assert found.ttft_ms == 10.0
    assert call(events).tokens_per_s == 200.0
    whole = call(asked(("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent"), GEMINI, PIECES[3] | {
        "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "MAX_TOKENS"}]}))
    assert facts(whole, "text", "finish_reasons", "output_tokens", "streamed", "ttft_ms") == ("x", ("MAX_TOKENS",), 20, False, None)


def test_gemini_refuses() -> None:
    found = call(asked("gemini", GEMINI, [{"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED"}}], status=429))
    assert found.error == "HTTP 429: RESOURCE_EXHAUSTED: Quota."
    blocked = call(streamed("gemini", GEMINI, [(11, sse({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}))]))
    assert facts(blocked, "finish_reasons", "error", *USAGE) == (("SAFETY",), None, 4, None, None, None, None)
    embedding = "generativelanguage.googleapis.com", "/v1beta/models/e:embedContent"
    found = call(asked(embedding, {"content": {"parts": [{"text": "x"}]}}, {"embedding": {}}))
    assert facts(found, "operation", "model", "messages", "prompt") == ("embeddings", "e", 1, (Said("user", "x"),))


OLLAMA: dict[str, Any] = {
    "model": "qwen3", "tools": [{"type": "function", "function": {"name": "ls"}}],
    "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Look.", "images": ["x"]},
                 {"role": "tool", "content": "a", "tool_name": "ls"}]}


def line(**fields: Any) -> bytes:
    return packed({"model": "qwen3:8b", "created_at": "x", "done": False, **fields}) + b"\n"


def test_ollama_streams_lines() -> None:
    found = call(streamed("ollama", OLLAMA, [
        (11, line(message={"role": "assistant", "content": "", "thinking": "Hm"})),
        (61, line(message={"content": "Two "}) + line(message={"content": "files."})),
        (111, line(message={"content": "", "tool_calls": [{"function": {"name": "ls", "arguments": {"path": "/"}}}]})),
        (112, line(message={"content": ""}, done=True, done_reason="stop", prompt_eval_count=26, eval_count=10))], NDJSON))
    assert facts(found, "provider", "operation", "model", "response_model", "streamed", "error", "ttft_ms", "tokens_per_s") == (
        "ollama", "chat", "qwen3", "qwen3:8b", True, None, 10.0, 100.0)
    assert facts(found, "text", "reasoning", "tool_calls", "finish_reasons", "messages", "tools", "system") == (
        "Two files.", "Hm", (ToolCall("", "ls", '{"path":"/"}'),), ("stop",), 3, ("ls",), "Be short.")
    assert facts(found, *USAGE) == (26, 10, None, None, None)
    assert found.prompt == (Said("user", "Look.", attached=("image",)), Said("tool", "a", answers="ls"))


def test_ollama_generates_and_embeds() -> None:
    where = "localhost:11434"
    found = call(streamed((where, "/api/generate"), {"model": "q", "prompt": "Once", "system": "S"}, [
        (11, line(response="upon")), (21, line(response=" a time", done=True, done_reason="length", eval_count=4))], NDJSON))
    assert facts(found, "operation", "text", "finish_reasons", "system", "prompt", "tokens_per_s") == (
        "text_completion", "upon a time", ("length",), "S", (Said("user", "Once"),), 400.0)
    lines = line(response="a") + line(response="b", done=True)
    assert facts(call(asked((where, "/api/generate"), {"model": "q", "prompt": "x"}, lines, "text/plain")), "text", "streamed") == ("ab", True)
    found = call(asked((where, "/api/embed"), {"model": "q", "input": ["a"]}, {"model": "q", "embeddings": [[0.5]], "prompt_eval_count": 3}))
    assert facts(found, "operation", "input_tokens", "error") == ("embeddings", 3, None)
    assert call(asked(("ollama.example", "/api/chat"), OLLAMA, {"error": "model not found"}, status=404)).error == "HTTP 404: model not found"
