"""The quick parser of `run` and `attach` reads a command line as click does, or leaves it to click."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.commands import attach, run
from tracer.commands._clicked import clicked
from tracer.commands._options import OPTIONS, Choice, Number, Option, Seconds, Size
from tracer.commands._quick import parse

COMMANDS = sorted(OPTIONS)
_JUNK = [
    "", "-", "--", "---", "--=", "-=", "=", "x", "-x", "--nothing", "--help", "-h", "ls", "-l", "a=b", "a b", "\n", "\udcff",
    "-1", "+1", " 1 ", "1_0", "0", "1.5", ".", "1.", "-.5", "1e3", "nan", "inf", "\u0663", "\u00b2", "1024", "1025", "9" * 30, "9" * 5000,
    "ring", "RING", "256k", "33M", "2 M",
]


def by_click(name: str, words: list[str]) -> dict[str, Any] | None:
    """What click hands to the function of a command; None where it complains, or helps."""
    found: list[dict[str, Any]] = []

    def function(_: object, /, **values: Any) -> int:
        found.append(values)
        return 0

    try:
        clicked(name, function).main(list(words), name, standalone_mode=False, help_option_names=["-h", "--help"])
    except click.ClickException:
        return None
    return found[0] if found else None


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal, also in the types: True is not 1 to JSON."""
    return one == other and {name: type(value) for name, value in one.items()} == {name: type(value) for name, value in other.items()}


def plain(option: Option) -> st.SearchStrategy[str]:
    """Values of an option with nothing unusual about them."""
    kind = option.kind
    if isinstance(kind, Choice):
        return st.sampled_from(kind.words)
    if isinstance(kind, Number):
        return st.integers(kind.least, kind.most or 10**6).map(str)
    if isinstance(kind, Seconds):
        return st.floats(0.001, 10**6).map(lambda number: f"{number:.3f}")
    if isinstance(kind, Size):
        return st.builds("{}{}".format, st.integers(0, 32), st.sampled_from(["", "b", "k", "K", "kb", "M"]))
    return st.one_of(st.text(), st.sampled_from(_JUNK))


@st.composite
def typed(draw: st.DrawFn, option: Option, values: st.SearchStrategy[str]) -> list[str]:
    """One option with its value, in one of the ways to type it."""
    name = draw(st.sampled_from(option.names))
    if option.kind is None:
        return [name]
    value = draw(values)
    long = name.startswith("--")
    return [name, value] if draw(st.booleans()) or not (long or value) else [f"{name}{'=' if long else ''}{value}"]


def right(name: str) -> st.SearchStrategy[list[str]]:
    """Plainly right options, any number of them."""
    one = st.one_of([typed(option, plain(option)) for option in OPTIONS[name]])
    return st.lists(one, max_size=8).map(lambda parts: [word for part in parts for word in part])


def anything(name: str) -> st.SearchStrategy[list[str]]:
    """Right and wrong ones, with all that can stand between them."""
    junk = st.one_of(st.sampled_from(_JUNK), st.text(max_size=3))
    names = [name for option in OPTIONS[name] for name in option.names]
    letters = "".join(name[1] for name in names if len(name) == 2) + "hx-="
    parts = [
        *(typed(option, st.one_of(plain(option), junk)) for option in OPTIONS[name]),
        junk.map(lambda word: [word]),
        st.sampled_from(names).map(lambda word: [word]),
        st.builds("{}={}".format, st.sampled_from(names), junk).map(lambda word: [word]),
        st.builds("{}{}".format, st.sampled_from(names), junk).map(lambda word: [word]),
        st.sampled_from(names).map(lambda word: [word[:-1]]),
        st.text(letters, max_size=4).map(lambda word: ["-" + word]),
    ]
    return st.lists(st.one_of(parts), max_size=6).map(lambda parts: [word for part in parts for word in part])


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
def test_what_it_takes_click_takes_as_well(name: str, data: st.DataObject) -> None:
    words = data.draw(anything(name))
    quick = parse(name, words)
    if quick is not None:
        slow = by_click(name, words)
        assert slow is not None
        assert same(quick, slow)


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
def test_it_takes_what_is_plainly_right(name: str, data: st.DataObject) -> None:
    rest = data.draw(st.lists(st.one_of(st.sampled_from(_JUNK), st.text()))) if name == "run" else []
    words = [*data.draw(right(name)), "--", *rest]
    quick, slow = parse(name, words), by_click(name, words)
    assert quick is not None
    assert slow is not None
    assert same(quick, slow)
    assert name == "attach" or quick["words"] == tuple(rest)


@pytest.mark.parametrize(("name", "words"), [
    ("run", ["--help"]), ("run", ["-h", "ls"]), ("run", ["-qh", "ls"]), ("run", ["-z"]), ("run", ["--forc"]), ("run", ["--force=1"]), ("run", ["-o"]),
    ("run", ["--output"]), ("run", ["--sample", "0"]), ("run", ["--sample", " 1"]), ("run", ["--transport", "smoke"]), ("run", ["--max-body", "33M"]),
    ("run", ["--ring-mb", "1025"]), ("run", ["-p", "1"]), ("attach", ["-p", "1", "ls"]), ("attach", ["-p", "1", "--", "ls"]), ("attach", ["-"]),
    ("attach", ["--duration", "0"]), ("attach", ["--duration", "1e3"]), ("attach", ["--as-root"]),
])
def test_it_leaves_the_rest_to_click(name: str, words: list[str]) -> None:
    assert parse(name, words) is None


@pytest.mark.parametrize(("words", "differing"), [
    (["ls", "-q"], {"words": ("ls", "-q")}), (["--", "--", "ls"], {"words": ("--", "ls")}), (["-", "-q"], {"words": ("-", "-q")}),
    (["", "-q"], {"words": ("", "-q")}), (["-qfo", "--", "ls"], {"words": ("ls",), "quiet": True, "output": "--"}), (["-o=x"], {"output": "=x"}),
    (["--output=", "ls", "--"], {"output": "", "words": ("ls", "--")}), (["-o", "a", "--output", "b"], {"output": "b"}), ([], {}),
    (["-etrace=open", "-e", "", "-e-q"], {"expressions": ("trace=open", "", "-q")}), (["--no-redact", "--no-redact"], {"redact": False}),
])
def test_what_is_handed_on(words: list[str], differing: dict[str, Any]) -> None:
    usual = {
        "output": None, "force": False, "expressions": (), "summary": False, "counts": False, "transport": "ring", "ring_mb": None, "sample": 1,
        "max_body": 262144, "redact": True, "quiet": False, "ready_file": None, "as_root": False, "words": (),
    }
    assert parse("run", words) == by_click("run", words) == {**usual, **differing}


@pytest.mark.parametrize("command", [run, attach])
def test_the_help_is_the_docstring(command: Any) -> None:
    built = clicked(command.__name__.rpartition(".")[2], command.command)
    text = " ".join(built.get_help(click.Context(built)).split())
    assert " ".join(command.command.__doc__.split()) in text
