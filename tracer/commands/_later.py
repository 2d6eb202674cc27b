"""Keeps `inspect` out of the front: click imports it for what it does with a text, and it brings the whole of Python's parser with it.

That is a megabyte for as long as the trace lasts, and time before its beginning.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ("put_off_inspect",)

_NAME = "inspect"


class _Later(ModuleType):
    """Stands for the module until somebody asks for more than `cleandoc` of a single line."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(_NAME) is self:
            del sys.modules[_NAME]
        real = import_module(_NAME)
        vars(self).update(vars(real))
        return getattr(real, name)

    def cleandoc(self, text: str) -> str:
        """As inspect.cleandoc: a line alone has no indentation but its own."""
        if "\n" in text or "\t" in text:
            cleaned: str = self.__getattr__("cleandoc")(text)
            return cleaned
        return text.lstrip()


def put_off_inspect() -> None:
    """To be called before click is imported. Does nothing where the module is there already."""
    if _NAME not in sys.modules:
        sys.modules[_NAME] = _Later(_NAME)
