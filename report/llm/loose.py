"""JSON from strangers: parsed within bounds, and read without trust. What is not what it should be counts as not told."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

__all__ = ("at", "compact", "items", "mapping", "named", "parse", "parse_start", "tell", "text", "whole")

_LIMIT = 8 << 20  # bytes of one value, whose objects take up to 30 times as much memory
_CUT_LIMIT = 2 << 20  # bytes of one that was cut, which are looked at one by one
_DIGITS = 18
_LARGEST = 1 << 53  # what JSON's readers agree upon
_DEPTH = 200

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STRING_START = re.compile(r'"[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*', re.DOTALL)  # as far as it is sound
_TOKEN = re.compile(r'[\[\]{}:,"]|[^\s\[\]{}:,"]+')


def parse(data: bytes | str) -> Any:
    """The value of a JSON text; None if it is none."""
    if len(data) > _LIMIT:
        return None
    try:
        return _DECODER.decode(data.decode("utf-8", "replace") if isinstance(data, bytes) else data)
    except (ValueError, RecursionError, MemoryError):
        return None


def parse_start(data: bytes) -> tuple[Any, bool]:
    """The value of a JSON text of which the end may be missing, as far as it goes, and whether it is whole."""
    found = parse(data)
    if found is not None:
        return found, True
    closed = _closed(data[:_CUT_LIMIT].decode("utf-8", "ignore"))
    return (None if closed is None else parse(closed)), False


def at(value: Any, *path: str | int) -> Any:
    """What stands in maps and lists under these names and places; None if nothing does."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def mapping(value: Any) -> dict[str, Any]:
    """A map; empty if it is none."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list; empty if it is none."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text; empty if it is none."""
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int | None:
    """A number of things: a whole number that is not negative."""
    if isinstance(value, float) and isfinite(value) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < _LARGEST else None


def compact(value: Any) -> str:
    """A value as JSON; a text as it is; nothing for None."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return ""


def named(entries: Any) -> list[str]:
    """The names in a list of maps."""
    return [name for name in (text(at(entry, "name")) for entry in items(entries)) if name]


def tell(error: Any) -> str:
    """What an error says, in the forms in which servers send it: a text, a map with message and type or code, either of them in "error"."""
    for _ in range(3):
        if isinstance(error, list):
            error = at(error, 0)
        inner = at(error, "error") or at(error, "detail")
        if inner is None or inner == error:
            break
        error = inner
    if isinstance(error, str):
        return error
    said = text(at(error, "message")) or text(at(error, "msg"))
    kind = next((word for word in (at(error, name) for name in ("type", "status", "code")) if isinstance(word, str) and word != "error"), "")
    return f"{kind}: {said}" if kind and said else said or kind


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _DIGITS else None


def _nothing(name: str) -> None:
    """NaN and Infinity are not JSON."""


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_nothing)


def _closed(source: str) -> str | None:
    """A JSON text that was cut, with what it needs to be whole; None if nothing can be made of it."""
    open_ends: list[str] = []
    name_next = False
    place = safe = 0
    while (found := _TOKEN.search(source, place)) is not None:
        token, place = found[0], found.end()
        if token in "[{":
            open_ends.append("]" if token == "[" else "}")
            name_next, safe = token == "{", place
            if len(open_ends) > _DEPTH:
                return None
        elif token in "]}":
            if not open_ends or open_ends.pop() != token:
                return None
            name_next, safe = False, place
            if not open_ends:
                break
        elif token == ",":
            name_next = bool(open_ends) and open_ends[-1] == "}"
        elif token == ":":
            name_next = False
        elif token == '"':
            string = _STRING.match(source, found.start())
            if string is None:
                start = _STRING_START.match(source, found.start())
                if name_next or start is None:
                    break
                return start[0].join((source[:found.start()], '"')) + "".join(reversed(open_ends))
            place = string.end()
            safe = safe if name_next else place
        elif place < len(source):  # else its end may be missing
            safe = place
    return source[:safe] + "".join(reversed(open_ends)) if safe else None
