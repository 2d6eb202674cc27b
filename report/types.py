"""Names for the shapes of data that the report's modules hand to each other."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

__all__ = ("Columns",)

Columns: TypeAlias = "dict[str, NDArray[Any]]"
