"""The layout of a session file (.ebt), byte by byte. All integers are little-endian.

    +-------------+---------+---------+     +---------+---------+---------+
    | file header | block 0 | block 1 | ... |   END   |  INDEX  | trailer |
    +-------------+---------+---------+     +---------+---------+---------+

Blocks are appended whole, one by one. A tracer that is killed leaves everything up to the last whole block; END, INDEX and
trailer are then missing, and the blocks are found by walking from header to header.

File header, 20 bytes, the same in all versions.

    0                       8           12          16          20
    +-----------------------+-----------+-----------+-----------+
    | magic                 | version   | session   | checksum  |
    +-----------------------+-----------+-----------+-----------+
    magic      89 45 42 54 0d 0a 1a 0a. No text starts so, and a transfer that converts line ends breaks it (as PNG's does)
    version    VERSION
    session    a random number, repeated in each block: a session inside a session (a traced download) is not taken for blocks
    checksum   of the 16 bytes before

Block: a header of 32 bytes, then the stored bytes.

    0           4           8     10    12          16          20          24          28          32
    +-----------+-----------+-----+-----+-----------+-----------+-----------+-----------+-----------+---------
    | mark      | session   | kind|flags| number    | stored    | raw       | checksum  | header    | bytes ...
    |           |           |     |     |           | length    | length    | of bytes  | checksum  |
    +-----------+-----------+-----+-----+-----------+-----------+-----------+-----------+-----------+---------
    mark       eb 42 4c 4b. With the session number, what a reader looks for to go on after damage
    kind       BlockKind
    flags      0. A reader leaves a block alone if it does not know one of its flags
    number     0, 1, 2, ... in the order of the file: what is missing can be counted
    stored     length of the bytes that follow
    raw        their length when decompressed; also in the zstd frame, and both agree. At most RAW_LIMIT, or MAP_LIMIT
    checksums  of the stored bytes; of the 28 bytes of header before

The stored bytes are one zstd frame, and in it one msgpack value, always a map: plain data, with text in UTF-8 that keeps undecodable
bytes as Python's surrogateescape does; or a table, its columns as columns.py writes them.

Trailer, the last 24 bytes.

    0                       8                       16          20          24
    +-----------------------+-----------------------+-----------+-----------+
    | end magic             | offset of INDEX       | session   | checksum  |
    +-----------------------+-----------------------+-----------+-----------+
    end magic  45 42 54 2d 45 4e 44 0a
    INDEX      a table of all blocks before it, in their order: kind, and offset of the header from the start of the file
    checksum   of the 20 bytes before

All checksums are CRC-32 (zlib's): they guard against accidents, not against forgers. What a forger can write, the reader bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from tracer.records import HISTOGRAM_BUCKETS, LIFECYCLE_FIELDS, PAYLOAD_FIELDS, SAMPLE_FIELDS, SOCKET_FIELDS

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = (
    "BLOCK_HEADER_BYTES", "FILE_HEADER_BYTES", "MAGIC", "MAP_LIMIT", "MARK", "MODELS", "RAW_LIMIT", "TRAILER_BYTES", "VERSION", "WITH_DATA",
    "BlockHeader", "BlockKind", "is_table", "pack_block_header", "pack_file_header", "pack_trailer", "table_fault", "unpack_block_header",
    "unpack_file_header", "unpack_trailer",
)

MAGIC = b"\x89EBT\r\n\x1a\n"
VERSION = 1
MARK = b"\xebBLK"
END_MAGIC = b"EBT-END\n"

RAW_LIMIT = 64 << 20  # bytes of one decompressed table
MAP_LIMIT = 8 << 20   # bytes of one decompressed map of plain data, whose objects take up to 30 times as much memory

_FILE_HEADER = Struct("<8sII")
_BLOCK_HEADER = Struct("<4sIHHIIII")
_TRAILER = Struct("<8sQI")
_CHECKSUM = Struct("<I")

FILE_HEADER_BYTES = _FILE_HEADER.size + _CHECKSUM.size
BLOCK_HEADER_BYTES = _BLOCK_HEADER.size + _CHECKSUM.size
TRAILER_BYTES = _TRAILER.size + _CHECKSUM.size


class BlockKind(IntEnum):
    """What a block holds."""

    META = 1
    SYSCALLS = 2
    LIFECYCLE = 3
    STRINGS = 4
    TOTALS = 5
    LEDGER = 6
    SNAPSHOT = 7
    TRACER = 8
    END = 9
    INDEX = 10
    SOCKETS = 11
    PAYLOAD = 12
    SAMPLES = 13
    EXCHANGES = 14  # map: what was said over HTTP and WebSocket (tracer/session/exchanges.py)
    BODIES = 15     # table: their bodies, by number
    TLS = 16        # map: how much of the TLS traffic was read in clear; the last one tells all


class BlockHeader(NamedTuple):
    """A block's header, without what is the same in all of a session's blocks."""

    session: int
    kind: int
    flags: int
    number: int
    stored: int
    raw: int
    checksum: int

    @property
    def whole(self) -> int:
        """Bytes of the block in the file, with its header."""
        return BLOCK_HEADER_BYTES + self.stored


# Columns of each table: name, dtype, and the shape of one item. In WITH_DATA there is also "data", the kept bytes of all rows
# one after the other, which is as long as the sum of "kept".
WITH_DATA = frozenset((BlockKind.STRINGS, BlockKind.PAYLOAD, BlockKind.BODIES))
_U64 = "<u8"
_TABLES: dict[BlockKind, list[tuple[str, str, tuple[int, ...]]]] = {
    BlockKind.SYSCALLS: [
        ("start_ns", _U64, ()), ("duration_ns", _U64, ()), ("sysno", "<u2", ()), ("flags", "|u1", ()), ("proc", "<u4", ()), ("tid", "<u4", ()),
        ("ret", "<i8", ()), ("a0", _U64, ()), ("a1", _U64, ()), ("a2", _U64, ()),
    ],
    BlockKind.LIFECYCLE: [(name, "|" + dtype if dtype.startswith("S") else dtype, ()) for name, dtype in LIFECYCLE_FIELDS],
    BlockKind.STRINGS: [("id", _U64, ()), ("length", "<u4", ()), ("flags", "|u1", ()), ("kept", "<u4", ())],
    BlockKind.TOTALS: [
        ("proc", "<u4", ()), ("sysno", "<u2", ()),
        *((name, _U64, ()) for name in ("calls", "errors", "unfinished", "bytes", "total_ns", "max_ns")),
        ("histogram", _U64, (HISTOGRAM_BUCKETS,)),
    ],
    BlockKind.INDEX: [("kind", "<u2", ()), ("offset", _U64, ())],
    BlockKind.SOCKETS: SOCKET_FIELDS,
    BlockKind.PAYLOAD: PAYLOAD_FIELDS,
    BlockKind.SAMPLES: [(name, dtype, ()) for name, dtype in SAMPLE_FIELDS],
    BlockKind.BODIES: [("id", _U64, ()), ("kept", "<u4", ())],
}

# What is known beforehand about the columns of a table (columns.Model): a call's arguments resemble those of the last call of the
# same kind, and it starts when the call before it on its thread has ended, plus the time the program spent on its own.
MODELS: dict[BlockKind, dict[str, tuple[str | None, str | None]]] = {
    BlockKind.SYSCALLS: {"start_ns": ("tid", "duration_ns"), **dict.fromkeys(("ret", "a0", "a1", "a2"), ("sysno", None))},
}


def is_table(kind: int) -> bool:
    """Whether blocks of this kind are tables, and not maps of plain data."""
    return kind in _TABLES


def table_rows(kind: BlockKind, columns: Mapping[str, npt.NDArray[Any]]) -> int:
    """How many rows a table has in which `table_fault` finds no fault."""
    return len(columns[_TABLES[kind][0][0]])


def table_fault(kind: int, columns: Mapping[str, npt.NDArray[Any]]) -> str | None:
    """Say why these columns are no table of ``kind``; None if they are."""
    fields = _TABLES.get(kind)  # type: ignore[call-overload]
    if fields is None:
        return f"blocks of kind {kind} are not tables"
    rows = len(columns[fields[0][0]]) if fields[0][0] in columns else 0
    for name, dtype, item in fields:
        if name not in columns:
            return f"column {name} is missing"
        if (columns[name].dtype.str, columns[name].shape) != (dtype, (rows, *item)):
            return f"column {name} is {columns[name].dtype.str}{list(columns[name].shape)}, not {dtype}{[rows, *item]}"
    if len(columns) > len(fields) + (kind in WITH_DATA):
        return "there are columns of other names"
    if kind in WITH_DATA:
        data = columns.get("data")
        if data is None or data.dtype.str != "|u1" or data.shape != (int(columns["kept"].sum()),):
            return "column data does not hold the kept bytes"
    return None


def pack_file_header(session: int) -> bytes:
    """The first bytes of a file."""
    return _sealed(_FILE_HEADER.pack(MAGIC, VERSION, session))


def unpack_file_header(data: bytes) -> tuple[int, int] | None:
    """Version and session; None if the bytes were changed. The magic is the caller's to check, since it says whose file it is."""
    if not _is_sealed(data, FILE_HEADER_BYTES):
        return None
    _, version, session = _FILE_HEADER.unpack_from(data)
    return version, session


