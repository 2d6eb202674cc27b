"""The tables of `ebtrace stats` about the network: sockets, and names that were looked up."""

from __future__ import annotations

from rich.text import Text

from report.dns import group
from report.layout import Column, first, more, table, title, wrapped
from report.text import count, duration, size, visible
from report.totals import Totals

__all__ = ("look_ups", "sockets", "unseen")

_LOOK_UPS = (Column("times", 2), Column("fastest", 1), Column("slowest", 4), Column("status", 5, left=True), Column("type", 3, left=True),
             Column("name and addresses", left=True, flexible=True))
_CONNECTIONS = (Column("sent", 8), Column("received", 8), Column("protocol", 7, left=True), Column("rtt", 5), Column("resent", 4),
                Column("connect", 2), Column("state", 3, left=True), Column("pid", 6), Column("local", 1, left=True),
                Column("other end", left=True, flexible=True, narrowest=26))
_WAYS = {"out": "to ", "in": "from ", "listen": "listens on "}


def look_ups(totals: Totals, width: int | None, top: int) -> list[Text]:
    """Look-ups by question and outcome."""
    shown, hidden = first(group(totals.dns), top)
    rows: list[list[str | Text]] = [
        [count(row.count), *("-" if ns is None else duration(ns) for ns in (row.fastest_ns, row.slowest_ns)),
         Text(visible(row.status), "" if row.status == "ok" else "yellow"), visible(row.type),
         Text.assemble(visible(row.question), (visible(" ".join(["", *row.addresses])), "dim"))]
        for row in shown
    ]
    return [title(f"Names looked up: {count(len(totals.dns))}"), *table(_LOOK_UPS, rows, width), *more(hidden, width)]


def sockets(totals: Totals, width: int | None, top: int) -> list[Text]:
    """Every socket with what it moved, and how TCP fared."""
    shown, hidden = first(totals.connections, top)
    rows: list[list[str | Text]] = []
    for row in shown:
        end = Text.assemble(_WAYS.get(row.direction or "", ""), visible(row.local if row.direction == "listen" else row.remote),
                            (f" {visible(row.name)}" if row.name else "", "bold"), (f" {row.error}" if row.error else "", "yellow"))
        resets = row.resets_sent + row.resets_received
        rows.append([
            *("-" if moved is None else size(moved) for moved in (row.sent_bytes, row.received_bytes)), visible(row.protocol),
            "-" if row.rtt_ms is None else duration(row.rtt_ms * 1e6), Text(count(row.retransmits), "yellow") if row.retransmits else "-",
            "-" if row.connect_ms is None else duration(row.connect_ms * 1e6),
            Text.assemble(visible(row.state or "-"), (f" reset {resets}" if resets else "", "yellow")), str(row.pid or "-"), visible(row.local), end,
        ])
    heading = title(f"Sockets: {count(len(totals.connections))}")
    return [heading, *table(_CONNECTIONS, rows, width), *more(hidden, width), *unseen(totals, width)]


def unseen(totals: Totals, width: int | None) -> list[Text]:
    """What is not in sums that are made of records."""
    account = totals.ledger.get("syscalls")
    missing = account.sampled_out + account.lost if account else 0
    note = wrapped(f"(from the records: {count(missing)} calls have none)", width) if missing else []
    return [Text(line, "yellow") for line in note]
