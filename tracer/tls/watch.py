"""Watches which files run in traced processes, looks for TLS functions in them, and attaches to those.

A thread of its own: the kernel tells of each file once (lane images), before its code runs for the first time. A file that is known to have such
functions is attached to while its process is held still, for a few milliseconds, or while it is searched for at most HOLD_S.
"""

from __future__ import annotations

import os
import select
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tracer.errors import EbtraceError
from tracer.kernel.perf import PerfStrings
from tracer.kernel.ring import StringRing
from tracer.kernel.tracing import Tracing
from tracer.kernel.uprobes import attach_uprobe
from tracer.records import IMAGE_KEY, IMAGE_RECORD, MapId, Role
from tracer.target.hold import Hold
from tracer.tls import cache
from tracer.tls.child import Search
from tracer.tls.found import Found, Function, nothing
from tracer.tls.images import Image, mapped_files, open_image

__all__ = ("TlsWatch",)

_HOLD_S = 0.3       # for as long a process may be held while its file is searched
_SEARCH_S = 30.0
_LOOK_MS = 10       # perf buffers wake nobody for a few bytes
_RECORD = struct.Struct(IMAGE_RECORD)
_PROBES = {"enter": "on_tls_enter", "return": "on_tls_return", "more": "on_tls_more", "free": "on_tls_free"}


class _Attached(NamedTuple):
    number: int
    links: list[int]


