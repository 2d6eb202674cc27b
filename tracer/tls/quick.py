"""TLS functions by symbol: what can be told within milliseconds, without NumPy and without another process."""

from __future__ import annotations

import os

from tracer.tls.elf import PT_NOTE, BadElf, Elf, find
from tracer.tls.found import Found, Function, nothing
from tracer.tls.near import inner, nearest
from tracer.tls.nss import find_operations
from tracer.tls.symbols import Symbol, lookup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    _T = TypeVar("_T")

__all__ = ("by_symbol", "functions_at", "is_go", "quick", "with_file")

PCLNTAB = (".gopclntab", ".data.rel.ro.gopclntab")  # sections with Go's table of functions

_OPENSSL = {"SSL_read": "read", "SSL_write": "write", "SSL_read_ex": "read_ex", "SSL_write_ex": "write_ex", "SSL_free": "free"}
_INNER = {"read": {"fourth": "read_inner"}, "write": {"fourth": "write_ex", "fifth": "write_inner"}}  # roles, by the argument that is the last
_GNUTLS = {"gnutls_record_recv": "read", "gnutls_record_send2": "write", "gnutls_record_send": "write", "gnutls_deinit": "free"}
_BORING = ("SSL_CTX_set_grease_enabled", "SSL_to_bytes")  # of BoringSSL and aws-lc; of aws-lc alone
_MARKS = (b"ssl/ssl_lib.c", b"ssl_lib.cc\0", b"/rustls-")
_LOCAL_BYTES = 8 << 20  # of names in .symtab: what can be looked through in a few milliseconds
_SCANNED = 8 << 20  # bytes; no more is looked through for marks here
_SMALLEST = 200 << 10  # bytes: less than any TLS library that is linked in takes


def quick(path_or_fd: str | int) -> Found | None:
    """What the symbols tell; None: only `search` can tell. Found with library "" is sure: no TLS in this file."""
    try:
        return with_file(path_or_fd, _quick)
    except BadElf as error:
        return nothing(str(error))
    except OSError as error:
        return nothing(f"cannot be read: {error.strerror}")


def with_file(path_or_fd: str | int, work: Callable[[Elf], _T]) -> _T:
    """``work`` called with the file as an Elf. Raises BadElf and OSError."""
    if isinstance(path_or_fd, int):
        return work(Elf(path_or_fd))
    fd = os.open(path_or_fd, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not blocking: a pipe of this name would
    try:
        return work(Elf(fd))
    finally:
        os.close(fd)


def _quick(elf: Elf) -> Found | None:
    found = by_symbol(elf, _LOCAL_BYTES, near=True)
    if found is not None:
        return found
    if elf.size < _SMALLEST:
        return nothing()
    ranges = elf.constants()
    if sum(length for _, length in ranges) > _SCANNED:
        return None
    if is_go(elf):
        return None
    return None if next(find(elf, _MARKS, ranges, 1), None) else nothing()


def is_go(elf: Elf) -> bool:
    """Whether Go's linker made this file."""
    if any(elf.section(name) for name in (*PCLNTAB, ".go.buildinfo")):
        return True
    notes = (elf.read(segment.offset, min(segment.size, 4096)) for segment in elf.segments if segment.kind == PT_NOTE)
    return any(b"\x04\0\0\0Go\0\0" in note for note in notes)


def by_symbol(elf: Elf, local_bytes: int, *, near: bool = False) -> Found | None:
    """What .dynsym tells, or .symtab where it has up to ``local_bytes``; None: nothing of TLS in them.

    ``near``: places at which probes cost less, where there are such. Their ways out are not those of the functions.
    """
    for local in (False, True):
        largest = local_bytes if local else 64 << 20
        telling = lookup(elf, ("SSL_read", "gnutls_record_recv", "SSL_ImportFD", "PR_GetLayersIdentity"), local=local, largest=largest)
        if "SSL_read" in telling:
            return _openssl(elf, lookup(elf, (*_OPENSSL, "SSL_write_ex2", *_BORING), local=local, largest=largest), near)
        if "gnutls_record_recv" in telling:
            return _gnutls(elf, lookup(elf, _GNUTLS, local=local, largest=largest), near)
        if "SSL_ImportFD" in telling:
            return find_operations(elf, "3")
        if "PR_GetLayersIdentity" in telling:
            return nothing("NSPR carries files and plain sockets too; the TLS functions are those of NSS")
    return None


def functions_at(elf: Elf, addresses: Mapping[str, int], *, near: bool = False) -> tuple[Function, ...]:
    """The functions at these addresses, by role."""
    placed = [(role, elf.offset(nearest(elf, at) if near else at)) for role, at in addresses.items() if elf.executable(at)]
    return tuple(Function(role, entry) for role, entry in placed if entry is not None)


def _openssl(elf: Elf, symbols: dict[str, Symbol], near: bool) -> Found:
    addresses = {role: symbols[name].address for name, role in _OPENSSL.items() if name in symbols}
    library = "openssl"
    if "SSL_CTX_set_grease_enabled" in symbols:
        library = "aws-lc" if "SSL_to_bytes" in symbols else "boringssl"
        for role in ("read_ex", "write_ex"):  # these call the others: every byte would be seen twice
            addresses.pop(role, None)
    elif near:
        for role, inside in _INNER.items():
            found = inner(elf, symbols, f"SSL_{role}", (f"SSL_{role}_ex", f"SSL_{role}_ex2"))
            if found and found[1] in inside:
                del addresses[role]
                addresses.pop(f"{role}_ex", None)
                addresses[inside[found[1]]] = found[0]
    return Found(library, _version(elf.soname()), "symbols", functions_at(elf, addresses, near=near))


def _version(soname: str) -> str:
    """What stands behind libssl.so. or libssl-KIND.so.; "" where it is no version, or another library's."""
    base, _, version = soname.partition(".so.")
    kind = base.removeprefix("libssl-").replace("_", "a")  # letters, digits and _
    ours = base == "libssl" or (base.startswith("libssl-") and kind.isalnum())
    return version if ours and version[:1].isdigit() and not version.strip("0123456789.") else ""


def _gnutls(elf: Elf, symbols: dict[str, Symbol], near: bool) -> Found:
    roles = dict(_GNUTLS)
    if "gnutls_record_send2" in symbols:
        del roles["gnutls_record_send"]  # it is a jump to the other
    addresses = {role: symbols[name].address for name, role in roles.items() if name in symbols}
    section = elf.section(".rodata")
    texts = elf.read(section.offset, min(section.size, 4 << 20)) if section else b""
    return Found("gnutls", _release(texts), "symbols", functions_at(elf, addresses, near=near))


def _release(texts: bytes) -> str:
    """The first of the texts between NULs that is a release of GnuTLS 3: 3.minor.patch; "" if there is none."""
    at = texts.find(b"\x003.")
    while at >= 0:
        end = texts.find(b"\0", at + 1)
        word = texts[at + 1 : max(end, 0)]
        if word.count(b".") == 2 and all(part.isdigit() for part in word.split(b".")):
            return word.decode()
        at = texts.find(b"\x003.", at + 1)
    return ""
