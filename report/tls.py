"""How much of the TLS traffic was read in clear, and why the rest was not.

What the session tells (its last TLS map) is joined with the sockets and processes of the report. Shares are of the program's own bytes
inside TLS, as the headers of TLS's records on the wire tell them; where those are not known, of the bytes on the wire, which are more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nextafter
from typing import Any

from report.connections import Connection
from report.plain import integer, text
from report.processes import Process

__all__ = ("TlsConnection", "TlsFacts", "TlsImage", "share", "tls_facts", "with_tls")


@dataclass(frozen=True)
class TlsConnection:
    """One connection that looks like TLS. None is what is not known."""

    sock: int
    remote: str | None
    name: str | None
    pid: int | None
    process: str | None
    library: str
    sni: str
    alpn: str
    version: str
    sent_bytes: int | None  # on the wire
    received_bytes: int | None
    app_sent: int | None  # inside TLS
    app_received: int | None
    seen_sent: int  # read in clear
    seen_received: int
    percent: float | None  # read in clear; None: nothing was sent inside
    reason: str  # why not all of it was

    @property
    def whole(self) -> int:
        """Bytes that should have been read: at least one where nobody knows how many."""
        told = [wire if app is None else app for app, wire in ((self.app_sent, self.sent_bytes), (self.app_received, self.received_bytes))]
        return max(sum(number or 0 for number in told), self.seen) if None not in told else self.seen + 1

    @property
    def seen(self) -> int:
        """Bytes of those that were read: more than there were in one direction do not make up for the other."""
        told = ((self.seen_sent, self.app_sent), (self.seen_received, self.app_received))
        return sum(seen if app is None else min(seen, app) for seen, app in told)


@dataclass(frozen=True)
class TlsImage:
    """One file with TLS in it, or one that was searched for it."""

    path: str
    library: str
    version: str
    how: str
    build_id: str
    note: str
    verified: bool | None


@dataclass(frozen=True)
class TlsFacts:
    """All of a session's."""

    connections: tuple[TlsConnection, ...]
    images: tuple[TlsImage, ...]
    redacted: dict[str, int]  # secrets that were taken out, by kind
    plaintext: dict[str, int]  # all that was read in clear, TLS or not: "bytes" that passed, "kept", "cut" at the limits, "lost"
    percent: float | None


def share(seen: int, whole: int) -> float | None:
    """A percentage that is 100 only if nothing is missing."""
    if not whole:
        return None
    return 100.0 if seen >= whole else min(100 * seen / whole, nextafter(100, 0))


def tls_facts(told: Mapping[str, Any], connections: Iterable[Connection], processes: Iterable[Process], *, complete: bool) -> TlsFacts:
    """From the TLS map, whose form nobody guarantees. ``complete``: whether the session came to its end."""
    by_sock: dict[int, Connection] = {}
    for row in connections:
        by_sock.setdefault(row.sock, row)
    by_proc = {process.proc: process for process in processes}
    entries = {text(entry.get("path")): entry for entry in _entries(told, "images")}
    found = []
    for entry in _entries(told, "connections"):
        sock = integer(entry.get("sock")) or 0
        process = by_proc.get(integer(entry.get("proc")) or 0)
        one = _connection(entry, sock, by_sock.get(sock) if sock else None, process)
        if one.percent is not None and one.percent < 100 and not one.reason:
            exe = process.exe if process else None
            one = replace(one, reason=_why(entry, one, exe, entries.get(exe or ""), lost="lost" in _counts(told, "plaintext"), complete=complete))
        found.append(one)
    percent = share(sum(one.seen for one in found), sum(one.whole for one in found))
    return TlsFacts(tuple(found), tuple(map(_image, entries.values())), _counts(told, "redacted"), _counts(told, "plaintext"), percent)


def with_tls(connections: Iterable[Connection], facts: TlsFacts) -> tuple[Connection, ...]:
    """The sockets, with the TLS library and the name of the server."""
    known = {one.sock: one for one in facts.connections if one.sock}
    return tuple(replace(row, tls=known[row.sock].library, sni=known[row.sock].sni or None) if row.sock in known else row for row in connections)


def _connection(entry: Mapping[str, Any], sock: int, row: Connection | None, process: Process | None) -> TlsConnection:
    one = TlsConnection(
        sock, row.remote if row else None, row.name if row else None, process.pid if process else row.pid if row else None,
        process.title if process else None, text(entry.get("library")), text(entry.get("sni")), text(entry.get("alpn")), text(entry.get("version")),
        row.sent_bytes if row else None, row.received_bytes if row else None, _octets(entry, "app_sent"), _octets(entry, "app_received"),
        _octets(entry, "seen_sent") or 0, _octets(entry, "seen_received") or 0, None, "",
    )
    percent = share(one.seen, one.whole)
    return replace(one, percent=percent, reason="" if percent == 100 else text(entry.get("reason")))


def _why(entry: Mapping[str, Any], one: TlsConnection, exe: str | None, image: Mapping[str, Any] | None, *, lost: bool, complete: bool) -> str:
    """The best reason that can be given where the session gives none."""
    attached, first = integer((image or {}).get("attached_ns")), integer(entry.get("first_ns"))
    late = attached is not None and first is not None and attached > first
    if one.seen:
        return "attached after the handshake" if late else "some of it was lost" if lost else \
            "not all of it was seen" if complete else "not traced to its end"
    if exe is None:
        return "its program is not known"
    library = text((image or {}).get("library")) or one.library
    if image is None or not library:
        return text((image or {}).get("note")) or ("nothing of it was seen" if library else f"no TLS library was recognised in {exe}")
    if library == "rustls":
        return "rustls, not supported"
    if text(image.get("note")):
        return text(image.get("note"))
    if library == "go" and not text(image.get("how")):
        return "Go without symbols"
    return "attached after the handshake" if late else f"{library} was found in {exe}, but nothing was seen to pass through it"


def _image(entry: Mapping[str, Any]) -> TlsImage:
    verified = entry.get("verified")
    return TlsImage(text(entry.get("path")), text(entry.get("library")), text(entry.get("version")), text(entry.get("how")),
                    text(entry.get("build_id")), text(entry.get("note")), verified if isinstance(verified, bool) else None)


def _entries(told: Mapping[str, Any], field: str) -> Sequence[dict[str, Any]]:
    found = told.get(field)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _octets(entry: Mapping[str, Any], name: str) -> int | None:
    number = integer(entry.get(name))
    return number if number is not None and 0 <= number < 1 << 63 else None


def _counts(told: Mapping[str, Any], field: str) -> dict[str, int]:
    """Numbers by name, those that are not 0."""
    found = told.get(field)
    return {name: number for name, number in (found.items() if isinstance(found, dict) else ())
            if isinstance(name, str) and type(number) is int and 0 < number < 1 << 63}
