"""What a start needs of the standard library, without what surrounds it there: enums of signals, queues, generic types, 12 ms in all.

`signal`, `partial` and the heap are those of the standard library, written in C. `suppress` and `Thread` are the few lines of contextlib and
threading that are used here, but for what an error in a thread does: it is raised by `join`.
"""

from __future__ import annotations

import _thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from functools import partial
    from heapq import heappop, heappush
else:
    import _signal as signal
    from _functools import partial
    from _heapq import heappop, heappush

__all__ = ("Thread", "heappop", "heappush", "new_lock", "partial", "signal", "suppress")

new_lock = _thread.allocate_lock


class suppress:  # noqa: N801  # as contextlib spells it
    """A block that ends, and no more, at an error of these kinds."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


class Thread:
    """Something that is done on a thread, from now on."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._failed: BaseException | None = None
        self._running = new_lock()
        self._running.acquire()
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # whatever it is: an error of a thread must not pass in silence
            self._failed = error
        finally:
            self._running.release()

    def join(self) -> None:
        """Waits for its end, and raises the error that it ended with."""
        with self._running:
            failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
