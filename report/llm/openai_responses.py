"""OpenAI's responses."""

from __future__ import annotations

from typing import Any

from report.llm.answer import Answer
from report.llm.asked import Asked, texts
from report.llm.call import Said, ToolCall
from report.llm.loose import at, compact, items, mapping, tell, text, whole

__all__ = ("asked", "read")

_TEXT = ("response.output_text.delta", "response.refusal.delta")
_THOUGHT = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ARGUMENTS = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta", "response.mcp_call_arguments.delta")
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_CALLS = ("function_call", "custom_tool_call", "mcp_call")


def asked(body: dict[str, Any]) -> Asked:
    """What a request asks."""
    found = Asked(text(body.get("model")), stream=body.get("stream") is True)
    if text(body.get("instructions")):
        found.system.append(body["instructions"])
    for tool in items(body.get("tools")):
        name = text(at(tool, "name")) or text(at(tool, "type"))
        found.tools += [name] if name else []
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if isinstance(given, list):
        found.messages = len(given)
    for item in items(given):
        kind = text(at(item, "type"))
        if at(item, "role"):
            found.say(at(item, "role"), at(item, "content"))
        elif kind in _CALLS:
            found.prompt.append(Said("assistant", "", (_call(item),)))
        elif kind.endswith("_output"):
            output = at(item, "output")
            found.prompt.append(Said("tool", texts(output) or compact(output), answers=text(at(item, "call_id"))))
        elif kind:
            found.prompt.append(Said("assistant", "", attached=(kind,)))
    return found


def read(answer: Answer, value: dict[str, Any], name: str = "") -> None:
    """Take in a response, or one event of it."""
    kind = text(value.get("type")) or name
    index = whole(value.get("output_index")) or 0
    delta = value.get("delta")
    if kind in _TEXT:
        answer.say(delta, index, whole(value.get("content_index")) or 0)
    elif kind in _THOUGHT:
        answer.think(delta)
    elif kind in _ARGUMENTS:
        answer.call((index,), "", "", delta)
    elif kind == "response.output_item.added" and at(value, "item", "type") in _CALLS:
        answer.call((index,), at(value, "item", "call_id"), at(value, "item", "name"), "")
    elif kind == "response.output_item.done":
        _item(answer, value.get("item"), index)
    elif kind == "error":
        answer.error = tell(value)
    response = mapping(value if value.get("object") == "response" else value.get("response"))
    if response:
        _response(answer, response)
    elif not kind and value.get("error"):
        answer.error = tell(value)
    answer.ended |= kind in _ENDS


def _response(answer: Answer, response: dict[str, Any]) -> None:
    answer.identify(response.get("model"), response.get("id"))
    for index, item in enumerate(items(response.get("output"))):
        _item(answer, item, index)
    usage = mapping(response.get("usage"))
    answer.count(
        input=at(usage, "input_tokens"), output=at(usage, "output_tokens"), cached=at(usage, "input_tokens_details", "cached_tokens"),
        reasoning=at(usage, "output_tokens_details", "reasoning_tokens"),
    )
    if response.get("status") in ("completed", "incomplete", "failed", "cancelled"):
        answer.finished(at(response, "incomplete_details", "reason") or response["status"])
        answer.ended = True
    if response.get("error"):
        answer.error = tell(response)


def _item(answer: Answer, item: Any, index: int) -> None:
    """A part of the answer when it is whole: what its events have told already is not told again."""
    kind = at(item, "type")
    if kind in _CALLS and not answer.has_call((index,)):
        call = _call(item)
        answer.call((index,), call.id, call.name, call.arguments)
    elif kind == "message":
        for place, part in enumerate(items(at(item, "content"))):
            if not answer.has_text(index, place):
                answer.say(texts([part]), index, place)
    elif kind == "reasoning" and not answer.reasoning:
        answer.think(texts(at(item, "content")) or texts(at(item, "summary")))


def _call(item: Any) -> ToolCall:
    arguments = at(item, "arguments")
    return ToolCall(text(at(item, "call_id")) or text(at(item, "id")), text(at(item, "name")),
                    compact(at(item, "input") if arguments is None else arguments))
