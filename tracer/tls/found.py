"""What is known about the TLS functions of one ELF file."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("Found", "Function", "nothing")

ROLES = ("read", "write", "read_ex", "write_ex", "free", "go_read", "go_write", "read_inner", "write_inner")


class Function:
    """One function to probe. ``entry`` and ``returns`` are offsets in the file; ``returns`` has every way out, or is empty: not known.

    A return may stand in a function that this one ends in a jump to, and be reached from elsewhere, too: it is this call's if the stack
    pointer is what it was at the entry.

    read, write: (object, buffer, length) -> bytes moved. read_ex, write_ex: (object, buffer, size_t length, size_t *moved) -> 1.
    read_inner: as read_ex, but 0 means the end of the connection. write_inner: (object, buffer, size_t length, flags, size_t *moved) -> 1.
    free: (object). go_read, go_write: (*Conn, slice) -> (n, error), by Go's own calling convention.
    """

    __slots__ = ("entry", "returns", "role")

    def __init__(self, role: str, entry: int, returns: tuple[int, ...] = ()) -> None:
        self.role, self.entry, self.returns = role, entry, returns


class Found:
    """The TLS functions of a file. ``library``: openssl, boringssl, aws-lc, gnutls, nss, go, rustls, or "" where there is no TLS.

    ``how``: symbols, error sites, operations, pclntab, strings. A library without functions is one that cannot be read; ``note`` says why.
    """

    __slots__ = ("functions", "how", "library", "note", "version")

    def __init__(self, library: str, version: str = "", how: str = "", functions: tuple[Function, ...] = (), note: str = "") -> None:
        self.library, self.version, self.how, self.functions, self.note = library, version, how, functions, note

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Found) and self.packed() == other.packed()

    def packed(self) -> dict[str, Any]:
        """For JSON, and to be kept."""
        functions = [[f.role, f.entry, list(f.returns)] for f in self.functions]
        return {"library": self.library, "version": self.version, "how": self.how, "functions": functions, "note": self.note}

    @classmethod
    def unpacked(cls, value: object) -> Found | None:
        """What `packed` made, read back; None for anything else."""
        if not isinstance(value, dict):
            return None
        texts = [value.get(name) for name in ("library", "version", "how", "note")]
        functions = value.get("functions")
        if not all(isinstance(text, str) for text in texts) or not isinstance(functions, (list, tuple)):
            return None
        rows = []
        for row in functions:
            if not isinstance(row, (list, tuple)) or len(row) != 3 or row[0] not in ROLES or not isinstance(row[2], (list, tuple)):
                return None
            if not all(type(offset) is int and 0 <= offset < 1 << 62 for offset in (row[1], *row[2])):
                return None
            rows.append(Function(row[0], row[1], tuple(row[2])))
        library, version, how, note = (str(text) for text in texts)
        return cls(library, version, how, tuple(rows), note)


def nothing(note: str = "") -> Found:
    """No TLS here, and why."""
    return Found("", note=note)
