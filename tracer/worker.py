"""The privileged side of one ebtrace: loads the probes, marks the target, drains, writes the session it was handed.

Started as a fork of the front, or through sudo as ``python -m tracer.worker SOCKET``. It talks to the front over one socket
(tracer/link.py) and outlives it: when the front dies, the session is finished and closed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tracer.errors import EbtraceError
from tracer.fork import fork
from tracer.kernel.cost import bpf_ns_per_call
from tracer.kernel.early import USUAL, Loaded, load_early
from tracer.kernel.image import image
from tracer.kernel.perf import PerfStrings
from tracer.kernel.probes import WITHOUT
from tracer.kernel.sys import arch
from tracer.kernel.tracing import Tracing
from tracer.link import Link, Message, join, peer
from tracer.records import CensusKind
from tracer.stream.drain import Drain
from tracer.stream.lanes import open_lanes, ring_bytes
from tracer.stream.meter import kernel_map_bytes, usage
from tracer.stream.plaintext import Plaintext
from tracer.stream.sink import Sink, load_libraries
from tracer.stream.watching import WatchLink, live
from tracer.syscalls.plans import plans
from tracer.target.process import environment, runs
from tracer.target.snapshot import open_files, snapshot_async, tgids

__all__ = ("serve",)

SLOW_NS = 10_000_000  # calls of 10 ms and more are never sampled out
_PROGRESS_S = 1.0
_LOOK_S = 0.1  # how late an attach may notice that all has ended
_HURRY = -10  # nice value: a ring that nobody empties in time loses records. The writer has it too, or the drain would wait for it at the GIL
_SNAPSHOT_S = 5.0  # the longest that the end of a session waits for the snapshot of its beginning
_WORTH_MEASURING_NS = 10_000_000_000  # sessions shorter than this use the cost that was measured here before, if it was


class _Session:
    """One trace, from the "start" message to "done"."""

    def __init__(self, link: Link, order: Message, front: int, loaded: Callable[[], Loaded | None]) -> None:
        """``loaded`` waits for the usual probes; what can be done before them is, since they are the last to be there."""
        self._link, self._order, self._front = link, order, front
        self._begun_ns = order.get("begun_ns") or time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self._pids: list[int] = order.get("pids") or [order["pid"]]
        self._run = order["meta"].get("kind") == "run"
        self._asked_to_end = False
        self._unreadable = 0
        signal.signal(signal.SIGTERM, self._end)  # as at a shutdown: the session is finished
        self._plans = plans(arch(), order.get("expression") or "", order.get("sample") or 1, names=order["mode"] == "full")
        sizes = ring_bytes(order["transport"], order.get("ring_mb"), order.get("max_body") or 0)
        self._tracing, self._probes, self._cached, self._watch = _ready(order, sizes, loaded)
        self._tracing.plan(self._plans, SLOW_NS, Plaintext.bulk(order.get("max_body") or 0))
        self._sizes = sizes
        self._lanes = open_lanes(self._tracing, sizes)
        if self._watch is None and order["mode"] == "full":  # forked while no other thread is running
            buffers = self._lanes.images if isinstance(self._lanes.images, PerfStrings) else None
            self._watch = WatchLink(*fork(partial(live, self._tracing, sizes["images"], [link.fileno(), order["fd"]], lane=buffers,
                                                  uretprobes=self._probes["features"]["uretprobes"])))
        if self._watch is not None:
            self._watch.warm_up()
        if not self._run:
            load_libraries()  # nobody waits for the beginning, and what a busy target does until they are there would have to be kept in memory
        self._tracing.attach()
        self._started = time.time_ns(), time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        for pid in self._pids:
            self._tracing.mark(pid, held=self._run)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _HURRY)
        self._found = self._tracing.adopt(children=order.get("children", True))
        self._sockets = b""
        if not self._run:
            self._sockets = self._tracing.sockets(CensusKind.BOUND)
            self._found += self._tracing.adopt(children=order.get("children", True))  # births that were lost to that census
        self._inherited = open_files(self._pids[0]) if self._run else []
        self._environments = [environment(pid) for pid in self._pids]  # now: a held target is about to exec, and for a moment has none then
        self._startup_ms: float | None = None
        self._snapshot: threading.Thread | None = None
        if self._run:
            if self._watch is not None:
                self._watch.await_prepared()
            self._announce()

    def _meta(self) -> dict[str, Any]:
        from tracer import __version__

        system = os.uname()
        order = self._order
        return {
            **order["meta"],
            "pid": self._pids[0],
            "started_unix_ns": self._started[0],
            "started_ns": self._started[1],
            "kernel": system.release,
            "hostname": system.nodename,
            "arch": system.machine,
            "version": __version__,
            "transport": self._probes["transport"],
            "missing": [WITHOUT[name] for name in self._probes["missing"] if name in WITHOUT],
            **{name: order.get(name) for name in ("mode", "expression", "sample", "children")},
        }

    def _announce(self) -> None:
        self._startup_ms = round((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self._begun_ns) / 1e6, 2)
        self._link.send({"is": "live", "startup_ms": self._startup_ms, "compiled": not self._cached})

    def _end(self, *_: object) -> None:
        self._asked_to_end = True

    def trace(self) -> None:
        """Runs until the front says stop, everything has ended, or time is up; then finishes the session."""
        detail = self._order["mode"] == "full"
        file = os.fdopen(self._order["fd"], "wb", buffering=0)
        key = os.urandom(32)
        sink = Sink(self._tracing, file, self._meta(), key, redact=self._order.get("redact", True), detail=detail,
                    environments=self._environments)
        plaintext = Plaintext(self._tracing, self._lanes, self._sizes, self._order, key, sink, self._watch, self._environments)
        sink.plaintext = self._plaintext = plaintext
        sink.put("found", self._found)
        if self._sockets:
            sink.put("sockets found", self._sockets)
        if self._run:
            sink.put("snapshot", {"files": self._inherited})
        else:
            def take(part: dict[str, Any]) -> None:
                self._unreadable += len(part.get("unreadable", ()))
                sink.put("snapshot", part)

            self._snapshot = snapshot_async(self._found, take)
        with select.epoll() as poll:
            poll.register(self._link.fileno(), select.EPOLLIN)
            if not self._tracing.perf:
                for fd in self._tracing.ring_fds():
                    poll.register(fd, select.EPOLLIN | select.EPOLLET)
            drain = Drain(self._lanes, sink, poll)
            plaintext.start([] if self._run else tgids(self._found), poll)
            reason, status = self._loop(drain, sink, poll)
            target_ended_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            if self._startup_ms is None:
                self._announce()  # the end came before the snapshot was there; the front still waits for the beginning
            still_open = self._tracing.detach()
            plaintext.stop()
            alive = self._tracing.sockets(CensusKind.ALIVE)
            # Taking the probes off may take longer than a short program has run.
            ended_ns = target_ended_ns if reason == "target ended" else time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            drain.finish()
            sink.catch_up()  # it learns secrets from the records of processes
            plaintext.finish(drain.step)
        sink.put("open", still_open)
        if alive:
            sink.put("sockets found", alive)
        if self._snapshot is not None:
            self._snapshot.join(_SNAPSHOT_S)
        self._finish(sink, {"ended_ns": ended_ns, "exit_status": status, "reason": reason})
        self._lanes.close()
        self._tracing.close()

    def _cost(self, ended_ns: int) -> dict[str, Any]:
        """What the trace took, but for CPU and memory, which are not over yet; and what it could not do."""
        long = ended_ns - self._started[1] >= _WORTH_MEASURING_NS
        ns_per_call, how = bpf_ns_per_call(self._probes, self._plans, measure=long)
        if ns_per_call is None:
            ns_per_call, how = bpf_ns_per_call(self._probes, self._plans, measure=True)
        problems = self._plaintext.problems
        if self._unreadable:
            problems.append(f"What {self._unreadable} processes had open before could not be listed: that takes CAP_DAC_READ_SEARCH or root.")
        if crowded := self._tracing.crowded():
            problems.append(f"More operations of io_uring were under way than ebtrace can follow: of {crowded} it is not known when they began, "
                            "and of those that did not end nothing.")
        return {
            "startup_ms": self._startup_ms,
            "bpf_ns_per_call": ns_per_call,
            "bpf_ns_known": how,
            "compiled": not self._cached,
            "problems": problems,
            "kernel_map_mb": round(kernel_map_bytes([m.fd for m in self._tracing.maps.values()]) / 1e6, 2),
        }

    def _finish(self, sink: Sink, end: dict[str, Any]) -> None:
        cost = self._cost(end["ended_ns"])
        ledger = sink.finish(lambda: cost | usage(self._front, self._plaintext.usage), end)
        if sink.error is not None:
            self._link.send(_failure(sink.error))
            return
        self._link.send({
            "is": "done", "ledger": ledger["lanes"], "calls": sink.calls, "processes": sink.processes, "session_bytes": sink.written,
            "problems": cost["problems"],
        })

    def _is_known(self) -> bool:
        """Whether what the processes of an attach had open, and what they run, has been looked at."""
        return self._plaintext.ready and self._snapshot is not None and not self._snapshot.is_alive()

    def _loop(self, drain: Drain, sink: Sink, poll: select.epoll) -> tuple[str, int | None]:
        duration = self._order.get("duration_s")
        end_at = time.monotonic() + duration if duration else None
        progress_at, look_at = time.monotonic() + _PROGRESS_S, 0.0
        while True:
            drain.step()
            self._plaintext.step(poll)
            if self._startup_ms is None and self._is_known():
                self._announce()  # probes have been live for a while; what was open before is known only now
            for message in self._link.poll():
                if message.get("do") == "stop":
                    return ("target ended" if self._run else "stopped"), message.get("exit_status")
            if self._link.ended:
                return "front died", None
            if self._asked_to_end:
                self._link.send({"is": "ended"})
                return "tracer asked to end", None
            if sink.error is not None:
                return "failed", None
            now = time.monotonic()
            if end_at is not None and now >= end_at:
                self._link.send({"is": "ended"})
                return "duration", None
            if not self._run and now >= look_at:
                look_at = now + _LOOK_S
                # A record of an end can be lost: what is told to be alive is looked up.
                if not any(map(runs, self._pids)) and not any(map(runs, sink.alive())):
                    self._link.send({"is": "ended"})
                    return "target ended", None
            if now >= progress_at:
                progress_at = now + _PROGRESS_S
                lost = sum(lane[2] for lane in self._tracing.lane_counts().values())
                self._link.send(
                    {"is": "progress", "seconds": round((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self._begun_ns) / 1e9, 1),
                     "calls": sink.calls, "lost": lost, "bytes": sink.written}, droppable=True)
            drain.wait()


def _failure(error: BaseException) -> Message:
    if isinstance(error, EbtraceError):
        return {"is": "failed", "message": error.message, "remedy": error.remedy, "status": error.status}
    return {"is": "failed", "message": f"the tracer stopped on an error of its own: {type(error).__name__}: {error}",
            "remedy": "please report it", "status": 1}


def _ready(order: Message, sizes: dict[str, int], loaded: Callable[[], Loaded | None]) -> tuple[Tracing, dict[str, Any], bool, WatchLink | None]:
    """The probes that the order asks for, their image, whether that was in the cache, and the watch, if there is one. Raises HostError."""
    early = loaded()
    if early is not None:
        watch = WatchLink(*early.watch)
        if (order["mode"], order["transport"]) == USUAL and sizes == ring_bytes(USUAL[1], None):
            return early.tracing, early.image, True, watch
        watch.end()
        early.tracing.close()
    probes, cached = image(order["mode"], order["transport"])
    tracing = Tracing(probes, sizes)
    tracing.load()
    return tracing, probes, cached, None


def serve(connection: socket.socket, loaded: Callable[[], Loaded | None]) -> int:
    """Traces as the front orders, with the probes that were ``loaded`` early; returns the exit status of the worker process."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy would start a thread for every core, and multiplies nothing here
    link = Link(connection)
    order = link.wait()
    if order is None or order.get("do") != "start":
        return 1
    try:
        session = _Session(link, order, peer(connection)[0], loaded)
    except EbtraceError as error:
        link.send(_failure(error))
        return error.status
    session.trace()
    return 0


if __name__ == "__main__":
    front = join(sys.argv[1])
    sys.exit(serve(front, load_early(front.fileno())))
