"""Texts from a traced program made safe to show, and numbers made easy to read.

Paths and arguments are bytes that a program chose. They reach Python decoded with surrogateescape and may hold line
ends, terminal escape sequences, bidirectional overrides or bytes that are no UTF-8: none of them may reach a terminal.
"""

from __future__ import annotations

import json
import shlex
import unicodedata
from typing import Any

__all__ = ("JSON_ESCAPES", "as_json", "command_line", "count", "duration", "size", "visible")

_NAMED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}

# JSON itself escapes only C0 controls. These may stand in it unescaped, and act on a terminal that shows it.
JSON_ESCAPES = {
    code: f"\\u{code:04x}"
    for code in range(0x7F, 0x10000)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
}

_DURATIONS = (("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000))
_SIZES = (("B", 1), ("kB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12), ("PB", 10**15))


def visible(text: str) -> str:
    """The text with whatever cannot be seen spelled out: ``\\n``, ``\\e``, ``\\xff`` for a byte, ``\\u202e`` for a sign."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_visible_char, text))


def command_line(words: tuple[str, ...] | list[str]) -> str:
    """The words as one would type them in a shell: quoted where needed, ``$'...'`` where a word cannot be shown as it is."""
    return " ".join(shlex.quote(word) if word.isprintable() else "$'" + visible(word).replace("'", "\\'") + "'" for word in words)


def as_json(value: Any, indent: int | None = None) -> str:
    """One JSON document in valid UTF-8 that is safe on a terminal; bytes that are no UTF-8 stand as ``\\udcNN``."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"), allow_nan=False)
    return text if text.isascii() and "\x7f" not in text else text.translate(JSON_ESCAPES)


def count(number: int) -> str:
    """``1234567`` as ``1,234,567``."""
    return f"{number:,}"


def duration(nanoseconds: float) -> str:
    """A time in three digits (``380 ns``, ``1.23 ms``), from a minute on in two units (``2m 05s``)."""
    sign = "-" if nanoseconds < 0 else ""
    nanoseconds = abs(nanoseconds)
    if nanoseconds < 59_950_000_000:
        return sign + _scaled(nanoseconds, _DURATIONS)
    seconds = round(nanoseconds / 1e9)
    for large, small, name, fine, unit in ((86400, 3600, "d", "h", 2), (3600, 60, "h", "m", 2), (60, 1, "m", "s", 2)):
        if seconds >= large:
            return f"{sign}{seconds // large}{name} {seconds % large // small:0{unit}d}{fine}"
    return f"{sign}{seconds} s"


def size(octets: float) -> str:
    """A number of bytes in three digits and powers of 1000: ``999 B``, ``1.50 MB``."""
    return ("-" if octets < 0 else "") + _scaled(abs(octets), _SIZES)


def _scaled(value: float, units: tuple[tuple[str, int], ...]) -> str:
    name, factor = next((unit for unit in units if value / unit[1] < 999.5), units[-1])
    scaled = value / factor
    if factor == 1:
        return f"{scaled:.0f} {name}"
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {name}"


def _visible_char(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
