"""Watches which files run in traced processes, looks for TLS functions in them, and attaches to those.

A process of its own, forked from the worker before that has threads: it must be quick, and would wait for Python's lock there. The kernel
tells of each file once (lane images), before its code runs for the first time. A file with TLS functions is attached to while its process
is held still, for a few milliseconds, or at most HOLD_S where it has to be searched.

    worker -> watch   {"do": "warm up"}, {"do": "look", "pids": [..]}, {"do": "judge", "verdicts": {number: bool}}, {"do": "stop"}
    watch -> worker   {"is": "prepared"}, {"is": "library", "number": n, "name": ".."}, {"is": "ready"},
                      {"is": "images", "images": [..], "delivered": n, "problems": [..]}, and as "last" after "stop",
                      with "usage": what it took
"""

from __future__ import annotations

import gc
import os
import select
import struct
import time

from tracer.bare import heappop, heappush
from tracer.errors import EbtraceError
from tracer.records import IMAGE_KEY, IMAGE_RECORD, MapId
from tracer.target.hold import Hold
from tracer.tls.attach import Attachments
from tracer.tls.found import Found
from tracer.tls.images import Image, Place, mapped_files, places
from tracer.tls.known import Known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracer.kernel.perf import PerfStrings
    from tracer.kernel.ring import StringRing
    from tracer.kernel.tracing import Tracing
    from tracer.link import Link
    from tracer.tls.child import Search

__all__ = ("TlsWatch",)

_HOLD_S = 0.3       # for as long a process may be held while its file is searched
_LOOK_MS = 10       # perf buffers wake nobody for a few bytes
_RECORD = struct.Struct(IMAGE_RECORD)
_File = tuple[int, int, int]  # inode, device, generation
_TELLING = ("ssl", "tls", "nss")


