"""Anthropic's messages."""

from __future__ import annotations

from typing import Any

from report.llm.answer import Answer
from report.llm.asked import Asked, texts
from report.llm.call import Said, ToolCall
from report.llm.loose import at, compact, items, mapping, named, tell, text, whole

__all__ = ("asked", "read")

_USES = ("tool_use", "server_tool_use", "mcp_tool_use")


def asked(body: dict[str, Any]) -> Asked:
    """What a request asks."""
    found = Asked(text(body.get("model")), stream=body.get("stream") is True, tools=named(body.get("tools")))
    system = texts(body.get("system"))
    found.system += [system] if system else []
    messages = body.get("messages")
    if isinstance(messages, list):
        found.messages = len(messages)
    for message in items(messages):
        content = at(message, "content")
        results = [part for part in items(content) if text(at(part, "type")).endswith("tool_result")]
        for result in results:
            found.prompt.append(Said("tool", texts(at(result, "content")), answers=text(at(result, "tool_use_id"))))
        if isinstance(content, str):
            found.say(at(message, "role"), content)
            continue
        calls = [_use(part) for part in items(content) if at(part, "type") in _USES]
        rest = [part for part in items(content) if at(part, "type") not in _USES and part not in results]
        if rest or calls or not results:
            found.say(at(message, "role"), rest, calls)
    return found


def read(answer: Answer, value: dict[str, Any], name: str = "") -> None:
    """Take in a response, or one event of it."""
    kind = text(value.get("type")) or name
    index = whole(value.get("index")) or 0
    if kind == "message":
        _message(answer, value)
        for place, block in enumerate(items(value.get("content"))):
            _block(answer, block, place)
        _stop(answer, value)
        answer.ended = True
    elif kind == "message_start":
        _message(answer, mapping(value.get("message")))
    elif kind == "content_block_start":
        _block(answer, value.get("content_block"), index)
    elif kind == "content_block_delta":
        delta = mapping(value.get("delta"))
        answer.say(delta.get("text"), answer.part)
        answer.think(delta.get("thinking"))
        if "partial_json" in delta:
            answer.call((index,), "", "", delta["partial_json"])
    elif kind == "message_delta":
        _stop(answer, mapping(value.get("delta")))
        _usage(answer, value.get("usage"))
        answer.count(output=at(value, "usage", "output_tokens"))
    elif kind == "message_stop":
        answer.ended = True
    elif kind == "error" or value.get("error"):
        answer.error = tell(value)


def _message(answer: Answer, message: dict[str, Any]) -> None:
    answer.identify(message.get("model"), message.get("id"))
    _usage(answer, message.get("usage"))
    if message.get("stop_reason"):  # else it has only begun, and its output is not counted yet
        answer.count(output=at(message, "usage", "output_tokens"))


def _stop(answer: Answer, part: dict[str, Any]) -> None:
    answer.finished(part.get("stop_reason"))


def _block(answer: Answer, block: Any, index: int) -> None:
    """A block of the answer: one of a stream is still empty."""
    kind = at(block, "type")
    if kind == "text":
        answer.say(at(block, "text"), answer.part)
        return
    answer.part = index + 1  # the next text is another one
    if kind == "thinking":
        answer.think(at(block, "thinking"))
    elif kind in _USES:
        use = _use(block)
        answer.call((index,), use.id, use.name, "" if at(block, "input") == {} and answer.streamed else use.arguments)


def _usage(answer: Answer, usage: Any) -> None:
    """Input tokens are told without those that a cache had, and those that it has now."""
    answer.count(fresh=at(usage, "input_tokens"), cached=at(usage, "cache_read_input_tokens"), cache_write=at(usage, "cache_creation_input_tokens"))
    told = answer.usage
    if "fresh" in told:
        answer.count(input=told["fresh"] + told.get("cached", 0) + told.get("cache_write", 0))


def _use(block: Any) -> ToolCall:
    return ToolCall(text(at(block, "id")), text(at(block, "name")), compact(at(block, "input")))
