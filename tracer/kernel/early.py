"""Loads the usual probes first of all, before anything else is imported: the kernel's verifier takes most of a start."""

from __future__ import annotations

import os
import sys

from tracer.bare import Thread
from tracer.errors import EbtraceError
from tracer.fork import fork
from tracer.kernel.image import cached
from tracer.kernel.sys import share_heap
from tracer.kernel.tracing import Tracing
from tracer.stream.lanes import ring_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("USUAL", "Loaded", "load_early")

USUAL = ("full", "ring")  # mode, transport
_SPARE_HEAP = 1 << 20
_SWITCH_S = 0.0005  # between the threads of this process: a call to the kernel should not wait for an import


class Loaded:
    """The probes in the kernel, the image that they were loaded from, and the process that watches for TLS libraries: pid and descriptor."""

    def __init__(self, tracing: Tracing, image: dict[str, Any], watch: tuple[int, int]) -> None:
        self.tracing, self.image, self.watch = tracing, image, watch


def load_early(connection: int) -> Callable[[], Loaded | None]:
    """Makes the maps, forks the watch, and has the programs loaded on threads; the returned function waits for them.

    It gives None if they are not in the cache, or if the order will meet the same error. ``connection`` is this process's own.
    """
    share_heap(_SPARE_HEAP)  # before there are threads
    usual_s = sys.getswitchinterval()
    failed: list[Exception] = []
    try:
        image, sizes = cached(*USUAL), ring_bytes(USUAL[1], None)
        tracing = Tracing(image, sizes) if image else None
    except EbtraceError:
        return lambda: None
    except Exception as unforeseen:  # told when there is somebody to tell it to
        failed.append(unforeseen)
        image = tracing = None
    if image is None or tracing is None:
        return lambda: _raise_unforeseen(failed)

    def watch(link: int) -> int:
        from tracer.tls.life import live

        return live(tracing, sizes["images"], [connection], link, uretprobes=image["features"]["uretprobes"])

    forked = fork(watch)  # now, while there are no threads, and little memory that would be copied later

    def loaded() -> Loaded | None:
        try:
            thread.join()
        except Exception as error:
            failed.append(error)
        sys.setswitchinterval(usual_s)
        if not failed:
            return Loaded(tracing, image, forked)
        os.close(forked[1])
        os.waitpid(forked[0], 0)
        tracing.close()
        _raise_unforeseen(failed)
        return None

    sys.setswitchinterval(_SWITCH_S)
    thread = Thread(tracing.load)
    return loaded


def _raise_unforeseen(failed: list[Exception]) -> None:
    """Raises what is no error of ours."""
    for error in failed:
        if not isinstance(error, EbtraceError):
            raise error
