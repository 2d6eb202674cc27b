"""One trace from the moment at which its probes are live: drains, follows what the front says, finishes the session."""

from __future__ import annotations

import os
import select
import threading
import time
from contextlib import suppress

from tracer.kernel.probes import WITHOUT
from tracer.link import failure
from tracer.records import CensusKind
from tracer.stream.drain import Drain
from tracer.stream.meter import kernel_map_bytes, usage
from tracer.stream.plaintext import Plaintext
from tracer.stream.sink import HURRY, Sink
from tracer.target.process import runs
from tracer.target.snapshot import snapshot_async, tgids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracer.worker import Beginning

__all__ = ("Trace",)

_PROGRESS_S = 1.0
_LOOK_S = 0.1  # how late an attach may notice that all has ended
_SNAPSHOT_S = 5.0  # the longest that the end of a session waits for the snapshot of its beginning
_WORTH_MEASURING_NS = 10_000_000_000  # sessions shorter than this use the cost that was measured here before, if it was


class Trace:
    """From there to "done"."""

    def __init__(self, beginning: Beginning) -> None:
        self._begun = beginning
        self._link, self._order, self._tracing, self._run = beginning.link, beginning.order, beginning.tracing, beginning.run
        self._unreadable = 0
        self._snapshot: threading.Thread | None = None

    def _meta(self) -> dict[str, Any]:
        from tracer import __version__

        system = os.uname()
        order = self._order
        return {
            **order["meta"],
            "pid": self._begun.pids[0],
            "started_unix_ns": self._begun.started[0],
            "started_ns": self._begun.started[1],
            "kernel": system.release,
            "hostname": system.nodename,
            "arch": system.machine,
            "version": __version__,
            "transport": self._begun.probes["transport"],
            "missing": [WITHOUT[name] for name in self._begun.probes["missing"] if name in WITHOUT],
            **{name: order.get(name) for name in ("mode", "expression", "sample", "children")},
        }

    def run(self) -> None:
        """Runs until the front says stop, everything has ended, or time is up; then finishes the session."""
        detail = self._order["mode"] == "full"
        file = os.fdopen(self._order["fd"], "wb", buffering=0)
        key = os.urandom(32)
        sink = Sink(self._tracing, file, self._meta(), key, redact=self._order.get("redact", True), detail=detail,
                    environments=self._begun.environments)
        plaintext = Plaintext(self._begun, key, sink)
        sink.plaintext = self._plaintext = plaintext
        sink.put("found", self._begun.found)
        if self._begun.sockets:
            sink.put("sockets found", self._begun.sockets)
        if self._run:
            sink.put("snapshot", {"files": self._begun.inherited})
        else:
            def take(part: dict[str, Any]) -> None:
                self._unreadable += len(part.get("unreadable", ()))
                sink.put("snapshot", part)

            self._snapshot = snapshot_async(self._begun.found, take)
        with select.epoll() as poll:
            poll.register(self._link.fileno(), select.EPOLLIN)
            if not self._tracing.perf:
                for fd in self._tracing.ring_fds():
                    poll.register(fd, select.EPOLLIN | select.EPOLLET)
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, 0, HURRY)
            drain = Drain(self._begun.lanes, sink, poll)
            plaintext.start([] if self._run else tgids(self._begun.found), poll)
            reason, status = self._loop(drain, sink, poll)
            target_ended_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            if self._begun.startup_ms is None:
                self._begun.announce()  # the end came before the snapshot was there; the front still waits for the beginning
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
        self._begun.lanes.close()
        self._tracing.close()

    def _cost(self, ended_ns: int) -> dict[str, Any]:
        """What the trace took, but for CPU and memory, which are not over yet; and what it could not do."""
        from tracer.kernel.cost import bpf_ns_per_call

        long = ended_ns - self._begun.started[1] >= _WORTH_MEASURING_NS
        ns_per_call, how = bpf_ns_per_call(self._begun.probes, self._begun.plans, measure=long)
        if ns_per_call is None:
            ns_per_call, how = bpf_ns_per_call(self._begun.probes, self._begun.plans, measure=True)
        problems = self._plaintext.problems + self._tracing.problems
        if self._unreadable:
            problems.append(f"What {self._unreadable} processes had open before could not be listed: that takes CAP_DAC_READ_SEARCH or root.")
        if crowded := self._tracing.crowded():
            problems.append(f"More operations of io_uring were under way than ebtrace can follow: of {crowded} it is not known when they began, "
                            "and of those that did not end nothing.")
        return {
            "startup_ms": self._begun.startup_ms,
            "bpf_ns_per_call": ns_per_call,
            "bpf_ns_known": how,
            "compiled": not self._begun.cached,
            "problems": problems,
            "kernel_map_mb": round(kernel_map_bytes([m.fd for m in self._tracing.maps.values()]) / 1e6, 2),
        }

    def _finish(self, sink: Sink, end: dict[str, Any]) -> None:
        cost = self._cost(end["ended_ns"])
        ledger = sink.finish(lambda: cost | usage(self._begun.front, self._plaintext.usage), end)
        if sink.error is not None:
            self._link.send(failure(sink.error))
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
            if self._begun.startup_ms is None and self._is_known():
                self._begun.announce()  # probes have been live for a while; what was open before is known only now
            for message in self._link.poll():
                if message.get("do") == "stop":
                    return ("target ended" if self._run else "stopped"), message.get("exit_status")
            if self._link.ended:
                return "front died", None
            if self._begun.asked_to_end:
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
                if not any(map(runs, self._begun.pids)) and not any(map(runs, sink.alive())):
                    self._link.send({"is": "ended"})
                    return "target ended", None
            if now >= progress_at:
                progress_at = now + _PROGRESS_S
                lost = sum(lane[2] for lane in self._tracing.lane_counts().values())
                self._link.send(
                    {"is": "progress", "seconds": round((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self._begun.begun_ns) / 1e9, 1),
                     "calls": sink.calls, "lost": lost, "bytes": sink.written}, droppable=True)
            drain.wait()


