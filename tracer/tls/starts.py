"""Where functions start: from the unwind table, which most stripped files keep, or from the targets of direct calls."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from tracer.tls.elf import PT_EH_FRAME, Elf
from tracer.tls.text import Addresses, calls_into

__all__ = ("Starts", "starts_around")

_ENTRIES = 4 << 20  # of the unwind table: 32 MB


class Starts:
    """Addresses of function starts. ``exact``: from the unwind table, which misses none that the compiler made."""

    def __init__(self, addresses: Addresses, exact: bool) -> None:
        if not (addresses[1:] > addresses[:-1]).all():
            addresses = np.unique(addresses)
        self.addresses, self.exact = addresses, exact

    def before(self, address: int, most: int) -> list[int]:
        """Up to ``most`` starts at or before an address, the nearest first."""
        place = int(np.searchsorted(self.addresses, address, "right"))
        nearest: list[int] = self.addresses[max(place - most, 0) : place][::-1].tolist()
        return nearest

    def end(self, start: int) -> int | None:
        """The next start; None where none is known."""
        place = int(np.searchsorted(self.addresses, start, "right"))
        return int(self.addresses[place]) if place < len(self.addresses) else None

    def __contains__(self, address: int) -> bool:
        return self.before(address, 1) == [address]


def starts_around(elf: Elf, places: Iterable[int], margin: int = 1 << 16) -> Starts:
    """Function starts up to ``margin`` bytes before each place in the code, and behind it."""
    exact = _unwind(elf)
    if len(exact):
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
    return Starts(np.array([address for address in found.tolist() if _plausible(elf, address)], np.int64), False)


def _plausible(elf: Elf, address: int) -> bool:
    """Whether the code before ends there: four bytes that look like a call are common in x86-64's code, and their targets are nowhere."""
    if elf.machine == "aarch64":
        return True
    before = elf.at(address - 5, 5)
    if len(before) < 5:
        return elf.executable(address)
    return before[4] in (0xCC, 0x90, 0xC3, 0x00) or before[0] in (0xE8, 0xE9) or before[3] == 0xEB or before[3:] == b"\x0f\x0b"


def _unwind(elf: Elf) -> Addresses:
    """.eh_frame_hdr: a sorted table of (start, where its unwinding is told), as distances from the table's own address."""
    for segment in elf.segments:
        if segment.kind != PT_EH_FRAME:
            continue
        head = elf.read(segment.offset, 12)
        if len(head) < 12 or head[0] != 1 or head[2:4] != b"\x03\x3b":  # a count of 4 bytes; a table of signed distances of 4 bytes
            break
        count = min(struct.unpack_from("<I", head, 8)[0], _ENTRIES, (segment.size - 12) // 8)
        data = elf.read(segment.offset + 12, count * 8)
        return np.frombuffer(data[: len(data) // 8 * 8], "<i4")[::2].astype(np.int64) + segment.address
    return np.zeros(0, np.int64)
