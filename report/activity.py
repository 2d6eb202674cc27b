"""What was done to every thing that a descriptor stood for, from the detail records: one pass over the whole session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.bindings import Bindings
from report.calls import arch_of
from report.descriptors import Descriptors
from report.moments import is_failed
from report.strings import Strings
from report.sums import FIRST, LAST, Sums
from report.things import Thing
from report.trail import Trail
from report.types import Columns
from report.uses import MAPS, READS, Use, Uses
from tracer.kinds import CallFlag
from tracer.session.reader import Session

__all__ = ("REMOTE_FIELDS", "USE_FIELDS", "Activity", "activity_of")

# Sums by thing and process. Times are ns after the start of the session.
USE_FIELDS = (
    "opens",            # that succeeded
    "reads",            # calls that take data in, failed ones among them
    "writes",
    "read_bytes",
    "written_bytes",
    "uncounted",        # of the reads and writes, those whose bytes are not known: recvmmsg and sendmmsg tell messages
    "errors",           # failed opens, reads and writes
    "time_ns",          # in opens, reads and writes that returned
    "mapped_bytes",     # length of mappings
    FIRST,
    LAST,
)
# Sums by thing and remote address of calls that name one (sendto, recvfrom, sendmsg, recvmsg)
REMOTE_FIELDS = ("reads", "writes", "read_bytes", "written_bytes", "errors", "time_ns", FIRST, LAST)

_MOST_PAIRS = 1 << 21
_MOST_REMOTES = 1 << 18
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_THING_ONLY = 0xFFFFFFFF << 32
_LONGEST = np.uint64((1 << 48) - 1)  # as long as a record can say
_UNTIMED = np.uint8(CallFlag.UNFINISHED | CallFlag.UNTIMED)


@dataclass(frozen=True)
class Activity:
    """The sums, one row per thing and process: columns of equal length, int64."""

    descriptors: Descriptors  # as they were at the end
    uses: dict[str, NDArray[np.int64]]  # "thing", "proc" (0: all others, of a session with too many), USE_FIELDS
    remotes: dict[str, Any]  # "thing", "address" (string id, uint64; 0: all others), REMOTE_FIELDS

    @property
    def things(self) -> list[Thing]:
        """What the indices mean; 0 is what is not known."""
        return self.descriptors.things

    @property
    def pids(self) -> dict[int, int]:
        """The pid of each process, by our number."""
        return self.descriptors.pids


def activity_of(session: Session, strings: Strings, lifecycle: Columns, sockets: Columns, trail: Trail | None = None) -> Activity:
    """Follow all descriptors through the session. ``lifecycle`` and ``sockets`` (empty if there are none) are in the order of time.
    ``trail`` is told what each call's descriptor stood for."""
    descriptors = Descriptors(session, strings, lifecycle, sockets)
    uses = Uses(arch_of(session), descriptors.names)
    tally = _Tally(int(session.meta["started_ns"]))
    trail = trail if trail is not None else Trail("", 0)
    for window in descriptors.windows(uses.numbers | trail.numbers, idle=bool(trail.numbers.any())):
        found = list(uses.of(window))
        rows, keys = trail.asked(window)
        bindings = descriptors.pass_window(window, [*(use.keys for use in found), keys])
        trail.add(window, rows, keys, bindings)
        for use in found:
            tally.add_use(window, use, bindings.things(use.keys, use.rows))
        tally.add_opens(window, bindings)
    trail.end(descriptors)
    return tally.activity(descriptors)


class _Tally:
    """The sums so far."""

    def __init__(self, origin: int) -> None:
        self._origin = np.uint64(origin & (1 << 64) - 1)
        self._pairs = Sums(USE_FIELDS, _MOST_PAIRS, _THING_ONLY)
        self._remotes = Sums(REMOTE_FIELDS, _MOST_REMOTES, _THING_ONLY)
        self._addresses: dict[int, int] = {0: 0}  # string id -> number of ours

    def add_use(self, window: Columns, use: Use, things: NDArray[np.int64]) -> None:
        keys = things.view(np.uint64) << _HALF | window["proc"][use.rows]
        amounts = self._times(window, use.rows)
        if use.side == MAPS:
            self._pairs.add(keys, {"mapped_bytes": use.amounts, FIRST: amounts[FIRST], LAST: amounts[LAST]})
            return
        one, moved = ("reads", "read_bytes") if use.side == READS else ("writes", "written_bytes")
        amounts |= {one: 1, moved: use.amounts, "errors": is_failed(window["ret"][use.rows]).astype(np.int64)}
        self._pairs.add(keys, amounts if use.counted else {**amounts, "uncounted": 1})
        if use.addresses is None or not use.addresses.any():
            return
        named = np.flatnonzero(use.addresses)
        numbers = self._numbers(use.addresses[named])
        some = {field: column[named] if isinstance(column, np.ndarray) else column for field, column in amounts.items()}
        self._remotes.add(things[named].view(np.uint64) << _HALF | numbers, some)

    def add_opens(self, window: Columns, bindings: Bindings) -> None:
        for field, noted in (("opens", bindings.opened), ("errors", bindings.refused)):
            if noted:
                rows, things = np.array(noted, np.int64).T
                keys = things.astype(np.uint64) << _HALF | window["proc"][rows]
                self._pairs.add(keys, {**self._times(window, rows), field: 1})

    def activity(self, descriptors: Descriptors) -> Activity:
        keys, columns = self._pairs.columns()
        uses = {"thing": (keys >> _HALF).astype(np.int64), "proc": (keys & _LOW).astype(np.int64), **columns}
        keys, columns = self._remotes.columns()
        ids = np.fromiter(self._addresses, np.uint64, len(self._addresses))
        remotes = {"thing": (keys >> _HALF).astype(np.int64), "address": ids[(keys & _LOW).astype(np.intp)], **columns}
        return Activity(descriptors, uses, remotes)

    def _times(self, window: Columns, rows: NDArray[np.intp]) -> dict[str, Any]:
        start = (window["start_ns"][rows] - self._origin).view(np.int64)
        duration = np.minimum(window["duration_ns"][rows], _LONGEST).view(np.int64)
        timed = window["flags"][rows] & _UNTIMED == 0
        return {"time_ns": np.where(timed, duration, 0), FIRST: start, LAST: start + duration}

    def _numbers(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint64]:
        different, inverse = np.unique(addresses, return_inverse=True)
        known = self._addresses
        numbers = [known.setdefault(address, len(known)) if address in known or len(known) <= _MOST_REMOTES else 0 for address in different.tolist()]
        found: NDArray[np.uint64] = np.array(numbers, np.uint64)[inverse]
        return found
