"""Reads the words after `run` and `attach` without click, which takes longer to load than all else the front does until the target runs.

It knows what click makes of a command line that is plainly right, and leaves every other one to click.
"""

from __future__ import annotations

from tracer.commands._options import OPTIONS, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

__all__ = ("parse",)


def parse(command: str, words: Sequence[str]) -> dict[str, Any] | None:
    """The values that click would hand to ``command``, "run" or "attach"; None: ask click, which says what is wrong, or helps."""
    options = {name: option for option in OPTIONS[command] for name in option.names}
    values = {option.dest: option.unset() for option in OPTIONS[command] if option.exposed}
    rest = list(words)
    try:
        while rest and rest[0].startswith("-") and rest[0] != "-":
            word = rest.pop(0)
            if word == "--":
                break
            if word.startswith("--"):
                _take_long(options, word, rest, values)
            else:
                _take_short(options, word[1:], rest, values)
    except (LookupError, ValueError):  # there is no such option, it lacks its value, or has a wrong one
        return None
    if command == "run":
        values["words"] = tuple(rest)
    elif rest:
        return None
    return values


def _take_long(options: Mapping[str, Option], word: str, rest: list[str], values: dict[str, Any]) -> None:
    """--name, --name VALUE or --name=VALUE. ``rest``, the words that follow, loses those that belong to it."""
    name, equal, text = word.partition("=")
    option = options[name]
    if equal:
        if option.kind is None:
            raise ValueError(word)
        rest.insert(0, text)
    _take(option, rest, values)


def _take_short(options: Mapping[str, Option], letters: str, rest: list[str], values: dict[str, Any]) -> None:
    """-o VALUE, -oVALUE, or several in one word, of which only the last has a value."""
    while letters:
        option = options["-" + letters[0]]
        letters = letters[1:]
        if letters and option.kind is not None:
            rest.insert(0, letters)
            letters = ""
        _take(option, rest, values)


def _take(option: Option, rest: list[str], values: dict[str, Any]) -> None:
    value = option.given if option.kind is None else option.kind.read(rest.pop(0))
    if option.repeated:
        values[option.dest] += (value,)
    elif option.exposed:
        values[option.dest] = value
