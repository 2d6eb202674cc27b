"""OpenAI's chat completions, its older completions and embeddings, and all who took the form over: OpenRouter, vLLM, LM Studio, Groq, Mistral, ..."""

from __future__ import annotations

from typing import Any

from report.llm.answer import Answer
from report.llm.asked import Asked, texts
from report.llm.call import ToolCall
from report.llm.loose import at, compact, items, mapping, named, tell, text, whole

__all__ = ("asked", "read")


def asked(body: dict[str, Any]) -> Asked:
    """What a request asks."""
    found = Asked(text(body.get("model")), stream=body.get("stream") is True)
    for tool in items(body.get("tools")):
        name = text(at(tool, "function", "name")) or text(at(tool, "name")) or text(at(tool, "type"))
        found.tools += [name] if name else []
    found.tools += named(body.get("functions"))
    messages = body.get("messages")
    if isinstance(messages, list):
        found.messages = len(messages)
    for message in items(messages):
        calls = [_call(call) for call in items(at(message, "tool_calls"))]
        found.say(at(message, "role"), at(message, "content"), calls, at(message, "tool_call_id") or "")
    plain = texts(body.get("prompt") or body.get("input"))
    if plain:
        found.say("user", plain)
    return found


def read(answer: Answer, value: dict[str, Any], name: str = "") -> None:
    """Take in a response, or one event of it: both have choices, with a message or what is new in it."""
    answer.identify(value.get("model"), value.get("id"))
    if value.get("error"):
        answer.error = tell(value)
    for place, choice in enumerate(items(value.get("choices"))):
        index = whole(at(choice, "index"))
        _choice(answer, mapping(choice), place if index is None else index)
    for usage in (at(value, "choices", 0, "usage"), at(value, "x_groq", "usage"), value.get("usage")):
        if isinstance(usage, dict):  # most events have none
            _usage(answer, usage)


def _usage(answer: Answer, usage: dict[str, Any]) -> None:
    cached = at(usage, "prompt_tokens_details", "cached_tokens")
    answer.count(
        input=at(usage, "prompt_tokens"), output=at(usage, "completion_tokens"),
        cached=at(usage, "prompt_cache_hit_tokens") if cached is None else cached,
        cache_write=at(usage, "prompt_tokens_details", "cache_write_tokens"),
        reasoning=at(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _choice(answer: Answer, choice: dict[str, Any], index: int) -> None:
    part = mapping(choice.get("delta") or choice.get("message"))
    answer.think(text(part.get("reasoning_content")) or text(part.get("reasoning")))
    content = part.get("content")
    if isinstance(content, str):
        answer.say(content, index)
    else:
        for chunk in items(content):  # Mistral's
            answer.think("".join(text(at(thought, "text")) for thought in items(at(chunk, "thinking"))))
        answer.say(texts(content), index)
    answer.say(part.get("refusal"), index)
    answer.say(choice.get("text"), index)
    for place, call in enumerate(items(part.get("tool_calls"))):
        number = whole(at(call, "index"))
        told = _call(call)
        answer.call((index, place if number is None else number), told.id, told.name, told.arguments)
    if part.get("function_call"):
        answer.call((index, "function"), "", at(part, "function_call", "name"), at(part, "function_call", "arguments"))
    if text(choice.get("finish_reason")):
        answer.finished(choice["finish_reason"])
        answer.ended = True
    if choice.get("error"):
        answer.error = tell(choice)


def _call(call: Any) -> ToolCall:
    name = at(call, "function", "name") or at(call, "custom", "name")
    arguments = at(call, "function", "arguments")
    return ToolCall(text(at(call, "id")), text(name), compact(at(call, "custom", "input") if arguments is None else arguments))
