"""The ledger: for every lane, delivered + sampled out + lost = counted, and what breaks the equation is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from report.plain import integer, last_map
from tracer.records import LANES
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("LaneLedger", "ledger_of", "rows_held")

_TABLES = {"syscalls": BlockKind.SYSCALLS, "lifecycle": BlockKind.LIFECYCLE, "strings": BlockKind.STRINGS,
           "sockets": BlockKind.SOCKETS, "payload": BlockKind.PAYLOAD}


@dataclass(frozen=True)
class LaneLedger:
    """One lane's account, in records: delivered + sampled_out + lost + unaccounted = counted."""

    counted: int  # due, by the kernel's count
    delivered: int  # really in the file: recounted, not believed; of lanes that the tracer sums up (plaintext, images): what it says it has read
    sampled_out: int  # left out as asked
    lost: int  # no room in a buffer, or gone with the end of the file
    unaccounted: int = 0  # 0, or something is wrong with the file or with ebtrace


def rows_held(session: Session) -> dict[str, int]:
    """How many records of each lane the file really holds."""
    return {lane: session.rows(kind) for lane, kind in _TABLES.items()}


def ledger_of(session: Session, held: Mapping[str, int]) -> dict[str, LaneLedger]:
    """Every lane's account.

    The last count of a session without an end may be older than its last records, and records may be gone with the
    end of the file: whatever is missing there is lost, and the true number may be higher.
    """
    told = last_map(session, BlockKind.LEDGER).get("lanes")
    told = told if isinstance(told, dict) else {}
    lanes = {}
    for lane in dict.fromkeys((*LANES, *held, *map(str, told))):
        account = told.get(lane)
        counted, sampled_out, lost = (_count(account, field) for field in ("counted", "sampled_out", "lost"))
        delivered = held.get(lane, 0) if lane in held or lane in _TABLES else _count(account, "delivered")
        missing = counted - delivered - sampled_out - lost
        if session.complete:
            lanes[lane] = LaneLedger(counted, delivered, sampled_out, lost, missing)
        else:
            lanes[lane] = LaneLedger(max(counted, counted - missing), delivered, sampled_out, lost + max(missing, 0))
    return lanes


def _count(account: Any, field: str) -> int:
    return integer(account.get(field)) or 0 if isinstance(account, dict) else 0
