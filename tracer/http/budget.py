"""Keeps all unfinished bodies together under one limit."""

from __future__ import annotations

from typing import Protocol

__all__ = ("Budget", "Charged")


class Charged(Protocol):
    """Something that grows with what the other side sends."""

    charge: int  # bytes of memory that it takes

    def halve(self) -> None:
        """Let go of half of what is kept, keep nothing more, and mark it."""
        ...


class Budget:
    """Bytes of all that is charged. When they exceed the limit, the largest are halved until a quarter of the limit is free."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._live: dict[int, Charged] = {}

    def grow(self, one: Charged, size: int) -> None:
        """``one`` takes ``size`` bytes more."""
        if not one.charge:
            self._live[id(one)] = one
        one.charge += size
        self.total += size
        if self.total > self.limit:
            self._shrink()

    def release(self, one: Charged) -> None:
        """``one`` takes nothing any more."""
        if self._live.pop(id(one), None) is not None:
            self.total -= one.charge
        one.charge = 0

    def _shrink(self) -> None:
        # Each is halved once a turn, the largest first; sorting again finds those that are the largest then.
        while self.total > self.limit - self.limit // 4:
            before = self.total
            for one in sorted(self._live.values(), key=lambda one: -one.charge):
                self.total -= one.charge
                one.halve()
                self.total += one.charge
                if not one.charge:
                    del self._live[id(one)]
                if self.total <= self.limit - self.limit // 4:
                    return
            if self.total >= before:
                return
