"""Keeps modules out of the front that click brings along and nearly never asks: `inspect`, for what it does with a text, and with it the
whole of Python's parser; `platform`, which uuid asks for the name of the system, after a dozen regular expressions.

They are a megabyte for as long as the trace lasts, and time before its beginning.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ("put_off",)


class _Later(ModuleType):
    """Stands for a module until somebody asks for more than what is answered here."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = import_module(self.__name__)
        vars(self).update(vars(real))
        return getattr(real, name)


class _Inspect(_Later):
    def cleandoc(self, text: str) -> str:
        """As inspect.cleandoc: a line alone has no indentation but its own."""
        if "\n" in text or "\t" in text:
            cleaned: str = self.__getattr__("cleandoc")(text)
            return cleaned
        return text.lstrip()


class _Platform(_Later):
    def system(self) -> str:
        """As platform.system."""
        return os.uname().sysname


def put_off() -> None:
    """To be called before click is imported. Does nothing where the modules are there already."""
    for name, later in (("inspect", _Inspect), ("platform", _Platform)):
        if name not in sys.modules:
            sys.modules[name] = later(name)
