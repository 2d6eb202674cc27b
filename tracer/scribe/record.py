"""One record of the lane plaintext (struct rec_plain in bpf/records.h), taken apart."""

from __future__ import annotations

import struct
from typing import NamedTuple

from tracer.records import PLAIN_HEAD

__all__ = ("Record", "unpack")

_HEAD = struct.Struct(PLAIN_HEAD)
_KEPT = 8  # which of the fields


class Record(NamedTuple):
    """The fields in their order, and the bytes that were kept."""

    at_ns: int
    start_ns: int
    connection: int
    sock: int
    position: int
    proc: int
    tid: int
    length: int
    kept: int
    fd: int
    kind: int
    flags: int
    library: int
    pad: int
    data: bytes

    def heads(self) -> list[int]:
        """Of TLS records (PlainKind.WIRE): type << 16 | length, each."""
        if len(self.data) == 4:
            return [int.from_bytes(self.data, "little")]
        return memoryview(self.data[:len(self.data) // 4 * 4]).cast("I").tolist()


def unpack(raw: bytes) -> Record | None:
    """A record as it came out of the ring, with what was reserved and not used behind it; None if it is none."""
    if len(raw) < _HEAD.size:
        return None
    fields = _HEAD.unpack_from(raw)
    return Record._make((*fields, raw[_HEAD.size:_HEAD.size + fields[_KEPT]]))
