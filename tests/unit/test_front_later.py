"""The front does without click, and click without `inspect` and `platform`, as long as it can; and whoever needs them gets them all the same."""

from __future__ import annotations

import inspect
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.commands._later import _Inspect, _Platform, put_off

_FRONT = """
import sys
assert not {"inspect", "platform"} & sys.modules.keys()
from tracer.commands import main
def start(): raise SystemExit(0)
main(["run", "--sample", "+1", "-o", "/nonexistent/folder/x.ebt", "true"], prepare=lambda: start)  # "+1": for click to decide
print("click" in sys.modules, "ast" in sys.modules, "dis" in sys.modules)
import inspect, platform
print(hasattr(platform, "_WIN32_CLIENT_RELEASES"), inspect.signature(main).return_annotation, "ast" in sys.modules, platform.python_version())
"""


def printed(code: str) -> list[str]:
    """What a Python of its own prints, which has loaded nothing else."""
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{code}"
    return subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_click_does_without_them() -> None:
    assert printed(_FRONT) == ["True", "False", "False", "True", "int", "True", platform.python_version()]


@pytest.mark.parametrize("words", [
    ["run", "true"], ["run", "-qo", "{}/s.ebt", "--force", "-e", "trace=%file", "--sample=2", "--max-body", "1M", "--", "true"],
    ["-p", "{pid}", "--duration", "1"], ["attach", "-qp{pid}", "--no-children"],
])
def test_a_trace_does_without_click(words: list[str], tmp_path: Path) -> None:
    words = [word.format(tmp_path, pid=os.getpid()) for word in words]
    loaded = printed(f"import os; os.chdir({str(tmp_path)!r})\n"
                     "before = set(sys.modules)  # a site may load what it likes\n"
                     "from tracer.commands import main\n"
                     "def start(): print(*sys.modules.keys() - before); raise SystemExit(0)\n"
                     f"main({words!r}, prepare=lambda: start)")
    assert "tracer.commands._tracing" in loaded
    heavy = {"click", "contextlib", "gettext", "importlib", "inspect", "locale", "shlex", "socket", "threading", "typing",
             "warnings", "re", "enum", "json"}
    assert not heavy & set(loaded)


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
