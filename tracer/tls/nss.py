"""NSS: its TLS functions have no symbols, but stand in a table of methods that libssl3 lays over a socket's own (struct PRIOMethods).

PR_Read and PR_Write of libnspr4 carry files and plain sockets as well, so the methods are probed and NSPR is not.
"""

from __future__ import annotations

import struct

from tracer.tls.elf import Elf
from tracer.tls.found import Found, Function

__all__ = ("find_methods",)

_LAYERED = 4  # PR_DESC_LAYERED, the first word of the table; pointers follow
_METHODS = {1: "free", 2: "read", 3: "write", 17: "read", 18: "write"}  # close, read, write, recv, send: places in PRIOMethods
_SURE = (*range(1, 22), 24, 25)  # close to poll, getsockname, getpeername: in a table for sockets. 22 and 23 may be NSPR's own functions
_RELATIVE = {"x86_64": 8, "aarch64": 1027}
_TABLE_BYTES = 16 << 20


def find_methods(elf: Elf, version: str) -> Found:
    """The methods of the file that exports SSL_ImportFD: libssl3.so, or whatever it was linked into."""
    pointers = _relocated(elf)
    tables = [at for at in pointers if _is_table(elf, pointers, at - 8)]
    if len(tables) != 1:
        return Found("nss", version, note=f"{len(tables) or 'no'} tables of socket methods look like the one of NSS")
    functions = []
    for place, role in _METHODS.items():
        offset = elf.offset(pointers[tables[0] - 8 + 8 * place])
        if offset is not None and (role, offset) not in functions:
            functions.append(Function(role, offset))
    return Found("nss", version, "method table", tuple(functions))


def _relocated(elf: Elf) -> dict[int, int]:
    """The pointers that the loader adjusts, by address: DT_RELA, and DT_RELR, whose values stand in the file."""
    table = elf.dynamic()
    found = {}
    data = elf.at(table.get(7, -1), min(table.get(8, 0), _TABLE_BYTES))
    for at, info, value in struct.iter_unpack("<QQQ", data[: len(data) // 24 * 24]):
        if info & 0xFFFFFFFF == _RELATIVE[elf.machine]:
            found[at] = value
    data, base = elf.at(table.get(36, -1), min(table.get(35, 0), _TABLE_BYTES // 16)), 0
    places = []
    for (entry,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8]):
        if entry & 1:
            places += [base + 8 * bit for bit in range(63) if entry >> bit + 1 & 1]
            base += 63 * 8
        else:
            places.append(entry)
            base = entry + 8
    for at in places:
        value = elf.at(at, 8)
        if len(value) == 8:
            found[at] = struct.unpack("<Q", value)[0]
    return found


def _is_table(elf: Elf, pointers: dict[int, int], at: int) -> bool:
    if at in pointers or not all(at + 8 * place in pointers for place in _SURE):
        return False
    head = elf.at(at, 4)
    return len(head) == 4 and struct.unpack("<I", head)[0] == _LAYERED and all(elf.executable(pointers[at + 8 * place]) for place in _SURE)
