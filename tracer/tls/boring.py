"""BoringSSL and aws-lc without symbols: SSL_read and SSL_write by the reason codes of ssl_lib.cc, which are public.

SSL_write       66 (should not have been called), 226 (uninitialized), 215 (handshake failure), 111 (bad length)
ssl_read_impl   226 and 215; it returns no length and is not probed
SSL_peek        66, and calls ssl_read_impl or has it inlined
SSL_read        calls SSL_peek or has it inlined, and takes the bytes off: it writes to the connection, as SSL_peek does not
"""

from __future__ import annotations

from tracer.tls.flow import Flow
from tracer.tls.sites import Sites
from tracer.tls.text import calls_into

__all__ = ("find_boring",)

_QUIC, _UNINITIALIZED, _HANDSHAKE, _LENGTH = 66, 226, 215, 111
_NEAR = 1024  # bytes between SSL_read and SSL_peek, which stand side by side in the source


def find_boring(sites: Sites) -> tuple[dict[str, int], str]:
    """Addresses by role, and a note."""
    codes = {start: sites.codes(start) for start in sites.functions}
    found, notes = {}, []
    writes = [start for start, has in codes.items() if {_UNINITIALIZED, _HANDSHAKE, _LENGTH} <= has]
    if len(writes) == 1:
        found["write"] = writes[0]
    else:
        notes.append(f"{len(writes) or 'no'} functions look like SSL_write")
    read, note = _read(sites, codes)
    if read is not None:
        found["read"] = read
    return found, "; ".join(notes + ([note] if note else []))


def _read(sites: Sites, codes: dict[int, set[int]]) -> tuple[int | None, str]:
    whole = {start for start, has in codes.items() if {_UNINITIALIZED, _HANDSHAKE} <= has and _LENGTH not in has}
    inner = {start for start in whole if _QUIC not in codes[start]}
    outer = [start for start, has in codes.items() if _QUIC in has and (start in whole or inner & set(sites.functions[start].calls))]
    outer.sort()
    if not outer or len(outer) > 2:
        return None, f"{len(outer) or 'no'} functions look like SSL_read"
    if len(outer) == 2:  # each with its own copy of SSL_peek's code: the longer one also takes the bytes off
        takes = [start for start in outer if sites.functions[start].stores and start not in whole]
        return (takes[0] if len(takes) == 1 else max(outer, key=lambda start: len(sites.functions[start].visited))), ""
    only = outer[0]
    if only not in whole and sites.functions[only].stores:
        return only, ""
    around = [flow for flow in _callers(sites, only) if flow.stores and 0 < abs(min(flow.visited) - only) < _NEAR]
    if len(around) == 1:
        return min(around[0].visited), ""
    if only in whole:
        return only, ""
    return only, "SSL_read was not told from SSL_peek: what is peeked at may be counted twice"


def _callers(sites: Sites, target: int) -> list[Flow]:
    """Functions nearby that call ``target`` and name no file."""
    sources, _ = calls_into(sites.elf, target, target + 1)
    starts = set()
    for source in sources.tolist():
        for start in sites.starts.before(source, 4):
            if start not in sites.functions and abs(start - target) < _NEAR and source in sites.walker.walk(start).visited:
                starts.add(start)
                break
    return [sites.walker.walk(start) for start in sorted(starts)]
