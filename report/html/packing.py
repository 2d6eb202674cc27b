"""Columns of numbers as compressed bytes that a browser inflates into typed arrays.

A column is cut into planes: the lowest bytes of all its rows, then the next bytes, and so on. A plane that is zero everywhere is left
out. Of one that is zero nearly everywhere the other rows alone are kept: first all their places (uint32, little-endian), then their bytes.
Every plane is a raw deflate stream (RFC 1951) of its own, so that they are made in parallel here and inflated in parallel there. The
planes of all columns lie one after the other; the directory says which is which:

    {column: {"rows": n, "planes": [[number of the plane, bytes of its stream, rows that are kept or -1 for all], ...]}, ...}
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("Pack", "deflated", "pack", "zigzag")

_RAW = -15  # no header, no checksum
_SAMPLE = 1 << 15  # bytes that tell whether looking for repetitions pays
_WORTH = 0.97
_SPARSE = 64  # with fewer rows than one in so many that are not zero, their places take less than the zeros
_WORKERS = 4

Plane = tuple[int, NDArray[np.uint8]]


class Pack:
    """Compressed columns: their directory, and all streams as base64."""

    def __init__(self, directory: dict[str, Any], streams: list[bytes]) -> None:
        self.directory = directory
        self.size = sum(map(len, streams))  # bytes, before base64
        self.base64 = b64encode(b"".join(streams)).decode("ascii")


def pack(columns: Mapping[str, NDArray[Any]]) -> Pack:
    """Compress columns of integers, which count as 64-bit patterns whatever their dtype."""
    planes = {name: _planes(column) for name, column in columns.items()}
    with ThreadPoolExecutor(_WORKERS) as pool:  # zlib lets go of the GIL
        made = list(pool.map(_stream, (plane for found in planes.values() for _, plane in found)))
    entries = iter([len(stream), kept] for kept, stream in made)
    directory = {name: {"rows": len(columns[name]), "planes": [[number, *next(entries)] for number, _ in found]} for name, found in planes.items()}
    return Pack(directory, [stream for _, stream in made])


def deflated(data: bytes, level: int) -> str:
    """One raw deflate stream as base64."""
    squeezer = zlib.compressobj(level, zlib.DEFLATED, _RAW)
    return b64encode(squeezer.compress(data) + squeezer.flush()).decode("ascii")


def zigzag(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Signed numbers so that small ones stay small: 0, -1, 1, -2 become 0, 1, 2, 3."""
    found: NDArray[np.uint64] = ((values << 1) ^ (values >> 63)).view(np.uint64)
    return found


def _planes(column: NDArray[Any]) -> list[Plane]:
    if not len(column):
        return []
    used = int(np.bitwise_or.reduce(column.astype(np.uint64, copy=False)))
    octets = np.ascontiguousarray(column.astype(column.dtype.newbyteorder("<"), copy=False)).view(np.uint8).reshape(len(column), -1)
    return [(number, octets[:, number]) for number in range(octets.shape[1]) if used >> 8 * number & 0xFF]


def _stream(plane: NDArray[np.uint8]) -> tuple[int, bytes]:
    """How many rows are kept, -1 if all are, and the compressed plane."""
    places = np.flatnonzero(plane) if np.count_nonzero(plane) * _SPARSE < len(plane) else None
    if places is not None:
        return len(places), _squeezed(places.astype("<u4").tobytes() + plane[places].tobytes(), zlib.Z_DEFAULT_STRATEGY)
    data = plane.tobytes()
    middle = max(len(data) // 2 - _SAMPLE // 2, 0)
    sample = data[middle : middle + _SAMPLE]
    # Repetitions in noise save nothing, and looking for them takes five times as long
    plain = len(_squeezed(sample, zlib.Z_HUFFMAN_ONLY)) * _WORTH <= len(_squeezed(sample, zlib.Z_DEFAULT_STRATEGY))
    return -1, _squeezed(data, zlib.Z_HUFFMAN_ONLY if plain else zlib.Z_DEFAULT_STRATEGY)


def _squeezed(data: bytes, strategy: int) -> bytes:
    squeezer = zlib.compressobj(1, zlib.DEFLATED, _RAW, 9, strategy)
    return squeezer.compress(data) + squeezer.flush()
