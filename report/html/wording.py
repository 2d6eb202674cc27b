"""The texts that calls name: paths, argument lists, socket addresses, each once."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from report.html.gate import Gate
from report.html.texts import shown, shown_each, typed
from tracer.kinds import StringFlag
from tracer.session.reader import Session
from tracer.session.strings import StringEntry

__all__ = ("SPOKEN", "Wording", "socket_address")

_MOST_TEXT = 1 << 26  # signs of all texts together
_LEFT_OUT = "(text left out)"


class Wording:
    """Numbers the texts, each kind of argument for itself; 0 is what could not be read, or was lost."""

    def __init__(self, session: Session, gate: Gate) -> None:
        self.texts = [""]
        self._gate = gate
        self._entries = session.strings()
        self._room = _MOST_TEXT
        self._known: dict[str, dict[int, int]] = {kind: {} for kind in _READERS}

    def indices(self, ids: NDArray[np.uint64], kind: str) -> NDArray[np.uint64]:
        """The index of the text of each id; ``kind`` is one of SPOKEN."""
        different, places = np.unique(ids, return_inverse=True)
        known = self._known[kind]
        fresh = np.array([number for number in different.tolist() if number not in known], np.uint64)
        found = [(number, entry) for number, entry in zip(fresh.tolist(), self._entries.many(fresh), strict=True) if number and entry is not None]
        known |= dict.fromkeys(fresh.tolist(), 0)
        for (number, _), text in zip(found, _READERS[kind]([entry for _, entry in found], self._gate), strict=True):
            known[number] = self._add(text)
        rows: NDArray[np.uint64] = np.array([known[number] for number in different.tolist()], np.uint64)[places]
        return rows

    def numbers(self, texts: Sequence[str]) -> list[int]:
        """The indices of texts that no argument holds."""
        return [self._add(shown(text)) for text in self._gate.texts(texts)]

    def _add(self, text: str) -> int:
        self._room -= len(text)
        self.texts.append(text if self._room >= 0 else _LEFT_OUT)
        return len(self.texts) - 1


def _texts(entries: Sequence[StringEntry], gate: Gate) -> list[str]:
    texts = shown_each(gate.texts([entry.data.decode("utf-8", "surrogateescape") for entry in entries]))
    cut = int(StringFlag.CUT)
    return [f"{text}…" if entry.flags & cut else text for text, entry in zip(texts, entries, strict=True)]


def _commands(entries: Sequence[StringEntry], gate: Gate) -> list[str]:
    lines = (gate.words(entry.data.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")) for entry in entries)
    return [typed(words) + (" …" if entry.flags & StringFlag.CUT else "") for words, entry in zip(lines, entries, strict=True)]


def _addresses(entries: Sequence[StringEntry], gate: Gate) -> list[str]:
    return [shown(address) for address in gate.texts([socket_address(entry.data) for entry in entries])]


_READERS: dict[str, Callable[[Sequence[StringEntry], Gate], list[str]]] = {
    "path": _texts, "string": _texts, "argv": _commands, "sockaddr": _addresses}
SPOKEN = frozenset(_READERS)
"""The kinds of arguments whose values are ids of texts."""


def socket_address(raw: bytes) -> str:
    """A sockaddr as people write it: 127.0.0.1:80, [::1]:80, a path, @name; its family where nothing more is known."""
    family = int.from_bytes(raw[:2], "little")
    if family == socket.AF_INET and len(raw) >= 8:
        return f"{socket.inet_ntop(socket.AF_INET, raw[4:8])}:{struct.unpack('>H', raw[2:4])[0]}"
    if family == socket.AF_INET6 and len(raw) >= 24:
        return f"[{socket.inet_ntop(socket.AF_INET6, raw[8:24])}]:{struct.unpack('>H', raw[2:4])[0]}"
    if family == socket.AF_UNIX:
        path = raw[2:]
        name = b"@" + path[1:].rstrip(b"\0") if path.startswith(b"\0") else path.partition(b"\0")[0]
        return name.decode("utf-8", "surrogateescape") or "(unnamed)"
    try:
        return socket.AddressFamily(family).name
    except ValueError:
        return f"address family {family}"
