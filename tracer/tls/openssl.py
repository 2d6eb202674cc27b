"""OpenSSL without symbols, linked into a program: by the function names that version 3 keeps for its errors, or version 1.1's numbers."""

from __future__ import annotations

from tracer.tls.sites import Sites, strings_at

__all__ = ("find_openssl",)

_LIBRARY = 20  # ERR_LIB_SSL
_NUMBERS = {"SSL_read": 223, "SSL_write": 208, "ssl_read_internal": 523, "ssl_write_internal": 524}  # SSL_F_... of 1.1.1's sslerr.h
_NAMES = (b"SSL_read", b"SSL_write", b"ssl_read_internal", b"ssl_write_internal")
_FOLLOWING = 4  # functions: the _ex form stands soon behind the plain one in the source
_FOLLOWING = 4  # functions in the source between a plain form and its _ex form, at most


def find_openssl(sites: Sites) -> tuple[dict[str, int], str]:
    """Addresses by role, and a note."""
    names = strings_at(sites.elf, _NAMES, whole=True)
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
    """The _ex forms have no sites: what follows the plain form, names no file, and calls the same inner function.

    From 3.3 on SSL_write_ex2 does so, and SSL_write_ex behind it calls that or has it inlined: the last one in a row is meant.
    """
    if len(plain) != 1 or len(inner) != 1:
        return None
    at, called, found = next(iter(plain)), set(inner), None
    for _ in range(_FOLLOWING):
        following = sites.starts.end(at)
        if following is None:
            break
        at = following
        flow = sites.walker.walk(at)
        if at not in sites.functions and called & {*flow.calls, *flow.leaves}:
            found = at
            called.add(at)
    return found
