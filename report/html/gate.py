"""The second gate for secrets: every text that a traced program chose passes it on its way into the page.

The first one is the tracer's, before anything reaches the disk. This one is there for sessions that were written without it, or by an
ebtrace that knew fewer kinds of secrets. It knows none itself: whoever makes a page hands in what finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tracer.session.exchanges import Exchange

__all__ = ("Gate", "Redactor")

_COMMANDS = frozenset(("argv", "command"))  # fields of the document that hold command lines, word by word
_OURS = frozenset(("ledger", "tracer", "syscalls"))  # parts of the document in which nothing is the traced program's


class Redactor(Protocol):
    """What takes secrets out of texts."""

    def text(self, text: str) -> str:
        """The text without its secrets."""
        ...

    def words(self, words: Sequence[str]) -> list[str]:
        """A command line without its secrets."""
        ...

    def exchange(self, exchange: Exchange) -> None:
        """Take them out of all parts of an exchange."""
        ...


class Gate:
    """Lets texts through without their secrets; without a redactor all of them, as they are."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor
        self._taken: dict[str, str] = {}  # words that were taken out of command lines: titles repeat them

    def texts(self, texts: Sequence[str]) -> list[str]:
        """These texts. All of them together are looked through first: most often nothing is in any."""
        if not self._redactor or self._are_clean(texts):
            return list(texts)
        return [self._text(text) for text in texts]

    def words(self, words: Sequence[str]) -> list[str]:
        """A command line."""
        if not self._redactor:
            return list(words)
        found = self._redactor.words(words)
        self._taken |= {word: other for word, other in zip(words, found, strict=True) if word != other}
        return found

    def exchange(self, exchange: Exchange) -> None:
        """An exchange, in place."""
        if self._redactor:
            self._redactor.exchange(exchange)

    def document(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document of `ebtrace stats --json`: command lines first, then all that may repeat them."""
        if not self._redactor:
            return document
        commands: dict[str, Any] = _mapped(document, lambda text: text, self.words)
        found: list[str] = []
        _gather(commands, found)
        clean = self._are_clean(found)
        return {name: part if clean or name in _OURS else _mapped(part, self._text, list) for name, part in commands.items()}

    def _are_clean(self, texts: Sequence[str]) -> bool:
        together = "\n".join(texts)
        return self._text(together) == together

    def _text(self, text: str) -> str:
        assert self._redactor
        for word, other in self._taken.items():
            text = text.replace(word, other)
        return self._redactor.text(text)


def _gather(value: Any, found: list[str]) -> None:
    """All texts in plain data."""
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            _gather(part, found)


def _mapped(value: Any, text: Callable[[str], str], words: Callable[[Sequence[str]], list[str]], name: str = "") -> Any:
    """Plain data with its texts changed; what stands under a name keeps the name."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {key: _mapped(part, text, words, str(key)) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        if name in _COMMANDS and all(isinstance(word, str) for word in value):
            return words(value)
        return [_mapped(part, text, words) for part in value]
    return value
