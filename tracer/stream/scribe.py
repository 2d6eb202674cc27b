"""The worker's side of the scribe (tracer/scribe/): started when there is plaintext, fed, heard, and waited for at the end.

With BPF ring buffers the scribe reads the kernel's ring itself; out of perf buffers, which this process has mapped, records are passed on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping

from tracer.kernel.perf import PerfStrings
from tracer.kernel.ring import StringRing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import subprocess
    from typing import Any

__all__ = ("ScribeLink",)

_PATIENCE_S = 20.0   # for it to finish, from its last word on
_RECEIVE = 1 << 20
_WAITING = 8 << 20   # bytes on their way to it; beyond that records stay in the kernel
_AT_ONCE = 256       # records in one message
_ALL = 1 << 30
_LATE_NS = 5_000_000  # perf buffers are per CPU: a record may turn up so long after one that was made after it


def _time(record: bytes) -> int:
    """Each begins with when it was made, ns."""
    return int.from_bytes(record[:8], "little")


class ScribeLink:
    """One scribe of one session. ``records`` is how many it has taken in; ``verdicts``, by number of a library, whether to believe it."""

    def __init__(self, lane: StringRing | PerfStrings, ring: tuple[int, int] | None, order: Mapping[str, Any], put: Callable[..., None]) -> None:
        """``ring``: descriptor and size of the BPF ring buffer. ``put`` takes what is to be written, as `Sink.put` does."""
        self._lane, self._ring, self._order, self._put = lane, ring, dict(order), put
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._early: deque[dict[str, Any]] = deque()  # messages, some of them of other threads
        self._unsent = b""
        self._held: list[bytes] = []  # records that are too young to be passed on
        self._done = False
        self.records = 0
        self.failed = False
        self.verdicts: dict[int, bool | None] = {}
        self.usage: dict[str, float] = {}

    def tell(self, message: dict[str, Any]) -> None:
        """Any thread: {"library": [number, name]} or {"variables": {..}}, sent when there is a scribe."""
        self._early.append(message)

    def backlog(self) -> int:
        """Bytes that wait to be read."""
        return self._lane.backlog()

    def begin(self, *, at_once: bool = False) -> int | None:
        """Starts it if there is something to read, or ``at_once``, and none has been started; then its descriptor, to be polled."""
        if self._process is not None or self.failed or not (at_once or self._lane.backlog()):
            return None
        import socket  # these are slow, and not needed by most sessions
        import subprocess

        ours, theirs = socket.socketpair()
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        # To start takes it a tenth of a second, in which the target starts, too: it is not to have precedence, as the worker has.
        code = (
            "import os, sys; os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), 0)); "
            f"sys.path.insert(0, {root!r}); from tracer.scribe.main import main; sys.exit(main())"
        )
        fds = [theirs.fileno(), *((self._ring[0],) if self._ring else ())]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", code, str(theirs.fileno())], pass_fds=fds, env={},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:
            self.failed = True
            ours.close()
            return None
        finally:
            theirs.close()
        import msgpack

        self._packer = msgpack.Packer(unicode_errors="surrogateescape")
        self._unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=1 << 28)
        ours.setblocking(False)
        self._socket = ours
        self._early.appendleft(self._order | {"ring": list(self._ring) if self._ring else None})
        return ours.fileno()

    def step(self) -> None:
        """Passes on what is there in either direction, without waiting."""
        if self._socket is None:
            return
        while self._early and len(self._unsent) < _WAITING:
            self._unsent += self._packer.pack(self._early.popleft())
        if self._ring is None and len(self._unsent) < _WAITING:
            self._pass_on(time.clock_gettime_ns(time.CLOCK_MONOTONIC) - _LATE_NS)
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent):]
        except BlockingIOError:
            pass
        except OSError:
            self._died()
            return
        self._hear()

    def _pass_on(self, until_ns: int | None = None) -> None:
        """Sends the records of all CPUs in the order of their times, those before ``until_ns``."""
        records = sorted(self._held + self._lane.read(_ALL), key=_time)
        count = len(records) if until_ns is None else bisect_left(records, until_ns, key=_time)
        self._held = records[count:]
        for at in range(0, count, _AT_ONCE):
            self._unsent += self._packer.pack({"records": records[at:min(at + _AT_ONCE, count)]})

    def _hear(self) -> None:
        assert self._socket is not None
        while True:
            try:
                data = self._socket.recv(_RECEIVE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                if not self._done:
                    self._died()
                return
            self._unpacker.feed(data)
            for message in self._unpacker:
                self._heard(message)

    def _heard(self, message: dict[str, Any]) -> None:
        match message:
            case {"kind": int(kind), "raw": bytes(raw)}:
                self._put("packed", (kind, raw))
            case {"verdicts": dict(verdicts)}:
                self.verdicts = verdicts
            case {"tls": dict(facts), "records": int(records)}:
                self.records = records
                self._put("tls", facts)
            case {"done": _}:
                self._done = True

    def _died(self) -> None:
        self.failed = True
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def finish(self, keep_going: Callable[[], object]) -> None:
        """After the probes are off: waits until all has been read, calling ``keep_going`` meanwhile, and for the end of the process."""
        self.begin()
        if self._process is None:
            return
        if self._ring is None:
            while self._socket is not None and (self._early or len(self._unsent) >= _WAITING):
                self.step()
                keep_going()
            self._pass_on()
        self.tell({"end": True})
        deadline = time.monotonic() + _PATIENCE_S
        while self._socket is not None and not self._done and time.monotonic() < deadline:
            before = self.records
            self.step()
            keep_going()
            if self.records != before:
                deadline = time.monotonic() + _PATIENCE_S
            time.sleep(0.001)
        self._end()

    def _end(self) -> None:
        assert self._process is not None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if not self._done:
            self.failed = True
            os.kill(self._process.pid, signal.SIGKILL)  # Popen.kill would wait for it, if it is dead already
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        self.usage = {"cpu_s": round(used.ru_utime + used.ru_stime, 4), "peak_rss_mb": round(used.ru_maxrss / 1024, 2)}