def pack_block_header(header: BlockHeader) -> bytes:
    """A block's first bytes."""
    return _sealed(_BLOCK_HEADER.pack(MARK, *header))


def unpack_block_header(data: bytes) -> BlockHeader | None:
    """A block's header; None if these bytes are none, or damaged."""
    if data[:len(MARK)] != MARK or not _is_sealed(data, BLOCK_HEADER_BYTES):
        return None
    return BlockHeader(*_BLOCK_HEADER.unpack_from(data)[1:])


def pack_trailer(index: int, session: int) -> bytes:
    """The last bytes of a finished file; ``index`` is the offset of the INDEX block's header."""
    return _sealed(_TRAILER.pack(END_MAGIC, index, session))


def unpack_trailer(data: bytes) -> tuple[int, int] | None:
    """Offset of the INDEX block and session; None if these bytes are no trailer, or damaged."""
    if data[:len(END_MAGIC)] != END_MAGIC or not _is_sealed(data, TRAILER_BYTES):
        return None
    _, index, session = _TRAILER.unpack_from(data)
    return index, session


def _sealed(data: bytes) -> bytes:
    return data + _CHECKSUM.pack(crc32(data))


def _is_sealed(data: bytes, length: int) -> bool:
    return len(data) == length and _CHECKSUM.unpack_from(data, length - _CHECKSUM.size)[0] == crc32(data[:-_CHECKSUM.size])
