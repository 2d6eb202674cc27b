"""Puts the probes on the functions of TLS libraries, and takes them off. Used by one thread (tracer/tls/watch.py)."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Sequence

from tracer.kernel.probes import on_two_threads
from tracer.kernel.tracing import Tracing
from tracer.kernel.uprobes import attach_uprobes
from tracer.records import MapId, Role
from tracer.tls.found import Function

__all__ = ("Attachments",)

_PROBES = {"enter": "on_tls_enter", "return": "on_tls_return", "more": "on_tls_more", "free": "on_tls_free"}


class Attachments:
    """Probes by the number of the library that they are on."""

    def __init__(self, tracing: Tracing, *, uretprobes: bool) -> None:
        self._tracing, self._uretprobes = tracing, uretprobes
        self._links: dict[int, list[int]] = {}
        self._programs: dict[tuple[str, int], int] = {}

    def put_on(self, fd: int, functions: Sequence[Function], number: int) -> list[str]:
        """Attaches to the functions of an open file; the roles of those whose ways out are not known. Raises OSError and EbtraceError."""
        self._load(functions, number)
        path, links, missing = f"/proc/self/fd/{fd}", [], []
        try:
            for function in functions:
                role = Role[function.role.upper()]
                if role == Role.FREE:
                    links += self._probe(path, [function.entry], self._program("free", role, number))
                elif not self._returns(path, function, role, number, links):
                    missing.append(function.role)
                else:
                    links += self._probe(path, [function.entry], self._program("enter", role, 0))
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
        threads = [threading.Thread(target=os.close, args=(link,)) for links in self._links.values() for link in links]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._links.clear()

    def _returns(self, path: str, function: Function, role: Role, number: int, links: list[int]) -> bool:
        """Probes the function's end, before its beginning. Go moves its stacks, on which a uretprobe would leave its mark."""
        in_go = role in (Role.GO_READ, Role.GO_WRITE)
        program = self._program("return", role, number)
        if self._uretprobes and not in_go:
            links += self._probe(path, [function.entry], program, returning=True)
            return True
        if function.returns:
            links += self._probe(path, function.returns, program)
        return bool(function.returns)

    def _probe(self, path: str, offsets: Sequence[int], program: int, *, returning: bool = False) -> list[int]:
        return attach_uprobes(path, offsets, program, returning=returning, multi=self._tracing.uprobe_multi)

    def _load(self, functions: Sequence[Function], number: int) -> None:
        """The programs for all of these, on two threads: the verifier takes milliseconds for each, and a process is held still meanwhile."""
        wanted: list[tuple[str, Role, int]] = []
        for role in {Role[function.role.upper()] for function in functions}:
            wanted += [("free", role, number)] if role == Role.FREE else [("enter", role, 0), ("return", role, number), ("more", role, 0)]
        on_two_threads(lambda one: self._program(*one), wanted)

    def _program(self, what: str, role: Role, number: int) -> int:
        key = what, role | number << 8
        if key not in self._programs:
            self._programs[key] = program = self._tracing.uprobe(_PROBES[what], key[1])
            if what == "more":
                self._tracing.maps[MapId.TLS_TAILS].update(struct.pack("<I", role), struct.pack("<i", program))
        return self._programs[key]
