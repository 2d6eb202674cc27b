"""OpenSSL without symbols, linked into a program: by the function names that version 3 keeps for its errors, or version 1.1's numbers."""

from __future__ import annotations

from tracer.tls.elf import Elf
from tracer.tls.sites import Sites, strings_at

__all__ = ("find_openssl",)

_LIBRARY = 20  # ERR_LIB_SSL
_NUMBERS = {"SSL_read": 223, "SSL_write": 208, "ssl_read_internal": 523, "ssl_write_internal": 524}  # SSL_F_... of 1.1.1's sslerr.h
_NAMES = (b"SSL_read", b"SSL_write", b"ssl_read_internal", b"ssl_write_internal", b"SSL_write_ex2")


def find_openssl(elf: Elf) -> tuple[dict[str, int], str] | None:
    """(addresses by role, note); None where the source file is not named."""
    file = strings_at(elf, [b"ssl/ssl_lib.c"], whole=False)
    if not file:
        return None
    names = strings_at(elf, _NAMES, whole=True)
    sites = Sites(elf, file)
    homes: dict[str, set[int]] = {}
    for start, flow in sites.functions.items():
        for named, numbers in flow.sites:
            if named & sites.file:
                for name in {names[address] for address in named if address in names} | {
                    name for name, number in _NUMBERS.items() if _LIBRARY in numbers and number in numbers
                }:
                    homes.setdefault(name, set()).add(start)
    found, missing = {}, []
    for name, role in (("SSL_read", "read"), ("SSL_write", "write")):
        starts = homes.get(name, set())
        if len(starts) == 1:
            found[role] = next(iter(starts))
        else:
            missing.append(f"{len(starts) or 'no'} functions look like {name}")
    for name, inner, role in (("SSL_read", "ssl_read_internal", "read_ex"), ("SSL_write", "ssl_write_internal", "write_ex")):
        beside = _beside(sites, homes.get(name, set()), homes.get(inner, set()))
        if beside is not None:
            found[role] = beside
        else:
            missing.append(f"{name}_ex was not found")
    return found, "; ".join(missing)


def _beside(sites: Sites, plain: set[int], inner: set[int]) -> int | None:
    """SSL_read_ex has no site: it is the one function behind SSL_read that calls ssl_read_internal, too, and names no file."""
    if len(plain) != 1 or len(inner) != 1:
        return None
    at, called = next(iter(plain)), next(iter(inner))
    for _ in range(4):
        following = sites.starts.end(at)
        if following is None:
            return None
        at = following
        flow = sites.walker.walk(at)
        if called in flow.calls or called in flow.leaves:
            return None if at in sites.functions else at
    return None
