"""Ollama's own interface: chat, generate, embeddings."""

from __future__ import annotations

from typing import Any

from report.llm.answer import Answer
from report.llm.asked import Asked, texts
from report.llm.call import ToolCall
from report.llm.loose import at, compact, items, tell, text

__all__ = ("asked", "read")


def asked(body: dict[str, Any]) -> Asked:
    """What a request asks."""
    found = Asked(text(body.get("model")), stream=body.get("stream") is not False)
    if text(body.get("system")):
        found.system.append(body["system"])
    found.tools += filter(None, (text(at(tool, "function", "name")) for tool in items(body.get("tools"))))
    messages = body.get("messages")
    if isinstance(messages, list):
        found.messages = len(messages)
    for message in items(messages):
        content = [{"type": "text", "text": text(at(message, "content"))}, *({"type": "image"} for _ in items(at(message, "images")))]
        found.say(at(message, "role"), content, [_call(call) for call in items(at(message, "tool_calls"))], at(message, "tool_name"))
    plain = texts(body.get("prompt") or body.get("input"))
    if plain:
        found.say("user", plain)
    return found


def read(answer: Answer, value: dict[str, Any], name: str = "") -> None:
    """Take in a response, or one line of it: both have the same form."""
    answer.identify(value.get("model"), "")
    if value.get("error"):
        answer.error = tell(value)
    answer.think(text(at(value, "message", "thinking")) or value.get("thinking"))
    answer.say(at(value, "message", "content"), 0)
    answer.say(value.get("response"), 0)
    for call in items(at(value, "message", "tool_calls")):
        told = _call(call)
        answer.call(("call", answer.calls), told.id, told.name, told.arguments)
    answer.count(input=value.get("prompt_eval_count"), output=value.get("eval_count"))
    if value.get("done") is True:
        answer.finished(value.get("done_reason"))
        answer.ended = True


def _call(call: Any) -> ToolCall:
    return ToolCall(text(at(call, "id")), text(at(call, "function", "name")), compact(at(call, "function", "arguments")))
