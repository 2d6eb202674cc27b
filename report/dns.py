"""Look-ups of names: what was asked, of whom, what came back and after how long, from the messages that the probes kept.

    udp, tcp   to port 53 of a name server, the program's own or 127.0.0.53
    nscd       glibc's cache, over its Unix socket
    resolved   systemd-resolved's, over its Unix socket

A question and its answer belong together by socket, number, name and type. What is not known is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from report.dns_lookups import Lookup, Pairing, Row
from report.order import in_order
from report.plain import integer, last_map
from report.types import Columns
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Group", "Lookup", "Lookups", "group", "lookups_of")

_ADDRESSES_SHOWN = 64  # of one group


@dataclass(frozen=True)
class Lookups:
    """All look-ups of a session in the order of time, and what is not among them."""

    told: tuple[Lookup, ...]
    unread: int  # messages that are no questions about names and no answers to one, or nothing that can be read
    left_out: int  # questions beyond the first 262,144


@dataclass
class Group:
    """Look-ups with the same question, type and outcome."""

    question: str
    type: str
    status: str
    count: int = 0
    tries: int = 0
    fastest_ns: int | None = None
    slowest_ns: int | None = None
    addresses: tuple[str, ...] = ()  # the first 64 different ones


def lookups_of(session: Session, pids: Mapping[int, int]) -> Lookups:
    """The look-ups in a session. ``pids``: the process id of each ``proc``."""
    pairing = Pairing(pids)
    for row in _rows(session):
        pairing.add(row)
    lanes = last_map(session, BlockKind.LEDGER).get("lanes")
    account = lanes.get("payload") if isinstance(lanes, dict) else None
    lost = integer(account.get("lost")) if isinstance(account, dict) else None
    told = pairing.finished(whole=session.complete and not lost)
    return Lookups(told, pairing.unread, pairing.left_out)


def group(lookups: Iterable[Lookup]) -> tuple[Group, ...]:
    """The look-ups by question, type and status: the most frequent first, then the slowest."""
    groups: dict[tuple[str, str, str], Group] = {}
    for lookup in lookups:
        key = lookup.question, lookup.type, lookup.status
        row = groups.get(key) or groups.setdefault(key, Group(*key))
        row.count += 1
        row.tries += lookup.tries
        if lookup.latency_ns is not None:
            row.fastest_ns = min(lookup.latency_ns, lookup.latency_ns if row.fastest_ns is None else row.fastest_ns)
            row.slowest_ns = max(lookup.latency_ns, row.slowest_ns or 0)
        if not set(lookup.addresses) <= set(row.addresses):
            row.addresses = tuple(dict.fromkeys((*row.addresses, *lookup.addresses)))[:_ADDRESSES_SHOWN]
    return tuple(sorted(groups.values(), key=lambda row: (-row.count, -(row.slowest_ns or 0), row.question, row.type, row.status)))


def _rows(session: Session) -> Iterator[Row]:
    """The payload records in the order of time."""
    def blocks() -> Iterator[Columns]:
        for table in session.tables(BlockKind.PAYLOAD):
            ends = np.cumsum(table["kept"].astype(np.int64)).tolist()
            whole = table["data"].tobytes()
            data = np.empty(len(ends), object)
            data[:] = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            columns = {name: table[name] for name in ("sock", "proc", "length", "flags", "family", "port", "address")}
            yield {"key": table["at_ns"], "arrival": table["at_ns"], **columns, "data": data}

    for window in in_order(blocks):
        numbers = (window[name].tolist() for name in ("key", "sock", "proc", "length", "flags", "family", "port"))
        addresses = map(bytes, window["address"])
        yield from map(Row, *numbers, addresses, window["data"].tolist())
