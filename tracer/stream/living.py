"""Which traced processes live, as far as their records tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracer.kinds import LifeKind

__all__ = ("Living",)

_BIRTHS = (LifeKind.FORK, LifeKind.FOUND)


class Living:
    """``tgids``: by number of a process. ``ended``: numbers of those that have ended since somebody cleared it. ``count``: how many there were."""

    def __init__(self, born: Callable[[int, int, int], None]) -> None:
        """``born`` is told number, tgid and start (CLOCK_MONOTONIC, ns) of each process."""
        self.tgids: dict[int, int] = {}
        self.ended: set[int] = set()
        self.count = 0
        self._born = born
        self._early: set[int] = set()

    def pids(self) -> list[int]:
        """Their process ids; any thread may ask."""
        return list(self.tgids.copy().values())

    def hear(self, records: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Lifecycle records: kind, proc, tgid, process_ended, start_ns."""
        for kind, proc, tgid, ended, start_ns in records:
            if kind in _BIRTHS and proc not in self.tgids:
                self.count += 1
                if proc in self._early:
                    self._early.discard(proc)
                else:
                    self.tgids[proc] = tgid
                    self._born(proc, tgid, start_ns)
            elif ended:
                if proc in self.tgids:
                    del self.tgids[proc]
                elif proc not in self.ended:
                    self._early.add(proc)  # perf buffers are per CPU: an end may be read before the beginning
                self.ended.add(proc)
