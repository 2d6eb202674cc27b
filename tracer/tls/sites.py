"""Finds TLS functions in stripped programs by their error sites.

Where these libraries report an error they name the source file and either a public code of the reason (BoringSSL, aws-lc, OpenSSL 1.1)
or the function itself (OpenSSL 3 and later). Such sites do not move with the compiler, as the bytes of a function's beginning do.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracer.tls.elf import Elf, find
from tracer.tls.flow import Flow, Walker
from tracer.tls.starts import starts_around
from tracer.tls.text import references

__all__ = ("Sites", "strings_at")

_BEFORE = 24  # function starts that are tried for one site
_LONGEST = 256  # bytes of a path


def strings_at(elf: Elf, endings: Iterable[bytes], *, whole: bool = False) -> dict[int, str]:
    """Texts that end so and a NUL: address -> text. ``whole``: nothing may stand before the ending."""
    found = {}
    for needle, offset in find(elf, [ending + b"\0" for ending in endings], elf.constants()):
        start = max(offset - _LONGEST, 0)
        before = elf.read(start, offset - start)
        length = len(before) - before.rfind(b"\0") - 1
        address = elf.address(offset - length)
        if address is not None and not (whole and length):
            found[address] = (before[len(before) - length :] + needle[:-1]).decode("utf-8", "replace")
    return found


class Sites:
    """The functions of a file that name a source file, and what they name and load beside it."""

    def __init__(self, elf: Elf, file: dict[int, str]) -> None:
        self.elf, self.file = elf, set(file)
        places = references(elf, sorted(file))
        self.starts = starts_around(elf, places)
        self.walker = Walker(elf, self.starts)
        self.functions: dict[int, Flow] = {}
        self.homeless = 0
        for place in places:
            if not any(_covers(flow, place) for flow in self.functions.values()):
                self._home(place)

    def _home(self, place: int) -> None:
        for start in self.starts.before(place, 1 if self.starts.exact else _BEFORE):
            flow = self.walker.walk(start)
            if _covers(flow, place):
                self.functions[start] = flow
                return
        self.homeless += 1

    def codes(self, start: int) -> set[int]:
        """All numbers that the function loads where it names the file."""
        return set().union(*(numbers for named, numbers in self.functions[start].sites if named & self.file))

    def named(self, start: int) -> set[int]:
        """All addresses that the function loads where it names the file."""
        return set().union(*(named for named, _ in self.functions[start].sites if named & self.file))


def _covers(flow: Flow, place: int) -> bool:
    return any(place < at + flow.visited.get(at, 0) for at in range(place - 11, place + 1))
