"""The front does without `inspect`, and whoever needs it gets it all the same."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from tracer.commands._later import _Later, put_off_inspect

_FRONT = """
import sys
assert "inspect" not in sys.modules
from tracer.commands import main
def start(): raise SystemExit(0)
main(["run", "-o", "/nonexistent/folder/x.ebt", "true"], prepare=lambda: start)
print("ast" in sys.modules, "dis" in sys.modules)
import inspect
print(inspect.signature(main).return_annotation, "ast" in sys.modules)
"""


def test_a_trace_does_not_load_it() -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{_FRONT}"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "int", "True"]


@pytest.mark.parametrize("text", ["", "One line.", "  indented", "trailing  ", "\ttab", "One.\n\n    More,\n      and more.\n", "\n\n  one\n  two\n"])
def test_texts_are_cleaned_as_ever(text: str) -> None:
    assert _Later("inspect").cleandoc(text) == inspect.cleandoc(text)


def test_where_it_is_there_already_nothing_changes() -> None:
    put_off_inspect()
    assert sys.modules["inspect"] is inspect


def test_what_it_does_not_have_it_has_not() -> None:
    with pytest.raises(AttributeError):
        _Later("inspect").nothing_of_the_kind  # noqa: B018
