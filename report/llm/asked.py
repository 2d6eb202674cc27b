"""What a request asks of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from report.llm.call import Said, ToolCall
from report.llm.loose import at, compact, items, text

__all__ = ("Asked", "attached", "texts")

_SYSTEM = ("system", "developer")


@dataclass
class Asked:
    """One request."""

    model: str = ""
    system: list[str] = field(default_factory=list)
    prompt: list[Said] = field(default_factory=list)
    messages: int | None = None  # of which the prompt tells; None: it is not a list of messages
    tools: list[str] = field(default_factory=list)
    stream: bool = False

    def say(self, role: Any, content: Any, calls: Sequence[ToolCall] = (), answers: Any = "") -> None:
        """The next message. What stands before all others in the name of the system is told apart."""
        said = texts(content)
        if text(role) in _SYSTEM and not self.prompt:
            self.system.append(said)
        else:
            self.prompt.append(Said(text(role), said, tuple(calls), text(answers), attached(content)))


def texts(content: Any) -> str:
    """The texts in the content of a message: a text, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    found = []
    for part in items(content):
        if isinstance(part, str):
            found.append(part)
        elif isinstance(at(part, "text"), str):
            found.append(part["text"])
        elif at(part, "type") == "refusal":
            found.append(text(at(part, "refusal")))
        elif at(part, "type") == "json":
            found.append(compact(at(part, "json")))
    return "\n".join(filter(None, found))


def attached(content: Any) -> tuple[str, ...]:
    """The kinds of parts that are no texts."""
    kinds = (text(at(part, "type")) for part in items(content) if not isinstance(at(part, "text"), str))
    return tuple(kind.removeprefix("input_").removesuffix("_url") for kind in kinds if kind and kind not in ("refusal", "json"))
