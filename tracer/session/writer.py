"""Writes a session file, block by block (layout: format.py). NumPy, zstandard and msgpack are loaded with the first writer."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO
from zlib import crc32

from tracer.errors import OutputError
from tracer.session import format as layout
from tracer.session.format import BlockHeader, BlockKind

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ("SessionWriter",)

_PART_BYTES = 8 << 20  # of the columns in one block: larger tables become several blocks, which a reader holds one at a time

_INDEX_ROWS = 1 << 21    # a longer one would be more than a table may hold; such a session is read by scanning

_MSGPACK_MAPS = (0xDE, 0xDF)  # what a map of more than 15 entries begins with

_ELSEWHERE = "or write the next session elsewhere: -o FILE"
_REMEDIES = {
    errno.ENOSPC: f"free some space, {_ELSEWHERE}",
    errno.EDQUOT: f"delete some files, since your disk quota is used up, {_ELSEWHERE}",
    errno.EFBIG: f"raise the limit on file sizes (ulimit -f), {_ELSEWHERE}",
    errno.EIO: f"look for disk errors (dmesg), {_ELSEWHERE}",
}


class SessionWriter:
    """Appends blocks to a file that is open for writing and empty. To be used by one thread.

    Each block goes to the kernel at once and whole: one that cannot be written is cut off again, OutputError is raised, and the file
    can be read up to the block before. The writer may still be used then: once the disk has room again, or for the smaller END.
    ``written`` is the file's size in bytes.
    """

    def __init__(self, file: BinaryIO, level: int = 1) -> None:
        import msgpack
        import zstandard

        from tracer.session.columns import encode  # with NumPy, so that the first table does not have to wait for it

        file.flush()
        self._file: BinaryIO = getattr(file, "raw", file)  # behind the buffer: a kill must not take finished blocks along
        self._session = int.from_bytes(os.urandom(4), "little")
        self._packer = msgpack.Packer(unicode_errors="surrogateescape")
        self._encode = encode
        self._compressor = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False)
        self._kinds, self._offsets = array("H"), array("Q")
        self._broken: str | None = None
        self.written = 0
        self._append(layout.pack_file_header(self._session))

    def write_map(self, kind: BlockKind, value: dict[str, Any]) -> None:
        """Write one block of plain data: what msgpack can hold, text with surrogateescape. ValueError beyond format.MAP_LIMIT bytes."""
        self._write(kind, value, layout.MAP_LIMIT)

    def write_table(self, kind: BlockKind, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a table of one of the kinds in format.py; ValueError if the columns are not those of the kind. Empty ones are left out."""
        fault = layout.table_fault(kind, columns)
        if fault is not None:
            raise ValueError(f"no {kind.name} table: {fault}")
        for part in _parts(kind, columns):
            self._write(kind, self._encode(part, layout.MODELS.get(kind)), layout.RAW_LIMIT)

    def write_packed(self, kind: BlockKind, raw: bytes) -> None:
        """Write one block whose inside, a map in msgpack, was made elsewhere (packing.py); ValueError if it cannot be one.

        That it is a table of its kind is for the reader to check, as of all files.
        """
        if not raw or not (raw[0] & 0xF0 == 0x80 or raw[0] in _MSGPACK_MAPS):
            raise ValueError(f"no {kind.name} block: not a map")
        self._frame(kind, raw, layout.RAW_LIMIT if layout.is_table(kind) else layout.MAP_LIMIT)

    def close(self, end: dict[str, Any]) -> None:
        """Write the END block, the index and the trailer. The file itself is left open."""
        import numpy as np

        self.write_map(BlockKind.END, end)
        if len(self._kinds) <= _INDEX_ROWS:
            index = self.written
            blocks = {"kind": np.array(self._kinds, "<u2"), "offset": np.array(self._offsets, "<u8")}
            self._write(BlockKind.INDEX, self._encode(blocks), layout.RAW_LIMIT)
            self._append(layout.pack_trailer(index, self._session))
        self._broken = "the session is closed"

    def _write(self, kind: BlockKind, value: Mapping[str, Any], limit: int) -> None:
        self._frame(kind, self._packer.pack(value), limit)

    def _frame(self, kind: BlockKind, raw: bytes, limit: int) -> None:
        if len(raw) > limit:
            raise ValueError(f"a {kind.name} block of {len(raw)} bytes; at most {limit} can be read back")
        stored = self._compressor.compress(raw)
        offset = self.written
        header = BlockHeader(self._session, kind, 0, len(self._kinds), len(stored), len(raw), crc32(stored))
        self._append(layout.pack_block_header(header) + stored)
        self._kinds.append(kind)
        self._offsets.append(offset)

    def _append(self, data: bytes) -> None:
        if self._broken is not None:
            raise OutputError(f"{_name(self._file)} cannot be written: {self._broken}")
        rest = memoryview(data)
        try:
            while rest:
                count = self._file.write(rest)
                if not count:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                rest = rest[count:]
        except OSError as error:
            self._cut()
            raise OutputError(f"{_name(self._file)} cannot be written: {_reason(error)}", _REMEDIES.get(error.errno or 0, "")) from error
        self.written += len(data)

    def _cut(self) -> None:
        """Take back a block of which only a part was written."""
        try:
            self._file.truncate(self.written)
            self._file.seek(self.written)
        except OSError as error:
            self._broken = f"it ends in a partial block, which cannot be removed: {_reason(error)}"


def _parts(kind: BlockKind, columns: Mapping[str, npt.NDArray[Any]]) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    rows = max(len(column) for column in columns.values())
    size = sum(column.nbytes for column in columns.values())
    if not rows:
        return
    if size <= _PART_BYTES or kind in layout.WITH_DATA:  # whose bytes are not in rows, and come in batches of no more than a ring
        yield columns
        return
    step = max(1, _PART_BYTES * rows // size)
    for start in range(0, rows, step):
        yield {name: column[start:start + step] for name, column in columns.items()}


def _name(file: BinaryIO) -> str:
    """The file's path; the name of a file that was opened elsewhere is only a number."""
    name = getattr(file, "name", "the session file")
    if isinstance(name, int):
        try:
            return os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            return "the session file"
    return os.fsdecode(name)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower() if error.errno != errno.EIO else "input/output error"
