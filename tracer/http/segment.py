"""What one call of a traced program sent or received in clear."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("Segment",)


class Segment(NamedTuple):
    """Bytes of one direction of one connection. Segments of a direction come in the order of their positions."""

    connection: int
    at_ns: int  # CLOCK_MONOTONIC
    sent: bool  # by the traced process
    position: int  # bytes of this direction before this segment
    data: bytes
    length: int  # of what was moved; what it has more than ``data`` was not kept
    proc: int
    tid: int
