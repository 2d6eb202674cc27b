"""Where functions start: from the unwind table, which most stripped files keep, or from the targets of direct calls."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from tracer.tls.elf import PT_EH_FRAME, Elf
from tracer.tls.text import calls_into

__all__ = ("Starts", "starts_around")

_ENTRIES = 4 << 20  # of the unwind table: 32 MB


class Starts:
    """Sorted addresses of function starts. ``exact``: from the unwind table, which misses none that the compiler made."""

    def __init__(self, addresses: list[int], exact: bool) -> None:
        self.exact = exact
        self._set = set(addresses)
        self.addresses = sorted(self._set)

    def before(self, address: int, most: int) -> list[int]:
        """Up to ``most`` starts at or before an address, the nearest first."""
        place = bisect_right(self.addresses, address)
        return self.addresses[max(place - most, 0) : place][::-1]

    def end(self, start: int) -> int | None:
        """The next start; None where none is known."""
        place = bisect_right(self.addresses, start)
        return self.addresses[place] if place < len(self.addresses) else None

    def __contains__(self, address: int) -> bool:
        return address in self._set


def starts_around(elf: Elf, places: Iterable[int], margin: int = 1 << 16) -> Starts:
    """Function starts up to ``margin`` bytes before each place in the code, and behind it."""
    exact = _unwind(elf)
    if exact:
        return Starts(exact, True)
    places = sorted(places)
    windows: list[list[int]] = []
    for place in places:
        if windows and place - margin <= windows[-1][1]:
            windows[-1][1] = place + margin
        else:
            windows.append([place - margin, place + margin])
    found = np.zeros(0, np.int64)
    if windows:
        _, targets = calls_into(elf, windows[0][0], windows[-1][1])
        targets = np.unique(targets)
        low, high = (np.array(column, np.int64) for column in zip(*windows))
        window = np.clip(np.searchsorted(low, targets, "right") - 1, 0, None)
        targets = targets[(targets <= high[window]) & (targets >= low[window])]
        found = targets[targets % (4 if elf.machine == "aarch64" else 16) == 0]
    return Starts([address for address in found.tolist() if _plausible(elf, address)], False)


def _plausible(elf: Elf, address: int) -> bool:
    """Whether the code before ends there: four bytes that look like a call are common in x86-64's code, and their targets are nowhere."""
    if elf.machine == "aarch64":
        return True
    before = elf.at(address - 5, 5)
    if len(before) < 5:
        return elf.executable(address)
    return before[4] in (0xCC, 0x90, 0xC3, 0x00) or before[0] in (0xE8, 0xE9) or before[3] == 0xEB or before[3:] == b"\x0f\x0b"


def _unwind(elf: Elf) -> list[int]:
    """.eh_frame_hdr: a sorted table of (start, where its unwinding is told), as distances from the table's own address."""
    for segment in elf.segments:
        if segment.kind != PT_EH_FRAME:
            continue
        head = elf.read(segment.offset, 12)
        if len(head) < 12 or head[0] != 1 or head[2:4] != b"\x03\x3b":  # a count of 4 bytes; a table of signed distances of 4 bytes
            return []
        count = min(struct.unpack_from("<I", head, 8)[0], _ENTRIES, (segment.size - 12) // 8)
        rows = np.frombuffer(elf.read(segment.offset + 12, max(count, 0) * 8)[: max(count, 0) * 8], "<i4")
        starts = rows[: len(rows) // 2 * 2 : 2].astype(np.int64) + segment.address
        return [int(start) for start in np.unique(starts)]
    return []
