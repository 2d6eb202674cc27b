"""The front does without `inspect` and `platform`, and whoever needs them gets them all the same."""

from __future__ import annotations

import inspect
import platform
import subprocess
import sys

import pytest

from tracer.commands._later import _Inspect, _Platform, put_off

_FRONT = """
import sys
assert not {"inspect", "platform"} & sys.modules.keys()
from tracer.commands import main
def start(): raise SystemExit(0)
main(["run", "-o", "/nonexistent/folder/x.ebt", "true"], prepare=lambda: start)
print("ast" in sys.modules, "dis" in sys.modules)
import inspect, platform
print(hasattr(platform, "_WIN32_CLIENT_RELEASES"), inspect.signature(main).return_annotation, "ast" in sys.modules, platform.python_version())
"""


def test_a_trace_does_not_load_it() -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{_FRONT}"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "int", "True", platform.python_version()]


@pytest.mark.parametrize("text", ["", "One line.", "  indented", "trailing  ", "\ttab", "One.\n\n    More,\n      and more.\n", "\n\n  one\n  two\n"])
def test_texts_are_cleaned_as_ever(text: str) -> None:
    assert _Inspect("inspect").cleandoc(text) == inspect.cleandoc(text)


def test_where_it_is_there_already_nothing_changes() -> None:
    put_off()
    assert (sys.modules["inspect"], sys.modules["platform"]) == (inspect, platform)


def test_the_system_is_called_as_ever() -> None:
    assert _Platform("platform").system() == platform.system()


def test_what_it_does_not_have_it_has_not() -> None:
    with pytest.raises(AttributeError):
        _Inspect("inspect").nothing_of_the_kind  # noqa: B018