class TlsWatch:
    """Attaches as files appear. ``tell`` is given the number and the name of each library that probes were attached to."""

    def __init__(self, tracing: Tracing, lane: StringRing | PerfStrings, tell: Callable[[int, str], None], *, uretprobes: bool) -> None:
        self._tracing, self._lane, self._tell, self._uretprobes = tracing, lane, tell, uretprobes
        self._images: list[dict[str, Any]] = []
        self._attached: dict[int, _Attached] = {}  # by number of the image
        self._seen: set[tuple[int, int]] = set()   # inode and device
        self._programs: dict[tuple[str, int], int] = {}
        self._processes: deque[int] = deque()
        self._dropped: deque[int] = deque()
        self._told, self._tell_end = os.pipe()
        self._over = False
        self.delivered = 0
        self.problems: list[str] = []
        self._thread = threading.Thread(target=self._run, name="ebtrace-tls", daemon=True)

    def start(self, pids: Iterable[int]) -> None:
        """Begins; ``pids`` are processes that run already."""
        self._processes.extend(pids)
        self._thread.start()

    def judge(self, verdicts: Mapping[int, bool | None]) -> None:
        """Takes off the probes whose plaintext did not fit what was on the wire."""
        for number, verdict in verdicts.items():
            if not 0 < number <= len(self._images):
                continue
            image = self._images[number - 1]
            if verdict is False and image["verified"] is None and number not in self._dropped:
                self._dropped.append(number)
                os.write(self._tell_end, b"x")
            elif verdict and image["verified"] is None:
                image["verified"] = True

    def images(self) -> list[dict[str, Any]]:
        """What was found, for the session's TLS map."""
        return [dict(image) for image in self._images]

    def close(self) -> None:
        """Takes all probes off. What the kernel told until then is taken in."""
        self._over = True
        os.write(self._tell_end, b"x")
        if self._thread.is_alive():
            self._thread.join()
        for fd in (self._told, self._tell_end):
            os.close(fd)

    def _run(self) -> None:
        try:
            self._tracing.load_later()
        except EbtraceError as error:
            self.problems.append(f"What is sent and received in clear is not shown: {error.message}.")
        poll = select.poll()
        poll.register(self._told, select.POLLIN)
        ring = None if self._tracing.perf else self._tracing.maps[MapId.IMAGES].fd
        if ring is not None:
            poll.register(ring, select.POLLIN)
        while not self._over:
            self._work()
            for fd, _ in poll.poll(None if ring is not None and not self._processes else _LOOK_MS):
                if fd == self._told:
                    os.read(self._told, 64)
        self._take_off()
        self.delivered += len(self._lane.read(1 << 16))

    def _work(self) -> None:
        for raw in self._lane.read(256):
            self.delivered += 1
            _, inode, generation, device, _, tgid, _ = _RECORD.unpack_from(raw)
            image = None if (inode, device) in self._seen else open_image(tgid, inode, device)
            if image is not None:
                self._look_at(image, tgid)
            elif (inode, device) not in self._seen:  # the process has gone: whoever runs this file next tells of it again
                self._tracing.maps[MapId.IMAGES_SEEN].delete(struct.pack(IMAGE_KEY, inode, device, generation))
        while self._processes:
            for image in mapped_files(self._processes.popleft()):
                if (image.inode, image.device) in self._seen:
                    os.close(image.fd)
                else:
                    self._look_at(image, None)
        while self._dropped:
            self._drop(self._dropped.popleft())

    def _look_at(self, image: Image, tgid: int | None) -> None:
        """``tgid``: a process that is about to run it for the first time."""
        self._seen.add((image.inode, image.device))
        hold: Hold | None = None
        try:
            found = cache.found(image.fd, returns=not self._uretprobes)
            if found is None:
                hold = Hold(tgid) if tgid is not None else None
                found = self._await(Search(image.fd), hold)
            if found.library or found.note:
                self._note(image, found)
            if found.functions:
                hold = hold or (Hold(tgid) if tgid is not None else None)
                self._attach(image, found, len(self._images))
        except (OSError, EbtraceError) as error:
            self.problems.append(f"TLS in {image.path} is not read: {error}.")
        finally:
            if hold is not None:
                hold.release()
            os.close(image.fd)

    def _await(self, running: Search, hold: Hold | None) -> Found:
        started = time.monotonic()
        while (found := running.result()) is None:
            waited = time.monotonic() - started
            if hold is not None and waited > _HOLD_S:
                hold.release()
                hold = None
            if waited > _SEARCH_S or self._over:
                running.stop()
                return nothing("the search for TLS functions took too long")
            time.sleep(0.002)
        return found

    def _note(self, image: Image, found: Found) -> None:
        self._images.append({
            "path": image.path, "library": found.library, "version": found.version, "how": found.how, "build_id": image.build_id, "note": found.note,
            "verified": None, "attached_ns": None, "functions": len(found.functions),
        })

    def _attach(self, image: Image, found: Found, number: int) -> None:
        path, links, missing = f"/proc/self/fd/{image.fd}", [], []
        self._tell(number, found.library)
        try:
            for function in found.functions:
                role = Role[function.role.upper()]
                if role == Role.FREE:
                    links.append(attach_uprobe(path, function.entry, self._program("free", role, number)))
                    continue
                if not self._returns(path, function, role, number, links):
                    missing.append(function.role)
                    continue
                links.append(attach_uprobe(path, function.entry, self._program("enter", role, 0)))
        except BaseException:
            for link in links:
                os.close(link)
            raise
        self._images[number - 1]["attached_ns"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        if missing:
            self._images[number - 1]["note"] += f"; not every way out of {', '.join(missing)} is known"
        self._attached[number] = _Attached(number, links)

    def _returns(self, path: str, function: Function, role: Role, number: int, links: list[int]) -> bool:
        """Probes the function's end, before its beginning. Go moves its stacks, on which a uretprobe would leave its mark."""
        in_go = role in (Role.GO_READ, Role.GO_WRITE)
        program = self._program("return", role, number)
        self._more(role)
        if self._uretprobes and not in_go:
            links.append(attach_uprobe(path, function.entry, program, returning=True))
            return True
        links.extend(attach_uprobe(path, offset, program) for offset in function.returns)
        return bool(function.returns)

    def _program(self, what: str, role: Role, number: int) -> int:
        key = what, role | number << 8
        if key not in self._programs:
            self._programs[key] = self._tracing.uprobe(_PROBES[what], key[1])
        return self._programs[key]

    def _more(self, role: Role) -> None:
        if ("more", int(role)) not in self._programs:
            program = self._program("more", role, 0)
            self._tracing.maps[MapId.TLS_TAILS].update(struct.pack("<I", role), struct.pack("<i", program))

    def _drop(self, number: int) -> None:
        attached = self._attached.pop(number, None)
        if attached is None:
            return
        for link in attached.links:
            os.close(link)
        image = self._images[number - 1]
        image["verified"] = False
        image["note"] = "; ".join(filter(None, (image["note"], "what it gave did not fit what was on the wire, so it was dropped")))

    def _take_off(self) -> None:
        for attached in self._attached.values():
            for link in attached.links:
                os.close(link)
        self._attached.clear()
        for program in self._programs.values():
            os.close(program)
        self._programs.clear()
