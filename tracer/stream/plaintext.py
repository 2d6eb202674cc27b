"""What is sent and received in clear, on the worker's side: the scribe that reads it, and the watch that finds TLS libraries."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from tracer.records import MapId
from tracer.stream.meter import sum_of
from tracer.stream.scribe import ScribeLink
from tracer.stream.sink import GRACE_S, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracer.worker import Beginning

__all__ = ("Plaintext",)

_MUCH = 1 << 20  # bytes that wait, of the ring's 8 MB or more: they wait for nobody


class Plaintext:
    """The plaintext of one session."""

    def __init__(self, begun: Beginning, key: bytes, sink: Sink) -> None:
        """``key`` is the redaction's."""
        ring = None if begun.tracing.perf else (begun.tracing.maps[MapId.PLAINTEXT].fd, begun.sizes["plaintext"])
        told = {"key": key, "redact": begun.order.get("redact", True), "max_body": begun.order.get("max_body", 0)}
        self._scribe = ScribeLink(begun.lanes.plaintext, ring, told, sink.put)
        self._learned = sink.learned
        for variables in begun.environments:  # before anything can be said; the others as they are seen to start
            self._scribe.tell({"variables": variables})
        self._watch = begun.watch
        self._expected = False
        self._grace_until = time.monotonic() + GRACE_S

    def _library(self, number: int, name: str) -> None:
        self._scribe.tell({"library": [number, name]})
        self._expected = True  # a large download fills the ring while a process starts

    @property
    def ready(self) -> bool:
        """Whether processes that ran at the beginning have been looked at."""
        return self._watch is None or self._watch.ready

    def start(self, pids: list[int], poll: select.epoll) -> None:
        """Begins; ``pids`` run already. ``poll`` wakes the caller."""
        if self._watch is not None:
            poll.register(self._watch.fileno(), select.EPOLLIN)
            self._watch.look(pids)

    def step(self, poll: select.epoll) -> None:
        """Passes on what is there, without waiting; ``poll`` wakes the caller for more."""
        self._learn()
        if self._watch is not None:
            self._watch.step(self._library)
            self._watch.judge(self._scribe.verdicts)
        if time.monotonic() < self._grace_until and self._scribe.backlog() < _MUCH:
            return
        fd = self._scribe.begin(at_once=self._expected)
        if fd is not None:
            poll.register(fd, select.EPOLLIN)
        self._scribe.step()

    def _learn(self) -> None:
        """What traced processes were started with: their secrets are to be found in what they say."""
        while not self._learned.empty():
            self._scribe.tell({"variables": self._learned.get()})

    def stop(self) -> None:
        """After the trace: nothing is read any more."""
        if self._watch is not None:
            self._watch.stop(self._library)

    def finish(self, keep_going: Callable[[], object]) -> None:
        """After all probes are off: waits until all that was said is written."""
        self._learn()
        self._scribe.finish(keep_going)

    def delivered(self) -> dict[str, int]:
        """Records taken in, by lane."""
        return {"plaintext": self._scribe.records, "images": self._watch.delivered if self._watch else 0}

    def images(self) -> list[dict[str, Any]]:
        """Files with TLS functions."""
        verdicts = self._scribe.verdicts
        images = self._watch.images if self._watch else []
        return [{**image, "verified": verdicts.get(number, image["verified"])} for number, image in enumerate(images, 1)]

    @property
    def usage(self) -> dict[str, float]:
        """What the scribe and the watch took, once they have ended: cpu_s, peak_rss_mb."""
        return sum_of(self._scribe.usage, self._watch.usage if self._watch else {})

    @property
    def problems(self) -> list[str]:
        """Sentences for the user."""
        failed = ["The process that reads what was said in clear has died: HTTP is missing from then on."] if self._scribe.failed else []
        return (self._watch.problems if self._watch else []) + failed
