"""LLM calls as a conversation: what each of them says that the ones before it had not said yet.

A program sends the whole conversation with every call. Messages and texts are kept once, and each call says which call it carries on, and how many of
its messages are known from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ("LLM_COLUMNS", "Messages", "Texts", "turns")

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


class Messages:
    """The messages of all prompts, each once: a conversation is sent again with every call."""

    def __init__(self, texts: Texts) -> None:
        self.all: list[Message] = []
        self.texts = texts
        self._known: dict[tuple[Any, ...], int] = {}
        self._seen: dict[int, int] = {}  # rows of the document share their messages

    def index(self, message: Mapping[str, Any]) -> int:
        """The number of a message, which has to live on."""
        found = self._seen.get(id(message))
        if found is None:
            told = [message["role"], self.texts.index(message["text"]), message["answers"]]
            calls, attached = self.calls(message["tool_calls"]), list(message["attached"])
            found = self._known.setdefault((*told, tuple(map(tuple, calls)), tuple(attached)), len(self.all))
            if found == len(self.all):
                self.all.append([*told, calls, attached])
            self._seen[id(message)] = found
        return found

    def calls(self, calls: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
        """Tool calls as [id, name, index of the arguments]."""
        return [[call["id"], call["name"], self.texts.index(call["arguments"])] for call in calls]


def turns(calls: Sequence[Mapping[str, Any]], messages: Messages) -> list[dict[str, Any]]:
    """The long parts of each LLM call in the document: its prompt, as numbers of messages, and what came back."""
    found: list[dict[str, Any]] = []
    prompts: list[list[int]] = []
    text = messages.texts.index
    for call in calls:
        prompt = [messages.index(message) for message in call["prompt"]]
        base, known = _carried_on(call, prompt, calls, prompts, messages)
        prompts.append(prompt)
        found.append({
            "base": base, "known": known, "system": text(call["system"]), "prompt": prompt, "text": text(call["text"]),
            "reasoning": text(call["reasoning"]), "tools": list(call["tools"]), "error": text(call["error"] or ""),
            "tool_calls": messages.calls(call["tool_calls"]),
        })
    return found


def _carried_on(call: Mapping[str, Any], prompt: list[int], calls: Sequence[Mapping[str, Any]], prompts: list[list[int]],
                messages: Messages) -> tuple[int, int]:
    """The call whose prompt this one begins with, -1 if there is none, and how many messages are known from it."""
    best = (-1, 0)
    for place in range(len(prompts) - 1, max(len(prompts) - 1 - _LOOKED_BACK, -1), -1):
        before = prompts[place]
        same = len(before)
        if calls[place]["pid"] != call["pid"] or same <= best[1] or prompt[same - 1:same] != before[-1:] or prompt[:same] != before:
            continue
        answered = same < len(prompt) and messages.all[prompt[same]][0] in _SAID and calls[place]["error"] is None
        best = place, same + answered  # the message after a whole prompt is what the model has answered
    return best
