"""LLM calls as a conversation: what each of them says that the ones before it had not said yet.

A program sends the whole conversation with every call. Texts are kept once, and each call says which call it carries on, and how many of
its messages are known from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ("LLM_COLUMNS", "Texts", "turns")

LLM_COLUMNS = (
    "number", "provider", "operation", "model", "response_model", "response_id", "started_ns", "first_token_ns", "ended_ns", "ttft_ms",
    "tokens_per_s", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "finish_reasons", "messages",
    "streamed", "error", "retry_of", "pid", "url", "status", "cut",
)
"""The fields of an LLM call that are short: a table of the page. The others are opened when they are looked at."""

_LOOKED_BACK = 64  # calls; several conversations may go on at the same time
_SAID = frozenset(("assistant", "model"))

Message = list[Any]
"""[role, index of its text, id of the tool call that it answers, tool calls as [id, name, index of the arguments], kinds of what is attached]"""


class Texts:
    """Long texts, each once, as far as there is room; 0 is the empty one."""

    def __init__(self, room: int, longest: int) -> None:
        self.all = [""]
        self.left_out = 0
        self._room, self._longest = room, longest
        self._known = {"": 0}

    def index(self, text: str) -> int:
        """The number of a text. What there is no room for is cut, and says so."""
        found = self._known.get(text)
        if found is None:
            kept = text[: max(min(self._longest, self._room), 0)]
            self._room -= len(kept)
            self.left_out += len(kept) < len(text)
            found = self._known[text] = len(self.all)
            self.all.append(kept if len(kept) == len(text) else f"{kept}… ({len(text):,} characters)")
        return found


def turns(calls: Sequence[Mapping[str, Any]], texts: Texts) -> list[dict[str, Any]]:
    """The long parts of each LLM call in the document: its prompt, and what came back."""
    found: list[dict[str, Any]] = []
    prompts: list[list[Message]] = []
    for call in calls:
        prompt = [_message(message, texts) for message in call["prompt"]]
        base, known = _carried_on(call, prompt, calls, prompts)
        prompts.append(prompt)
        found.append({
            "base": base, "known": known, "system": texts.index(call["system"]), "prompt": prompt, "text": texts.index(call["text"]),
            "reasoning": texts.index(call["reasoning"]), "tools": list(call["tools"]), "error": texts.index(call["error"] or ""),
            "tool_calls": _calls(call["tool_calls"], texts),
        })
    return found


def _message(message: Mapping[str, Any], texts: Texts) -> Message:
    return [message["role"], texts.index(message["text"]), message["answers"], _calls(message["tool_calls"], texts), list(message["attached"])]


def _calls(calls: Iterable[Mapping[str, Any]], texts: Texts) -> list[list[Any]]:
    return [[call["id"], call["name"], texts.index(call["arguments"])] for call in calls]


def _carried_on(call: Mapping[str, Any], prompt: list[Message], calls: Sequence[Mapping[str, Any]], prompts: list[list[Message]]) -> tuple[int, int]:
    """The call whose prompt this one begins with, -1 if there is none, and how many messages are known from it."""
    best = (-1, 0)
    for place in range(len(prompts) - 1, max(len(prompts) - 1 - _LOOKED_BACK, -1), -1):
        before = prompts[place]
        if calls[place]["pid"] != call["pid"] or not before:
            continue
        same = _shared(before, prompt)
        if same < len(before) or same <= best[1]:
            continue
        answered = same < len(prompt) and prompt[same][0] in _SAID and calls[place]["error"] is None
        best = place, same + answered  # the message after a whole prompt is what the model has answered
    return best


def _shared(one: Iterable[Message], other: Iterable[Message]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
