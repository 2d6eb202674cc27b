"""The life of the process that watches for TLS libraries, from its fork on."""

from __future__ import annotations

import gc
import os
from _socket import socket

from tracer.bare import signal, suppress
from tracer.kernel.ring import StringRing
from tracer.link import Link, detach
from tracer.records import MapId
from tracer.tls.watch import TlsWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.kernel.perf import PerfStrings
    from tracer.kernel.tracing import Tracing

__all__ = ("live",)


def live(tracing: Tracing, size: int, foreign: list[int], connection: int, lane: PerfStrings | None = None, *, uretprobes: bool) -> int:
    """``foreign``: descriptors that are not its business. ``lane``: perf buffers in the place of a BPF ring buffer."""
    detach()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # else each collection writes to all that it shares with the worker, and takes a copy of it
    for fd in foreign:
        os.close(fd)
    if lane is not None:
        lane.forked()
    images = lane or StringRing(tracing.maps[MapId.IMAGES].fd, size)
    watch = TlsWatch(tracing, images, Link(socket(fileno=connection)), uretprobes=uretprobes)
    with suppress(OSError):  # what it has to do from now on is short, and must not wait for whatever keeps the machine busy
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    watch.run()
    return 0
