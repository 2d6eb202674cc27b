"""How much of the TLS traffic was read in clear, why the rest was not, and how many secrets were taken out; as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

from report.text import count, size

__all__ = ("coverage", "sentences", "unread")

_PLACES = {"header": "in headers", "url": "in URLs", "body": "in bodies", "shape": "by their shape", "environment": "known from the environment",
           "argument": "in arguments"}
_TOLD = 3


def coverage(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the view of HTTP says above all else: the share, whether it is all, the connections that were not read, the secrets."""
    tls = document["tls"]
    rows = [{"name": row["name"] or row["sni"] or row["remote"] or "?", "process": row["process"], "pid": row["pid"], "reason": row["reason"],
             "library": row["library"], "percent": row["percent"], "bytes": _bytes(row)} for row in unread(document)]
    return {"share": _share(tls["percent"]), "whole": not rows, "connections": len(tls["connections"]), "unread": rows,
            "secrets": sum(tls["redacted"].values()), "redacted": _redacted(tls["redacted"])}


def unread(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The TLS connections of which not all was read, those with most bytes first."""
    rows = [row for row in document["tls"]["connections"] if row["reason"] or (row["percent"] is not None and row["percent"] < 100)]
    return sorted(rows, key=_bytes, reverse=True)


def sentences(document: Mapping[str, Any]) -> list[str]:
    """The same for the list of warnings: what was not read, and what was taken out."""
    told = coverage(document)
    found = []
    if told["unread"]:
        parts = [f"{row['name']}: {size(row['bytes'])}{', ' + row['reason'] if row['reason'] else ''}" for row in told["unread"][:_TOLD]]
        more = f"; and {count(len(told['unread']) - _TOLD)} more" if len(told["unread"]) > _TOLD else ""
        share = f"{told['share']} of the TLS traffic was read in clear" if told["share"] else "Not all TLS traffic was read in clear"
        found.append(f"{share}. Not read: {'; '.join(parts)}{more}.")
    if told["redacted"]:
        found.append(f"{told['redacted']}.")
    return found


def _bytes(row: Mapping[str, Any]) -> int:
    """What it moved: on the wire, or, where that is not known, inside TLS."""
    pairs = ((row["sent_bytes"], row["app_sent"]), (row["received_bytes"], row["app_received"]))
    return sum((inside if wire is None else wire) or 0 for wire, inside in pairs)


def _share(percent: float | None) -> str:
    """Never rounded up: what is not whole is not 100 %."""
    return "" if percent is None else f"{floor(percent * 10) / 10:g} %" if percent < 100 else "100 %"


def _redacted(counts: Mapping[str, int]) -> str:
    number = sum(counts.values())
    if not number:
        return ""
    parts = [f"{count(some)} {_PLACES.get(kind, kind)}" for kind, some in counts.items() if some]
    return f"{count(number)} {'secret was' if number == 1 else 'secrets were'} taken out: {', '.join(parts)}"
