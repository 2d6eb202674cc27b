"""Loads the usual probes at once, on a thread beside whatever else is being imported: the kernel's verifier takes most of a start."""

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
    """Begins; the returned function waits for the end. None: they are not in the cache, or the order will meet the same error."""
    found: list[Loaded] = []
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)

    def load() -> None:
        try:
            if image := cached(*USUAL):
                found.append(Loaded(Tracing(image, ring_bytes(USUAL[1], None)), image))
        except EbtraceError:
            pass

    def loaded() -> Loaded | None:
        thread.join()
        sys.setswitchinterval(usual_s)
        return found[0] if found else None

    thread = threading.Thread(target=load, name="ebtrace-load")
    thread.start()
    return loaded
