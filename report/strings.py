"""Interned strings by their id, decoded; one that was lost is told from one that is empty."""

from __future__ import annotations

from tracer.kinds import StringFlag
from tracer.session.reader import Session

__all__ = ("Strings",)

_TEXTS_KEPT = 1 << 16  # decoded; the bytes of all are in memory anyway


class Strings:
    """All strings of a session. Bytes that are no UTF-8 come as surrogates, as Python does it for file names."""

    def __init__(self, session: Session) -> None:
        self._entries = session.strings()
        self._texts: dict[int, str | None] = {}

    def text(self, number: int) -> str | None:
        """The string of this id; None if it could not be read in the target, or was lost."""
        texts = self._texts
        if number in texts:
            return texts[number]
        if len(texts) > _TEXTS_KEPT:
            texts.clear()
        data = self.data(number)
        text = texts[number] = None if data is None else data.decode("utf-8", "surrogateescape")
        return text

    def data(self, number: int) -> bytes | None:
        """The bytes of this id; None if they could not be read in the target, or were lost."""
        return self._entries.data(number) if number else None

    def is_cut(self, number: int) -> bool:
        """Whether the string was longer than what was kept of it."""
        entry = self._entries.get(number)
        return entry is not None and bool(entry.flags & StringFlag.CUT)

    def words(self, number: int) -> tuple[tuple[str, ...], str]:
        """A list of arguments, and its state: "whole", "cut" at what is kept, "lost", "unknown" if it could not be read."""
        block = self.text(number)
        if block is None:
            return (), "lost" if number else "unknown"
        return tuple(block.removesuffix("\0").split("\0")), "cut" if self.is_cut(number) else "whole"
