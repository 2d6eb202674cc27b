"""Loads the usual probes first of all, before anything else is imported: the kernel's verifier takes most of a start."""

from __future__ import annotations

import sys

from tracer.errors import EbtraceError
from tracer.fork import fork
from tracer.kernel.image import cached
from tracer.kernel.sizes import ring_bytes
from tracer.kernel.sys import share_heap
from tracer.kernel.tracing import Tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("USUAL", "Early", "load_early")

USUAL = ("full", "ring")  # mode, transport
_SPARE_HEAP = 1 << 20
_SWITCH_S = 0.0005  # between the threads of this process: a call to the kernel should not wait for an import


class Early:
    """The usual probes on their way into the kernel, the image that they come from, and the process that watches for TLS libraries: pid and
    descriptor. Their maps are there already."""

    def __init__(self, tracing: Tracing, image: dict[str, Any], watch: tuple[int, int]) -> None:
        self.tracing, self.image, self.watch = tracing, image, watch
        self._usual_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        tracing.begin_to_load()

    def wait(self) -> None:
        """Helps until the programs are loaded. Raises HostError."""
        try:
            self.tracing.load()
        finally:
            sys.setswitchinterval(self._usual_s)

    def discard(self) -> None:
        """The order is for other probes, which may be fine even if these are not."""
        self.tracing.close()
        sys.setswitchinterval(self._usual_s)


def load_early(connection: int) -> Callable[[], Early | None]:
    """Makes the maps, forks the watch, and has the programs loaded on a thread; the returned function gives them.

    It gives None if they are not in the cache, or if the order will meet the same error. ``connection`` is this process's own.
    """
    share_heap(_SPARE_HEAP)  # before there are threads
    try:
        image, sizes = cached(*USUAL), ring_bytes(USUAL[1], None)
        tracing = Tracing(image, sizes) if image else None
    except EbtraceError:
        return lambda: None
    except Exception as error:  # told when there is somebody to tell it to
        unforeseen = error

        def tell() -> Early | None:
            raise unforeseen

        return tell
    if image is None or tracing is None:
        return lambda: None

    def watch(link: int) -> int:
        from tracer.tls.life import live

        return live(tracing, sizes["images"], [connection], link, uretprobes=image["features"]["uretprobes"])

    early = Early(tracing, image, fork(watch))  # forked while there are no threads, and little memory that would be copied later
    return lambda: early
