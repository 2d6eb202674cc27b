"""The privileged side of one ebtrace: loads the probes, marks the target, drains, writes the session it was handed.

Started as a fork of the front, or through sudo as ``python -m tracer.worker SOCKET``. It talks to the front over one socket
(tracer/link.py) and outlives it: when the front dies, the session is finished and closed. Up to the moment at which the target may run
it loads only what it takes to get there; the rest is tracer/stream/trace.py.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from _socket import socket

from tracer.bare import partial, signal
from tracer.errors import EbtraceError
from tracer.fork import fork
from tracer.kernel.early import USUAL, Early, load_early
from tracer.kernel.image import image
from tracer.kernel.sizes import ring_bytes
from tracer.kernel.sys import arch
from tracer.kernel.tracing import Tracing
from tracer.link import Link, Message, failure, join, peer
from tracer.records import CensusKind
from tracer.stream.lanes import bulk_bytes, open_lanes
from tracer.stream.watching import WatchLink
from tracer.target.process import environment, unseen
from tracer.target.snapshot import open_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("Beginning", "serve")

SLOW_NS = 10_000_000  # calls of 10 ms and more are never sampled out
_HEAD_START_S = 0.004  # for the target's exec: what comes next would take both CPUs from it; the rings have room for 150 ms of calls


class Beginning:
    """A trace up to the moment at which its probes are live."""

    def __init__(self, link: Link, order: Message, front: int, early: Callable[[], Early | None]) -> None:
        """``early`` gives the usual probes; what can be done before they are loaded is, since they are the last to be there."""
        self.link, self.order, self.front = link, order, front
        self.begun_ns = order.get("begun_ns") or time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self.pids: list[int] = order.get("pids") or [order["pid"]]
        self.run = order["meta"].get("kind") == "run"
        self.asked_to_end = False
        signal.signal(signal.SIGTERM, self._end)  # as at a shutdown: the session is finished
        own_plans = _plans(order)
        self.sizes = ring_bytes(order["transport"], order.get("ring_mb"), order.get("max_body") or 0)
        self.tracing, self.probes, self.cached, self.watch, wait = _ready(order, self.sizes, early)
        self.plans = own_plans or self.probes["plans"]
        self.tracing.plan(self.plans, SLOW_NS, bulk_bytes(order.get("max_body") or 0))
        self.lanes = open_lanes(self.tracing, self.sizes)
        if self.watch is None and order["mode"] == "full":  # forked while no other thread is running, but for one that waits for a compiler's end
            from tracer.kernel.perf import PerfStrings
            from tracer.tls.life import live

            buffers = self.lanes.images if isinstance(self.lanes.images, PerfStrings) else None
            self.watch = WatchLink(*fork(partial(live, self.tracing, self.sizes["images"], [link.fileno(), order["fd"]], lane=buffers,
                                                 uretprobes=self.probes["features"]["uretprobes"])))
        if not self.run:
            # Nobody waits for the beginning, and what a busy target does until NumPy is there would have to be kept in memory.
            import tracer.stream.pen  # noqa: F401
        self.inherited = open_files(self.pids[0]) if self.run else []
        self.environments = [environment(pid) for pid in self.pids]  # now: a held target is about to exec, and for a moment has none then
        wait()
        self.tracing.attach()
        self.started = time.time_ns(), time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        for pid in self.pids:
            self.tracing.mark(pid, held=self.run)
        self.found = self.tracing.adopt_held() if self.run else self.tracing.adopt(children=order.get("children", True))
        if not self.found:
            raise unseen(self.pids)
        self.sockets = b""
        if not self.run:
            self.sockets = self.tracing.sockets(CensusKind.BOUND)
            self.found += self.tracing.adopt(children=order.get("children", True))  # births that were lost to that census
        self.startup_ms: float | None = None
        if self.run:
            if self.watch is not None:
                self.watch.await_prepared()
            self.announce()
            select.select([self.link], [], [], _HEAD_START_S)
        self.tracing.load_late()
        if self.watch is not None:
            self.watch.warm_up()

    def announce(self) -> None:
        """Says that the target may run."""
        self.startup_ms = round((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self.begun_ns) / 1e6, 2)
        self.link.send({"is": "live", "startup_ms": self.startup_ms, "compiled": not self.cached})

    def _end(self, *_: object) -> None:
        self.asked_to_end = True


def _plans(order: Message) -> bytes | None:
    """What to do with each call, where the order asks for anything but all of all. Raises UsageError."""
    expression, sample = order.get("expression") or "", order.get("sample") or 1
    if not expression and sample == 1:
        return None
    from tracer.syscalls.plans import plans

    return plans(arch(), expression, sample, names=order["mode"] == "full")


def _ready(
    order: Message, sizes: dict[str, int], begun: Callable[[], Early | None],
) -> tuple[Tracing, dict[str, Any], bool, WatchLink | None, Callable[[], None]]:
    """The probes that the order asks for, their image, whether that was in the cache, the watch, if there is one, and what waits until the
    programs are loaded. Raises HostError, and so does that."""
    early = begun()
    if early is not None:
        watch = WatchLink(*early.watch)
        if (order["mode"], order["transport"]) == USUAL and sizes == ring_bytes(USUAL[1], None):
            return early.tracing, early.image, True, watch, early.wait
        watch.end()
        early.discard()
    probes, cached = image(order["mode"], order["transport"])
    tracing = Tracing(probes, sizes)
    tracing.load()
    return tracing, probes, cached, None, lambda: None


def serve(connection: socket, early: Callable[[], Early | None]) -> int:
    """Traces as the front orders, with the probes that are loaded ``early``; returns the exit status of the worker process."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy would start a thread for every core, and multiplies nothing here
    link = Link(connection)
    order = link.wait()
    if order is None or order.get("do") != "start":
        return 1
    try:
        beginning = Beginning(link, order, peer(connection)[0], early)
    except EbtraceError as error:
        link.send(failure(error))
        return error.status
    from tracer.stream.trace import Trace

    gc.enable()
    Trace(beginning).run()
    return 0


if __name__ == "__main__":
    front = join(sys.argv[1])
    sys.exit(serve(front, load_early(front.fileno())))
