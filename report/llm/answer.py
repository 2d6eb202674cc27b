"""What a model answers, gathered from a whole response or from the events of a stream."""

from __future__ import annotations

from typing import Any

from report.llm.call import ToolCall
from report.llm.loose import text, whole

__all__ = ("Answer",)

_MOST_CALLS = 1 << 12
Key = tuple[int | str, ...]


class Answer:
    """Grows event by event, if it is ``streamed``; ``now`` is when the current one arrived, None where nobody noted it."""

    def __init__(self, streamed: bool) -> None:
        self.streamed = streamed
        self.model = self.id = ""
        self.usage: dict[str, int] = {}  # input, output, cached, cache_write, reasoning
        self.finish: list[str] = []
        self.error = ""
        self.ended = False  # its last event was there
        self.now: int | None = None
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.part = 0  # of the text that is being said, where a dialect counts them so
        self._texts: dict[Key, list[str]] = {}
        self._thoughts: list[str] = []
        self._calls: dict[Key, list[str]] = {}  # id, name, and the pieces of the arguments

    @property
    def text(self) -> str:
        """All texts, in the order in which they began."""
        return "\n\n".join(filter(None, ("".join(parts) for parts in self._texts.values())))

    @property
    def reasoning(self) -> str:
        return "".join(self._thoughts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(number, name, "".join(parts)) for number, name, *parts in self._calls.values())

    def identify(self, model: Any, number: Any) -> None:
        """Who answers: told once."""
        self.model = self.model or text(model)
        self.id = self.id or text(number)

    def say(self, words: Any, *key: int | str) -> None:
        """Text of one of the parts of an answer."""
        if text(words):
            self._texts.setdefault(key, []).append(words)
            self._came()

    def think(self, words: Any) -> None:
        """Reasoning that is shown."""
        if text(words):
            self._thoughts.append(words)
            self._came()

    def call(self, key: Key, number: Any, name: Any, arguments: Any) -> None:
        """A tool call, or the next piece of its arguments: all of one have the same key."""
        number, name, arguments = text(number), text(name), text(arguments)
        entry = self._calls.get(key)
        if entry is not None and number and entry[0] not in ("", number):  # some servers number all of them 0
            key = (*key, number)
            entry = self._calls.get(key)
        if entry is None:
            if len(self._calls) == _MOST_CALLS:
                return
            entry = self._calls[key] = ["", ""]
        entry[0] = entry[0] or number
        entry[1] = entry[1] or name
        if arguments:
            entry.append(arguments)
        self._came()

    @property
    def calls(self) -> int:
        """How many tool calls there are."""
        return len(self._calls)

    def has_text(self, *key: int | str) -> bool:
        """Whether something of this part is known."""
        return key in self._texts

    def has_call(self, key: Key) -> bool:
        """Whether something of the arguments of this call is known."""
        return len(self._calls.get(key, ())) > 2

    def finished(self, reason: Any) -> None:
        """Why it ended, or one of its choices."""
        if text(reason) and len(self.finish) < _MOST_CALLS:
            self.finish.append(reason)

    def count(self, **tokens: Any) -> None:
        """Tokens so far: later numbers take the place of earlier ones, what is no number does not."""
        for name, told in tokens.items():
            number = whole(told)
            if number is not None:
                self.usage[name] = number

    def _came(self) -> None:
        if self.now is not None:
            self.first_ns = self.now if self.first_ns is None else self.first_ns
            self.last_ns = self.now
