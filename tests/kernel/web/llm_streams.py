"""One answer of a language model in the forms of three interfaces, as a whole and as a stream of events."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ("ANSWERS", "Answer")

Event = dict[str, Any]


@dataclass
class Answer:
    """``words``, or the call of a tool. ``input`` counts cached tokens, ``output`` those of reasoning."""

    model: str
    words: list[str]
    tool: str
    values: dict[str, Any]
    input: int
    output: int
    cached: int
    reasoning: int
    call_id: str = "call_7"

    @property
    def arguments(self) -> str:
        return json.dumps(self.values)

    @property
    def halves(self) -> list[str]:
        """The arguments as they come: in two parts."""
        return [self.arguments[:9], self.arguments[9:]]


def _data(events: list[Event], *, named: bool = False) -> list[bytes]:
    return [(f"event: {event['type']}\n" if named else "").encode() + b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
            for event in events]


def _chat_usage(answer: Answer) -> Event:
    return {"prompt_tokens": answer.input, "completion_tokens": answer.output, "total_tokens": answer.input + answer.output,
            "prompt_tokens_details": {"cached_tokens": answer.cached}, "completion_tokens_details": {"reasoning_tokens": answer.reasoning}}


def _chat_call(answer: Answer, arguments: str) -> Event:
    return {"id": answer.call_id, "type": "function", "function": {"name": answer.tool, "arguments": arguments}}


def _chat(answer: Answer) -> Event:
    message: Event = {"role": "assistant", "content": None if answer.tool else "".join(answer.words)}
    if answer.tool:
        message["tool_calls"] = [_chat_call(answer, answer.arguments)]
    return {"id": "chatcmpl-7", "object": "chat.completion", "created": 1, "model": answer.model, "usage": _chat_usage(answer),
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if answer.tool else "stop"}]}


def _chat_stream(answer: Answer) -> list[bytes]:
    deltas: list[Event] = [{"role": "assistant", "content": ""}]
    if answer.tool:
        first, second = answer.halves
        deltas += [{"tool_calls": [{"index": 0, **_chat_call(answer, first)}]}, {"tool_calls": [{"index": 0, "function": {"arguments": second}}]}]
    else:
        deltas += [{"content": word} for word in answer.words]
    base = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1, "model": answer.model}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if answer.tool else "stop"}]})
    chunks.append({**base, "choices": [], "usage": _chat_usage(answer)})
    return [*_data(chunks), b"data: [DONE]\n\n"]


def _item(answer: Answer, done: bool) -> Event:
    status = "completed" if done else "in_progress"
    if answer.tool:
        return {"type": "function_call", "id": "fc_7", "call_id": answer.call_id, "name": answer.tool, "status": status,
                "arguments": answer.arguments if done else ""}
    part = {"type": "output_text", "text": "".join(answer.words), "annotations": []}
    return {"type": "message", "id": "msg_7", "role": "assistant", "status": status, "content": [part] if done else []}


def _responses(answer: Answer, done: bool = True) -> Event:
    usage = {"input_tokens": answer.input, "input_tokens_details": {"cached_tokens": answer.cached}, "output_tokens": answer.output,
             "output_tokens_details": {"reasoning_tokens": answer.reasoning}, "total_tokens": answer.input + answer.output}
    return {"id": "resp_7", "object": "response", "created_at": 1, "model": answer.model, "status": "completed" if done else "in_progress",
            "output": [_item(answer, True)] if done else [], "usage": usage if done else None}


def _responses_stream(answer: Answer) -> list[bytes]:
    item, place = _item(answer, True)["id"], {"output_index": 0, "content_index": 0}
    events: list[Event] = [{"type": "response.created", "response": _responses(answer, done=False)},
                           {"type": "response.output_item.added", "output_index": 0, "item": _item(answer, False)}]
    if answer.tool:
        events += [{"type": "response.function_call_arguments.delta", "item_id": item, "output_index": 0, "delta": half} for half in answer.halves]
        events += [{"type": "response.function_call_arguments.done", "item_id": item, "output_index": 0, "arguments": answer.arguments}]
    else:
        events += [{"type": "response.output_text.delta", "item_id": item, **place, "delta": word} for word in answer.words]
        events += [{"type": "response.output_text.done", "item_id": item, **place, "text": "".join(answer.words)}]
    events += [{"type": "response.output_item.done", "output_index": 0, "item": _item(answer, True)},
               {"type": "response.completed", "response": _responses(answer)}]
    return _data([{**event, "sequence_number": number} for number, event in enumerate(events)], named=True)


def _messages_usage(answer: Answer) -> Event:
    """Here, what was read from a cache is not in ``input_tokens``."""
    return {"input_tokens": answer.input - answer.cached, "cache_read_input_tokens": answer.cached, "cache_creation_input_tokens": 0}


def _messages(answer: Answer) -> Event:
    block = {"type": "tool_use", "id": answer.call_id, "name": answer.tool, "input": answer.values} if answer.tool else {
        "type": "text", "text": "".join(answer.words)}
    return {"id": "msg_7", "type": "message", "role": "assistant", "model": answer.model, "content": [block],
            "stop_reason": "tool_use" if answer.tool else "end_turn", "stop_sequence": None,
            "usage": {**_messages_usage(answer), "output_tokens": answer.output}}


def _messages_stream(answer: Answer) -> list[bytes]:
    whole = _messages(answer)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**_messages_usage(answer), "output_tokens": 1}}
    if answer.tool:
        block: Event = {**whole["content"][0], "input": {}}
        deltas: list[Event] = [{"type": "input_json_delta", "partial_json": half} for half in answer.halves]
    else:
        block, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in answer.words]
    return _data([
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block}, {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": answer.output}},
        {"type": "message_stop"},
    ], named=True)


ANSWERS: dict[str, tuple[Callable[[Answer], Event], Callable[[Answer], list[bytes]]]] = {
    "chat": (_chat, _chat_stream), "responses": (_responses, _responses_stream), "messages": (_messages, _messages_stream)}
