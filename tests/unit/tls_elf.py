"""Made-up ELF files: texts and tables at one place, code at another."""

import struct

TEXTS, CODE = 0x10000, 0x400000  # addresses, and one file offset after the other


def made_up(code: bytes, texts: bytes, *, machine: int = 62, relocatable: bool = True) -> bytes:
    """A program with ``texts`` at TEXTS and ``code`` at CODE, both loaded, without sections."""
    at = 64 + 2 * 56
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 3 if relocatable else 2, machine, 1, CODE, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    rows = [(4, at, TEXTS, len(texts)), (5, at + len(texts), CODE, len(code))]
    table = b"".join(struct.pack("<IIQQQQQQ", 1, flags, offset, address, address, size, size, 0x1000) for flags, offset, address, size in rows)
    return head + table + texts + code