class TlsWatch:
    """Attaches as files appear. The numbers of libraries are those of their images, from 1 on."""

    def __init__(self, tracing: Tracing, lane: StringRing | PerfStrings, link: Link, *, uretprobes: bool) -> None:
        self._tracing, self._lane, self._link, self._uretprobes = tracing, lane, link, uretprobes
        self._images: list[dict[str, Any]] = []
        self._known = Known(returns=not uretprobes)
        self._attachments = Attachments(tracing, uretprobes=uretprobes)
        self._seen: set[tuple[int, int]] = set()   # inode and device
        self._fresh: list[tuple[bool, int, Place, _File, int]] = []  # a heap of files, each with a process that is about to run it
        self._delivered = self._put = 0
        self._problems: list[str] = []
        self._over = self._told_last = False
        self._orders: list[dict[str, Any]] = []
        import tracer.tls.cache  # noqa: F401  # before the target may run: a short program says what it has to say while this loads

        link.send({"is": "prepared"})

    def run(self) -> None:
        """Until the worker says stop, or has died."""
        gc.enable()
        poll = select.poll()
        poll.register(self._link.fileno(), select.POLLIN)
        if not self._tracing.perf:
            poll.register(self._tracing.maps[MapId.IMAGES].fd, select.POLLIN)
        while True:
            try:
                self._files()
                self._orders += self._link.poll()
                while self._orders:
                    self._obey(self._orders.pop(0))
            except Exception as error:  # an error nobody foresaw must not pass in silence
                self._problems.append(f"A TLS library was not looked at: {type(error).__name__}: {error}.")
                self._tell_images()
            if self._over or self._link.ended:
                break
            poll.poll(_LOOK_MS if self._tracing.perf else None)
        self._last()
        self._known.save()
        self._attachments.take_all_off()

    def _last(self) -> None:
        if not self._told_last:
            self._told_last = True
            self._delivered += len(self._lane.read(1 << 16))
            self._tell_images("last")

    def _obey(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "look":
                for pid in message["pids"]:
                    for image in mapped_files(pid, self._seen):
                        self._look_at(image, None)
                self._link.send({"is": "ready"})
            case "warm up":
                self._attachments.warm_up()
            case "judge":
                for number, verdict in message["verdicts"].items():
                    self._judge(int(number), verdict)
                self._tell_images()
            case "stop":
                self._over = True

    def _judge(self, number: int, verdict: bool) -> None:
        image = self._images[number - 1]
        image["verified"] = verdict
        if not verdict and self._attachments.take_off(number):
            image["note"] = "; ".join(filter(None, (image["note"], "what it gave did not fit what was on the wire, so it was dropped")))

    def _tell_images(self, kind: str = "images") -> None:
        message = {"is": kind, "images": self._images, "delivered": self._delivered, "problems": self._problems}
        if kind == "last":
            from tracer.stream.meter import usage_beside

            message["usage"] = usage_beside()
        self._link.send(message)

    def _files(self) -> None:
        """Looks at the files that the kernel has told of. Those whose names speak of TLS come first: it is they who must not run ahead."""
        self._hear_of_files()
        while self._fresh:
            _, _, place, file, tgid = heappop(self._fresh)
            if file[:2] in self._seen:
                continue
            image = place.open()
            if image is not None:
                self._look_at(image, tgid)
            else:
                self._forget(file)
            self._hear_of_files()  # one of those may have come meanwhile

    def _hear_of_files(self) -> None:
        told: dict[int, list[_File]] = {}
        for raw in self._lane.read(256):
            self._delivered += 1
            _, inode, generation, device, _, tgid, _ = _RECORD.unpack_from(raw)
            told.setdefault(tgid, []).append((inode, device, generation))
        for tgid, files in told.items():
            found = places(tgid, {file[:2] for file in files} - self._seen)
            for file in files:
                place = found.get(file[:2])
                if place is not None:
                    self._put += 1
                    heappush(self._fresh, (not any(word in place.path for word in _TELLING), self._put, place, file, tgid))
                elif file[:2] not in self._seen:
                    self._forget(file)

    def _forget(self, file: _File) -> None:
        """The process has gone: whoever runs this file next tells of it again."""
        inode, device, generation = file
        self._tracing.maps[MapId.IMAGES_SEEN].delete(struct.pack(IMAGE_KEY, inode, device, generation))

    def _look_at(self, image: Image, tgid: int | None) -> None:
        """``tgid``: a process that is about to run it for the first time."""
        self._seen.add((image.inode, image.device))
        hold: Hold | None = None
        try:
            found = self._known.get(image.fd)
            if found is None:
                from tracer.tls import cache

                found = cache.found(image.fd, returns=not self._uretprobes)
                if found is None:
                    hold = Hold(tgid) if tgid is not None else None
                    from tracer.tls.child import Search  # what it takes to start a process is seldom needed

                    found = self._await(Search(image.fd), hold)
                self._known.add(image.fd, found)
            if found.library or found.note:
                self._note(image, found)
                self._tell_images()
            if found.functions and not self._told_last:
                hold = hold or (Hold(tgid) if tgid is not None else None)
                self._attach(image, found, len(self._images))
        except (OSError, EbtraceError) as error:
            self._problems.append(f"TLS in {image.path} is not read: {error}.")
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
            self._orders += self._link.poll()
            if any(order["do"] == "stop" for order in self._orders):
                self._last()  # the worker need not wait; what is found is there the next time
            time.sleep(0.002)
        return found

    def _note(self, image: Image, found: Found) -> None:
        self._images.append({
            "path": image.path, "library": found.library, "version": found.version, "how": found.how, "build_id": image.build_id(),
            "note": found.note, "verified": None, "attached_ns": None, "functions": len(found.functions),
        })

    def _attach(self, image: Image, found: Found, number: int) -> None:
        self._link.send({"is": "library", "number": number, "name": found.library})
        missing = self._attachments.put_on(image.fd, found.functions, number)
        self._images[number - 1]["attached_ns"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        if missing:
            self._images[number - 1]["note"] += f"; not every way out of {', '.join(missing)} is known"
        self._tell_images()
