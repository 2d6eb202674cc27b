"""Loads the usual probes first of all, before anything else is imported: the kernel's verifier takes most of a start."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from tracer.errors import EbtraceError
from tracer.kernel.image import cached
from tracer.kernel.tracing import Tracing
from tracer.stream.lanes import ring_bytes

__all__ = ("USUAL", "Loaded", "load_early")

USUAL = ("full", "ring")  # mode, transport
_SWITCH_S = 0.0005  # between the threads of this process: a call to the kernel should not wait for an import


class Loaded(NamedTuple):
    """The probes in the kernel, and the image that they were loaded from."""

    tracing: Tracing
    image: dict[str, Any]


def load_early() -> Callable[[], Loaded | None]:
    """Makes the maps, and has the programs loaded on threads; the returned function waits for them.

    It gives None if they are not in the cache, or if the order will meet the same error.
    """
    usual_s = sys.getswitchinterval()
    failed: list[Exception] = []
    try:
        image = cached(*USUAL)
        tracing = Tracing(image, ring_bytes(USUAL[1], None)) if image else None
    except EbtraceError:
        return lambda: None
    if image is None or tracing is None:
        return lambda: None

    def load() -> None:
        try:
            tracing.load()
        except Exception as error:  # it must not pass in silence
            failed.append(error)

    def loaded() -> Loaded | None:
        thread.join()
        sys.setswitchinterval(usual_s)
        if failed and not isinstance(failed[0], EbtraceError):
            raise failed[0]
        return None if failed else Loaded(tracing, image)

    sys.setswitchinterval(_SWITCH_S)
    thread = threading.Thread(target=load, name="ebtrace-load")
    thread.start()
    return loaded
