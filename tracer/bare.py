"""Modules of the standard library without what surrounds them there: `signal` makes enums of its numbers, which takes a start 5 ms."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

__all__ = ("signal",)
