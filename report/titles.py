"""What a person calls a process: scripts by their name, launchers by what they launch, everything else by its program's name.

Arguments are what somebody gave the program, and may be anything: what fits no rule is shown by the last part of its first word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from report.launchers import INTERPRETERS, KNOWN_AS, LAUNCHERS, LOADER, OF_LOADER, ROLES, RUNNERS, Interpreter, option_of

__all__ = ("Title", "title", "titled")

_LONGEST = 80  # signs of a title
_CODE = 40  # of them for a piece of a program given on the command line
_NESTED = 8  # launchers that launch launchers
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_VERSION = re.compile(r"[-\d.]+\Z")
_PACKAGE = re.compile(r".*/node_modules/((?:@[^/]+/)?[^/]+)/", re.DOTALL)
_COMMON = frozenset(("index", "main", "cli", "bin", "__main__"))  # scripts' names that tell nothing

_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Title:
    """A title, and what it leaves to tell."""

    text: str
    name: str  # the title without a piece of a program, and without how it is run
    arguments: _Words  # the last ones of argv, which ``name`` does not tell
    launched: bool = False  # it is the title of what the process launches, or is about to become


def title(argv: Sequence[str], exe: str | None = None, interp: str | None = None, comm: str = "") -> str:
    """What a person calls a process; ``exe`` is the file that was executed, ``interp`` what runs that if it is a script."""
    return titled(argv, exe, interp, comm).text


def titled(argv: Sequence[str], exe: str | None = None, interp: str | None = None, comm: str = "") -> Title:
    """The title of a process, and which of its arguments it leaves to tell."""
    words = tuple(argv)
    launched = False
    place = _place(exe, words) if exe and interp and interp != exe else 0
    if exe and place:
        found = _script(exe, words[place + 1 :])
    else:
        for _ in range(_NESTED):
            inner = _launched(words)
            if not inner:
                break
            words, launched = inner, True
        found = _named(words) if words and words[0] else _plain(_base(exe or "") or comm or "?", words[1:])
    return Title(_cut(found.text, _LONGEST), _cut(found.name, _LONGEST), found.arguments, launched)


def _place(script: str, words: _Words) -> int:
    """Where among its arguments the kernel has put a script's name, after that of its interpreter and one option; 0 if nowhere."""
    names = (word.removeprefix("./") for word in words[1:3])
    return next((place for place, name in enumerate(names, 1) if name and f"/{script}".endswith(f"/{name}")), 0)


def _plain(name: str, arguments: _Words) -> Title:
    return Title(name, name, arguments)


def _launched(words: _Words) -> _Words:
    """The words of what a launcher launches; none if it is no launcher, or launches nothing."""
    base = _base(words[0]) if words else ""
    launcher = OF_LOADER if LOADER.fullmatch(base) else LAUNCHERS.get(base)
    if launcher is None:
        return ()
    at, options, splits = 1, True, launcher.splits
    while at < len(words):
        word = words[at]
        if options and splits and word.startswith(("-S", "--split-string=")):
            value = word[2:] if word.startswith("-S") else word.partition("=")[2]
            words = (base, *(value or "".join(words[at + 1 : at + 2])).split(), *words[at + (1 if value else 2) :])
            at, splits = 1, False
        elif options and word.startswith("-") and word != "-":
            at += 1
            if word == "--":
                options = False
                continue
            which, value_here = option_of(word, (launcher.refused, launcher.valued))
            if which == 0:
                return ()
            at += which == 1 and value_here is None
        elif launcher.assignments and _ASSIGNMENT.match(word):
            at += 1
        else:
            break
    return words[at + launcher.own :]


def _named(words: _Words) -> Title:
    """The title by the first word, which is no launcher's name."""
    first = words[0]
    told = next((word for word in words if word.startswith("--type=")), first)  # a program may write all of its arguments into the first
    role = told.partition("--type=")[2].partition(" ")[0]
    if role in ROLES:
        return _plain(f"{_base(first.partition(' --')[0])} {role}", words[1:])
    if first.startswith("-") or (" " in first and first[0] not in "/." and not any(words[1:])):
        return _plain(first, words[1:])  # a login shell, or a program that says there what it does: "sshd: user [priv]"
    base = _base(first) or first
    interpreter = INTERPRETERS.get(base) or INTERPRETERS.get(_VERSION.sub("", base))
    found = _interpreted(base, words, interpreter) if interpreter else None
    return found or _run(base, words[1:]) or _plain(base, words[1:])


def _interpreted(base: str, words: _Words, interpreter: Interpreter) -> Title | None:
    """The title of what an interpreter runs; None if it reads that from its input, or runs nothing."""
    tables = (interpreter.code, interpreter.module, interpreter.valued)
    at, code_option = 1, ""
    while at < len(words):
        word = words[at]
        at += 1
        if word in interpreter.refused or word == "-":
            return None
        if at == 2 and word in interpreter.subcommands:
            continue
        if word == "--":
            if at == len(words):
                return None
            word = words[at]
            at += 1
        elif word.startswith(("-", "+") if interpreter.shell else "-"):
            which, value = option_of(word, tables, interpreter.attached, interpreter.clustered)
            if which == 0 and interpreter.shell:
                code_option = word
            elif which >= 0:
                option = word.removesuffix(value or "").rstrip("=")
                if value is None:
                    if at == len(words):
                        return None
                    value = words[at]
                    at += 1
                if which == 0:
                    return _coded(base, option, value, words)
                if which == 1 and value:
                    return _script(value, words[at:]) if interpreter.files else Title(f"{value} ({base} -m)", value, words[at:])
            continue
        if code_option:
            return _coded(base, code_option, word, words)
        if interpreter.tasks and "." not in word and "/" not in word:
            return None
        return _script(word, words[at:])
    return None


def _coded(base: str, option: str, code: str, words: _Words) -> Title:
    piece = _cut(" ".join(code[: 8 * _CODE].split()), _CODE)
    return Title(f"{base} {option} '{piece}'", base, words[1:])


def _script(path: str, arguments: _Words) -> Title:
    """The title of a script: its name; its package or its folder too if it has one of those names that many have."""
    name = KNOWN_AS.get(_base(path)) or _base(path) or path or "?"
    if name.partition(".")[0] in _COMMON:
        package = _PACKAGE.match(path)
        folder = package[1] if package else _base(path.rstrip("/").rpartition("/")[0])
        if folder and folder not in (".", ".."):
            name = folder if package or name == "__main__.py" else f"{folder}/{name}"
    return _run(name, arguments) or _plain(name, arguments)


def _run(name: str, arguments: _Words) -> Title | None:
    """The title of a tool whose first arguments say what it runs, "npm run build"; None if it is none."""
    runner = RUNNERS.get(name)
    if runner is None:
        return None
    said, at = [name], 0
    while at < len(arguments) and len(said) < (3 if said[-1] in runner.verbs else 2):
        word = arguments[at]
        at += 1
        if not word.startswith("-"):
            said.append(_base(word) or word)
        elif word in runner.valued:
            at += 1
    return _plain(" ".join(said), arguments[at:]) if len(said) > 1 else _plain(name, arguments)


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
