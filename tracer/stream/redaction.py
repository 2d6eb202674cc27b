"""Takes secrets out of what the worker itself writes: command lines, paths, what was open at the beginning. Used by the writer thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.secrets.redactor import Redactor

if TYPE_CHECKING:
    from tracer.stream.decode import Columns

__all__ = ("Redaction",)

_ENVIRONMENTS = 4096  # different ones that are remembered


class Redaction:
    """``learned`` is told of each environment that is new: the scribe looks for the same secrets."""

    def __init__(self, key: bytes, enabled: bool, learned: Callable[[dict[str, str]], None]) -> None:
        self._redactor = Redactor(key, enabled=enabled)
        self._learned = learned
        self._known: set[int] = set()

    @property
    def counts(self) -> dict[str, int]:
        """How many secrets were taken out, by kind."""
        return {kind: count for kind, count in self._redactor.counts.items() if count}

    def learn(self, variables: dict[str, str]) -> None:
        """What a process was started with."""
        if not self._redactor.enabled:
            return
        number = hash(frozenset(variables.items()))
        if variables and number not in self._known and len(self._known) < _ENVIRONMENTS:
            self._known.add(number)
            self._redactor.learn(variables)
            self._learned(variables)

    def meta(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """The session's own facts."""
        return {**meta, "command": self._redactor.words(meta["command"])}

    def snapshot(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """What processes had open, and their arguments."""
        text, words = self._redactor.text, self._redactor.words
        found = dict(part)
        for name, fields in (("files", ("path",)), ("processes", ("exe", "cwd"))):
            found[name] = [{**entry, **{field: text(entry[field]) for field in fields if entry.get(field)}} for entry in part.get(name, ())]
        for entry in found["processes"]:
            entry["argv"] = words(entry["argv"])
        return {name: entries for name, entries in found.items() if name in part}

    def strings(self, columns: Columns) -> Columns:
        """Interned strings."""
        kept = columns["kept"]
        pieces = self._redactor.strings(columns["data"].tobytes(), kept.tolist())
        if pieces is None:
            return columns
        lengths = np.array([len(piece) for piece in pieces], np.uint32)
        return {
            **columns, "kept": lengths, "length": (columns["length"] - kept + lengths).astype(np.uint32),
            "data": np.frombuffer(b"".join(pieces), np.uint8),
        }
