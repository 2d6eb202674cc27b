"""Messages of name servers, of nscd and of systemd-resolved, as they are on the wire."""

from __future__ import annotations

import json
import struct
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

__all__ = ("answer", "ask", "framed", "nscd_any", "nscd_ask", "nscd_host", "varlink")


def ask(name: str, kind: str = "A", number: int = 7, **options: Any) -> bytes:
    return dns.message.make_query(name, kind, id=number, **options).to_wire()


def answer(query: bytes, *records: str, rcode: str = "NOERROR", truncated: bool = False) -> bytes:
    """``records``: as in a zone file, ``"www.example.com. A 1.2.3.4"``."""
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.set_rcode(dns.rcode.from_text(rcode))
    if truncated:
        reply.flags |= dns.flags.TC
    for record in records:
        name, kind, value = record.split(" ", 2)
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, value))
    return reply.to_wire()


def framed(*messages: bytes) -> bytes:
    """As they are sent over TCP."""
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def nscd_ask(kind: int, key: bytes) -> bytes:
    return struct.pack("<iii", 2, kind, len(key)) + key


def nscd_any(*addresses: bytes, canonical: bytes = b"", found: int = 1, error: int = 0) -> bytes:
    data = b"".join(addresses)
    families = bytes(2 if len(address) == 4 else 10 for address in addresses)
    return struct.pack("<6i", 2, found, len(addresses), len(data), len(canonical), error) + data + families + canonical


def nscd_host(name: bytes, *addresses: bytes, aliases: tuple[bytes, ...] = ()) -> bytes:
    head = struct.pack("<8i", 2, 1, len(name), len(aliases), 2, len(addresses[0]), len(addresses), 0)
    return head + name + b"".join(struct.pack("<I", len(alias)) for alias in aliases) + b"".join(addresses) + b"".join(aliases)


def varlink(**document: Any) -> bytes:
    return json.dumps(document).encode() + b"\0"
