"""NSS: its TLS functions have no symbols, but stand in a table of socket operations (ssl_secure_ops), beside the one for plain sockets.

PR_Read and PR_Write of libnspr4 carry files and plain sockets as well, so these operations are probed and NSPR is not. Each table has
connect, accept, bind, listen, shutdown, close, recv, send, read, write, getpeername and getsockname. The two share bind, listen and the
last two, and have no accept. read and write go through recv and send.
"""

from __future__ import annotations

import struct

from tracer.tls.elf import Elf
from tracer.tls.found import Found, Function

__all__ = ("find_operations",)

_PLACES = {5: "free", 6: "read", 7: "write"}  # close(socket), recv(socket, buffer, length, flags), send(likewise)
_ACCEPT, _SHARED, _LAST = 1, (2, 3, 10, 11), 11
_RELATIVE = {"x86_64": 8, "aarch64": 1027}
_TABLE_BYTES = 16 << 20


def find_operations(elf: Elf, version: str) -> Found:
    """The operations in the file that exports SSL_ImportFD: libssl3.so, or whatever it was linked into."""
    pointers = _relocated(elf)
    tables = [table for at in sorted(pointers) if (table := _table(elf, pointers, at))]
    twins = [table for table in tables if sum(_shared(table) == _shared(other) for other in tables) == 2]
    if len(twins) != 2:
        return Found("nss", version, note="its table of socket operations was not found")
    functions = []
    secure = max(twins, key=_spread)  # the operations of plain sockets are one short source file, with the shared ones
    for place, role in _PLACES.items():
        offset = elf.offset(secure[place])
        if offset is not None:
            functions.append(Function(role, offset))
    return Found("nss", version, "operations", tuple(functions))


def _shared(table: list[int]) -> list[int]:
    return [table[place] for place in _SHARED]


def _spread(table: list[int]) -> int:
    return sum(abs(address - table[_SHARED[0]]) for address in table if address)


def _table(elf: Elf, pointers: dict[int, int], at: int) -> list[int] | None:
    table = [pointers.get(at + 8 * place, 0) for place in range(_LAST + 1)]
    if at + 8 * _ACCEPT in pointers or not all(elf.executable(address) for place, address in enumerate(table) if place != _ACCEPT):
        return None
    return table


def _relocated(elf: Elf) -> dict[int, int]:
    """The pointers that the loader adjusts, by address: DT_RELA, and DT_RELR, whose values stand in the file."""
    table = elf.dynamic()
    data = elf.at(table.get(7, -1), min(table.get(8, 0), _TABLE_BYTES))
    rows = struct.iter_unpack("<QQQ", data[: len(data) // 24 * 24])
    found = {at: value for at, info, value in rows if info & 0xFFFFFFFF == _RELATIVE[elf.machine]}
    data, base, places = elf.at(table.get(36, -1), min(table.get(35, 0), _TABLE_BYTES // 64)), 0, []
    for (entry,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8]):
        if entry & 1:  # a map of which of the next 63 words are pointers
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
