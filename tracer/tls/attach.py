"""Puts the probes on the functions of TLS libraries, and takes them off. Used by one thread (tracer/tls/watch.py)."""

from __future__ import annotations

import os
import struct

from tracer.bare import Thread, partial, suppress
from tracer.errors import EbtraceError
from tracer.kernel.loading import on_two_threads
from tracer.kernel.tracing import Tracing
from tracer.kernel.uprobes import attach_uprobes
from tracer.records import GIVEN_LIBRARY, MapId, Role
from tracer.tls.found import Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("Attachments",)

_PROBES = {"enter": "on_tls_enter", "return": "on_tls_return", "more": "on_tls_more", "free": "on_tls_free", "go": "on_go_return"}
_GO = (Role.GO_READ, Role.GO_WRITE)


class Attachments:
    """Probes by the number of the library that they are on."""

    def __init__(self, tracing: Tracing, *, uretprobes: bool) -> None:
        self._tracing, self._uretprobes = tracing, uretprobes
        self._links: dict[int, list[int]] = {}
        self._idle: list[int] = []
        self._programs: dict[tuple[str, int], int] = {}
        self._warming: Thread | None = None

    def warm_up(self) -> None:
        """When a target is about to run, whose process would be held still so long else: the verifier takes milliseconds for a program; and for
        the first probe in a while the kernel waits until no CPU is in the middle of a fork (dup_mmap_sem, kernel/events/uprobes.c), 15 ms,
        here for one on a file that nobody runs. Until somebody waits for it, it has no precedence over the target, which is starting."""
        self._warming = Thread(self._warm_up)

    def _warm_up(self) -> None:
        with suppress(OSError):  # not SCHED_IDLE: Python's lock in the hands of a thread that gets no CPU would keep the watch waiting
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        with suppress(EbtraceError):  # whoever is about to attach meets it again
            self._program("enter", Role.READ.given)
            waiting = Thread(self._attach_to_nothing)
            if self._tracing.uprobe_multi:  # else programs have to know the library
                on_two_threads(lambda what: self._program(what, 0), ("return", "more", "free"))
            waiting.join()

    def _await_warm(self) -> None:
        if self._warming is not None:
            for thread in os.listdir("/proc/self/task"):
                with suppress(OSError):  # it has ended, or may not have what this process has not
                    os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))
            self._warming.join()
            self._warming = None

    def _attach_to_nothing(self) -> None:
        with suppress(OSError, EbtraceError):
            fd = os.memfd_create("ebtrace", os.MFD_CLOEXEC)
            os.write(fd, b"\xc3" * 16)
            self._idle += self._probe(f"/proc/self/fd/{fd}", [0], "enter", Role.READ.given)
            os.close(fd)

    def put_on(self, fd: int, functions: Sequence[Function], number: int) -> list[str]:
        """Attaches to the functions of an open file; the roles of those whose ways out are not known. Raises OSError and EbtraceError."""
        self._await_warm()
        self._load(functions, number)
        path, links, missing = f"/proc/self/fd/{fd}", [], []
        try:
            for function in functions:
                role = Role[function.role.upper()]
                given = role.given | number * GIVEN_LIBRARY
                if role == Role.FREE:
                    links += self._probe(path, [function.entry], "free", given)
                elif not self._returns(path, function, role, given, links):
                    missing.append(function.role)
                else:
                    links += self._probe(path, [function.entry], "enter", role.given)
        except BaseException:
            for link in links:
                os.close(link)
            raise
        self._links[number] = links
        return missing

    def take_off(self, number: int) -> bool:
        """Takes a library's probes off; False if there are none."""
        links = self._links.pop(number, None)
        for link in links or ():
            os.close(link)
        return links is not None

    def take_all_off(self) -> None:
        """The kernel waits for all CPUs at each one (up to a tenth of a second), but for several at once no longer."""
        for thread in [Thread(partial(os.close, link)) for links in (self._idle, *self._links.values()) for link in links]:
            thread.join()
        self._links.clear()

    def _returns(self, path: str, function: Function, role: Role, given: int, links: list[int]) -> bool:
        """Probes the function's end, before its beginning. Go moves its stacks, on which a uretprobe would leave its mark."""
        if self._uretprobes and role not in _GO:
            links += self._probe(path, [function.entry], "return", given, returning=True)
            return True
        if function.returns:
            links += self._probe(path, function.returns, "go" if role in _GO else "return", given)
        return bool(function.returns)

    def _probe(self, path: str, offsets: Sequence[int], what: str, given: int, *, returning: bool = False) -> list[int]:
        multi = self._tracing.uprobe_multi
        return attach_uprobes(path, offsets, self._program(what, given), returning=returning, multi=multi, cookie=given)

    def _load(self, functions: Sequence[Function], number: int) -> None:
        """The programs for all of these, on two threads: a process is held still meanwhile."""
        wanted: set[tuple[str, int]] = set()
        for role in {Role[function.role.upper()] for function in functions}:
            whole = role.given | number * GIVEN_LIBRARY
            returning = "go" if role in _GO else "return"
            kinds = [("free", whole)] if role == Role.FREE else [("enter", role.given), (returning, whole), ("more", role.given)]
            wanted |= {self._key(*kind) for kind in kinds}
        on_two_threads(lambda key: self._program(*key), sorted(wanted))

    def _key(self, what: str, given: int) -> tuple[str, int]:
        """Where links have cookies there is one program of each kind; else each knows what it is given."""
        return what, 0 if self._tracing.uprobe_multi else given

    def _program(self, what: str, given: int) -> int:
        key = self._key(what, given)
        if key not in self._programs:
            self._programs[key] = program = self._tracing.uprobe(_PROBES[what], given)
            if what == "more":
                for role in Role:
                    if self._tracing.uprobe_multi or role.given == given:
                        self._tracing.maps[MapId.TLS_TAILS].update(struct.pack("<I", role), struct.pack("<i", program))
        return self._programs[key]
