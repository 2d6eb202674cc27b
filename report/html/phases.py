"""What the time of an exchange went to: look-up, connect, TLS, sending, waiting, streaming, each from when to when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

__all__ = ("Phase", "phases_of")

Phase = tuple[str, int, int]
"""Its name, its start and its end, ns after the start of the session."""

_SOON = 2_000_000_000  # ns; a look-up that is older than this when the connection is opened was for another one

Row = Mapping[str, Any]


def phases_of(document: Mapping[str, Any]) -> list[list[Phase]]:
    """The phases of each exchange in the document of `ebtrace stats --json`, in the order of time."""
    connections = [_Latest(document["connections"], key) for key in (_sock, _ends)]
    lookups = _Latest(document["dns"], lambda row: row["name"])
    found = []
    opened = set()
    for row in document["http"]:
        phases: list[Phase] = []
        if row["connection"] not in opened and row["side"] == "client":  # those that follow find the connection open
            phases += _before(row, connections, lookups)
        opened.add(row["connection"])
        found.append([*phases, *_own(row)])
    return found


class _Latest:
    """Rows by a key, found by the last moment at which they began."""

    def __init__(self, rows: Sequence[Row], key: Callable[[Row], Any]) -> None:
        self._rows: dict[Any, list[tuple[int, Row]]] = {}
        for row in rows:
            at, known = row.get("opened_ns", row.get("at_ns")), key(row)
            if at is not None and known is not None:
                self._rows.setdefault(known, []).append((at, row))
        for entries in self._rows.values():
            entries.sort(key=lambda entry: entry[0])

    def before(self, key: Any, at_ns: int) -> Row | None:
        """The last one of this key that had begun by then."""
        known = self._rows.get(key, [])
        place = bisect_right(known, at_ns, key=lambda entry: entry[0])
        return known[place - 1][1] if place else None


def _sock(row: Row) -> int | None:
    return row["sock"] or None


def _ends(row: Row) -> tuple[int, str] | None:
    return (row["pid"], row["remote"]) if row["pid"] and row["remote"] else None


def _before(row: Row, connections: Sequence[_Latest], lookups: _Latest) -> Iterator[Phase]:
    """What had to happen before the first exchange on a connection."""
    by_sock, by_ends = connections
    connection = by_sock.before(_sock(row), row["started_ns"]) or by_ends.before(_ends(row), row["started_ns"])
    if connection is None:
        return
    opened, connected = connection["opened_ns"], connection["connected_ns"]
    lookup = lookups.before(_host(row["url"]), opened)
    if lookup and lookup["latency_ns"] is not None:
        answered = lookup["at_ns"] + lookup["latency_ns"]
        if max(opened - _SOON, lookup["at_ns"]) <= answered <= row["started_ns"]:
            yield "dns", lookup["at_ns"], answered
    if connected is None or connected > row["started_ns"]:
        return
    if connection["connect_ms"] is not None:
        yield "connect", min(max(connected - round(connection["connect_ms"] * 1e6), opened), connected), connected
    if row["tls"]:
        yield "tls", connected, row["started_ns"]


def _own(row: Row) -> Iterator[Phase]:
    """What can be seen of the exchange itself; a moment that was not seen has no phases around it."""
    started, sent, first, ended = row["started_ns"], row["sent_ns"], row["first_byte_ns"], row["ended_ns"]
    if sent is not None and sent >= started:
        yield "send", started, sent
    begun = started if sent is None else sent
    if first is not None and first >= begun:
        yield "wait", begun, first
        if ended is not None and ended >= first:
            yield "stream", first, ended
    elif first is None and ended is not None and ended >= begun:
        yield "wait", begun, ended


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
