"""Looks through machine code for what names an address or calls a function, with NumPy and chunk by chunk: candidates for `flow`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tracer.tls.elf import Elf, Segment

__all__ = ("Addresses", "calls_into", "references")

_CHUNK = 1 << 20
_OVERLAP = 16  # bytes: the longest instruction of x86-64, and two of arm64
Addresses = npt.NDArray[np.int64]


def _chunks(elf: Elf, segments: Sequence[Segment]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    for segment in segments:
        for at in range(0, segment.size, _CHUNK):
            data = elf.read(segment.offset + at, min(_CHUNK + _OVERLAP, segment.size - at))
            if len(data) >= _OVERLAP:
                yield segment.address + at, np.frombuffer(data, np.uint8)


def _words(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """The 4 bytes at every place, aligned or not."""
    words: npt.NDArray[np.int32] = np.ndarray((len(data) - 3,), "<i4", data, 0, (1,))
    return words


def references(elf: Elf, addresses: Sequence[int]) -> list[int]:
    """Where code may name one of the addresses. x86-64: the place of the 4 bytes that name it; arm64: the instruction that completes it."""
    wanted = np.array(sorted(addresses), np.int64)
    found: list[int] = []
    if elf.machine == "x86_64" and not elf.relocatable:  # compilers write the address itself then, unless they were told otherwise
        found = [place for base, data in _chunks(elf, elf.code) for place in _absolute(base, data, wanted)]
    if not found:
        look = _arm_pairs if elf.machine == "aarch64" else _lea
        found = [place for base, data in _chunks(elf, elf.code) for place in look(base, data, wanted).tolist()]
    return sorted(set(found))


def _lea(base: int, data: npt.NDArray[np.uint8], wanted: Addresses) -> Addresses:
    """lea register, [rip + distance]: 48 or 4c, 8d, and a byte of which five bits say so."""
    at = np.flatnonzero(data[1:-6] == 0x8D) + 1
    at = at[(data[at + 1] & 0xC7 == 5) & (data[at - 1] & 0xFB == 0x48)] + 2
    names = base + at + 4 + _words(data)[at]
    found: Addresses = base + at[np.isin(names, wanted)]
    return found


def _absolute(base: int, data: npt.NDArray[np.uint8], wanted: Addresses) -> list[int]:
    """mov register, address: programs that are loaded where they say, below 2 GB."""
    raw, found = data.tobytes(), []
    for address in wanted.tolist():
        needle = int(address).to_bytes(8, "little")
        if needle[4:] != b"\0\0\0\0":
            continue
        at = raw.find(needle[:4])
        while at >= 0:
            if at and raw[at - 1] & 0xF8 == 0xB8:
                found.append(base + at)
            at = raw.find(needle[:4], at + 1)
    return found


def _arm_pairs(base: int, data: npt.NDArray[np.uint8], wanted: Addresses) -> Addresses:
    """adrp and add: the page is named first, and what is within the page up to four instructions later."""
    words = data[: len(data) & ~3].view("<u4").astype(np.int64)
    adds = np.flatnonzero(words >> 22 == 0x244)  # add (immediate), 64 bits, not shifted
    low = (words[adds] >> 10) & 0xFFF
    adds = adds[np.isin(low, wanted & 0xFFF)]
    found: list[Addresses] = []
    for back in range(1, 5):
        at = adds[adds >= back]
        first, second = words[at - back], words[at]
        pair = (first & 0x9F000000 == 0x90000000) & (first & 31 == second >> 5 & 31)
        at, first, second = at[pair], first[pair], second[pair]
        page = (first >> 5 & 0x7FFFF) << 2 | first >> 29 & 3
        page -= (page >> 20) << 21
        address = (base + (at - back) * 4 & ~0xFFF) + page * 4096 + (second >> 10 & 0xFFF)
        found.append(base + at[np.isin(address, wanted)] * 4)
    return np.concatenate(found).astype(np.int64)


def calls_into(elf: Elf, low: int, high: int, segments: Sequence[Segment] | None = None) -> tuple[Addresses, Addresses]:
    """Direct calls to addresses from ``low`` to below ``high``: where they are, and where they go."""
    sources, targets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for base, data in _chunks(elf, elf.code if segments is None else segments):
        if elf.machine == "aarch64":
            words = data[: len(data) & ~3].view("<u4").astype(np.int64)
            at = np.flatnonzero(words >> 26 == 0x25)  # bl
            distance = (words[at] & 0x3FFFFFF) * 4
            source = base + at * 4
            target = source + distance - ((distance >> 27) << 28)
        else:
            at = np.flatnonzero(data[:-4] == 0xE8)
            source = base + at
            target = source + 5 + _words(data)[at + 1]
        kept = (target >= low) & (target < high)
        sources.append(source[kept])
        targets.append(target[kept])
    return np.concatenate(sources), np.concatenate(targets)
