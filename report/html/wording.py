"""The texts that calls name: paths, argument lists, socket addresses, each once."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from report.html.texts import shown, typed
from report.strings import Strings
from tracer.session.reader import Session

__all__ = ("Wording", "socket_address")

_MOST_TEXT = 1 << 26  # signs of all texts together
_LEFT_OUT = "(text left out)"


class Wording:
    """Numbers the texts in the order in which they are first asked for; 0 is what could not be read, or was lost."""

    def __init__(self, session: Session, strings: Strings) -> None:
        self.texts = [""]
        self._strings = strings
        self._entries = session.strings()
        self._room = _MOST_TEXT
        self._known: dict[tuple[str, int], int] = {}
        self._read: dict[str, Callable[[int], str | None]] = {
            "path": self._text, "string": self._text, "argv": self._words, "sockaddr": self._address}

    @property
    def spoken(self) -> frozenset[str]:
        """The kinds of arguments whose values are ids of texts."""
        return frozenset(self._read)

    def indices(self, ids: NDArray[np.uint64], kind: str) -> NDArray[np.uint64]:
        """The index of the text of each id."""
        different, places = np.unique(ids, return_inverse=True)
        found: NDArray[np.uint64] = np.array([self._index(number, kind) for number in different.tolist()], np.uint64)[places]
        return found

    def _index(self, number: int, kind: str) -> int:
        found = self._known.get((kind, number))
        if found is None:
            text = self._read[kind](number)
            found = 0 if text is None else self._add(text)
            self._known[kind, number] = found
        return found

    def _add(self, text: str) -> int:
        self._room -= len(text)
        self.texts.append(text if self._room >= 0 else _LEFT_OUT)
        return len(self.texts) - 1

    def _text(self, number: int) -> str | None:
        text = self._strings.text(number)
        return None if text is None else shown(text) + ("…" if self._strings.is_cut(number) else "")

    def _words(self, number: int) -> str | None:
        words, state = self._strings.words(number)
        return typed(words) + (" …" if state == "cut" else "") if state in ("whole", "cut") else None

    def _address(self, number: int) -> str | None:
        entry = self._entries.get(number) if number else None
        return None if entry is None else shown(socket_address(bytes(entry.data)))


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
