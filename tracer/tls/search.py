"""The whole search for the TLS functions of one file. As a program: python -m tracer.tls.search PATH prints one line of JSON.

Run it as a child: it imports NumPy and capstone, and a file that makes it fail takes nothing else with it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys

from tracer.tls.boring import find_boring
from tracer.tls.elf import BadElf, Elf, find
from tracer.tls.flow import Walker
from tracer.tls.found import Found, Function, nothing
from tracer.tls.golang import find_go
from tracer.tls.openssl import find_openssl
from tracer.tls.quick import by_symbol, functions_at, is_go, with_file
from tracer.tls.sites import Sites, strings_at
from tracer.tls.starts import starts_around

__all__ = ("main", "search")

_LOCAL_BYTES = 256 << 20  # of names in .symtab
_MEMORY = 2 << 30  # bytes of addresses, most of them libraries'
_SECONDS = 20  # of CPU
_NOBODY = 65534


def search(path_or_fd: str | int) -> Found:
    """Find the functions, and all ways out of each. Never raises for what is in the file."""
    try:
        return with_file(path_or_fd, _search)
    except BadElf as error:
        return nothing(str(error))
    except OSError as error:
        return nothing(f"cannot be read: {error.strerror}")


def _search(elf: Elf) -> Found:
    found = by_symbol(elf, _LOCAL_BYTES)
    if found is not None:
        return _with_returns(elf, found)
    go = find_go(elf) if is_go(elf) else None
    if go and go.library:
        return go
    rust = next(find(elf, [b"/rustls-"], elf.constants(), 1), None) is not None
    files = strings_at(elf, [b"ssl_lib.cc", b"ssl/ssl_lib.c"])
    if files:
        return _by_sites(elf, files, "rustls is in the program, too, and cannot be read" if rust else "")
    if rust:
        return Found("rustls", how="strings", note="rustls is compiled into its callers: no function of its own carries the plaintext")
    return go or find_go(elf) or nothing()


def _by_sites(elf: Elf, files: dict[int, str], also: str) -> Found:
    sites = Sites(elf, files)
    if any(path.endswith(".cc") for path in files.values()):
        library, version = "aws-lc" if any("aws" in path for path in files.values()) else "boringssl", ""
        addresses, note = find_boring(sites)
    else:
        library, version = "openssl", _version(elf)
        addresses, note = find_openssl(sites)
    notes = "; ".join(text for text in (note, also) if text)
    return _with_returns(elf, Found(library, version, "error sites", functions_at(elf, addresses), notes), sites.walker)


def _version(elf: Elf) -> str:
    for _, offset in find(elf, [b"OpenSSL "], elf.constants(), 256):
        version = re.match(rb"OpenSSL (\d+\.\d+\.\d+\w*)", elf.read(offset, 32))
        if version:
            return version[1].decode()
    return ""


def _with_returns(elf: Elf, found: Found, walker: Walker | None = None) -> Found:
    entries = [elf.address(function.entry) for function in found.functions]
    walker = walker or Walker(elf, starts_around(elf, [entry for entry in entries if entry is not None]))
    functions, notes = [], [found.note] if found.note else []
    for function, entry in zip(found.functions, entries):
        returns, why = walker.exits(entry) if entry is not None and function.role != "free" else ([], "")
        if why:
            notes.append(f"{function.role}: {why}")
        offsets = [elf.offset(address) for address in returns]
        functions.append(Function(function.role, function.entry, tuple(offset for offset in offsets if offset is not None)))
    return Found(found.library, found.version, found.how, tuple(functions), "; ".join(notes))


def _give_up_rights() -> None:
    """The file may be made to fool its readers, so it is read as nobody, within limits of memory and time."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def main() -> int:
    """Print what `search` finds in the file that the first argument names."""
    try:
        fd = os.open(sys.argv[1], os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        found = nothing(f"cannot be read: {error.strerror}")
    else:
        _give_up_rights()
        found = search(fd)
    sys.stdout.write(json.dumps(found.packed()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
