"""Reads single blocks of a session file, however damaged or forged it may be (layout: format.py)."""

from __future__ import annotations

import os
import stat
from typing import Any
from zlib import crc32

import msgpack
import zstandard

from tracer.errors import DamagedSession, NewerSession, NotASession, SessionError
from tracer.session import format as layout
from tracer.session.columns import COLUMNS_LIMIT, PARTS_LIMIT, Array, BadColumn, decode
from tracer.session.format import BlockHeader, BlockKind

__all__ = ("BadBlock", "BlockFile")

_MAP_CONTAINERS = 1 << 18  # lists and maps in one block of plain data
_MAP_ITEMS = 1 << 18       # in one of those


class BadBlock(Exception):
    """A block cannot be read; the text says why, in a few words."""


class BlockFile:
    """A session file open for reading, as long as it was when it was opened. Its own writer may still be at work.

    ``session`` is the number that all its blocks bear; None if it is not known yet, since the file header is damaged.
    """

    def __init__(self, path: str) -> None:
        """Open and check the file header; NotASession, NewerSession, DamagedSession, or SessionError if the file cannot be opened."""
        self._fd, self.size = _open(path)
        self._decompressor = zstandard.ZstdDecompressor()
        self.session: int | None = None
        try:
            self._check(path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; blocks cannot be read any more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, offset: int, length: int) -> bytes:
        """Read up to ``length`` bytes: fewer at the end of the file, none where the disk fails."""
        parts = []
        length = min(length, self.size - offset)
        while length > 0:
            try:
                part = os.pread(self._fd, length, offset)
            except OSError:
                return b""
            if not part:
                break
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def header(self, offset: int) -> BlockHeader | None:
        """The header at this offset; None if there is none of this session."""
        header = layout.unpack_block_header(self.read(offset, layout.BLOCK_HEADER_BYTES))
        return header if header is not None and self.session in (None, header.session) else None

    def value(self, offset: int, header: BlockHeader) -> dict[Any, Any]:
        """The msgpack value of a block, a map. Raises BadBlock, and nothing else, with bounded memory."""
        is_table = layout.is_table(header.kind)
        if header.flags:
            raise BadBlock("made by a newer ebtrace")
        if header.raw > (layout.RAW_LIMIT if is_table else layout.MAP_LIMIT) or header.stored > layout.RAW_LIMIT:
            raise BadBlock("larger than any real one")
        stored = self.read(offset + layout.BLOCK_HEADER_BYTES, header.stored)
        if len(stored) != header.stored:
            raise BadBlock("not all of it can be read from disk")
        if crc32(stored) != header.checksum:
            raise BadBlock("checksum")
        try:
            if zstandard.get_frame_parameters(stored).content_size != header.raw:
                raise BadBlock("another length than it says")
            raw = self._decompressor.decompress(stored, allow_extra_data=False)
            value = _unpack(raw, _Budget(2 * COLUMNS_LIMIT), PARTS_LIMIT) if is_table else _unpack(raw, _Budget(_MAP_CONTAINERS), _MAP_ITEMS)
        except (zstandard.ZstdError, ValueError, RecursionError, MemoryError) as error:
            raise BadBlock("content") from error
        if not isinstance(value, dict):
            raise BadBlock("content")
        return value

    def table(self, offset: int, header: BlockHeader) -> dict[str, Array]:
        """The columns of a table block. Raises BadBlock, and nothing else."""
        try:
            columns = decode(self.value(offset, header))
        except (BadColumn, MemoryError) as error:
            raise BadBlock("columns") from error
        if layout.table_fault(BlockKind(header.kind), columns) is not None:
            raise BadBlock("columns")
        return columns

    def _check(self, path: str) -> None:
        start = self.read(0, layout.FILE_HEADER_BYTES)
        if not self.size:
            raise DamagedSession(f"{path} is empty: the tracer was stopped before it wrote anything", "trace again")
        if not layout.MAGIC.startswith(start[:len(layout.MAGIC)]):
            raise NotASession(f"{path} is not an ebtrace session")
        if len(start) < layout.FILE_HEADER_BYTES:
            raise DamagedSession(f"{path} is truncated at byte {self.size}, inside its header: nothing in it can be read", "trace again")
        found = layout.unpack_file_header(start)
        if found is not None and found[0] > layout.VERSION:
            raise NewerSession(f"{path} was written in format {found[0]}; this ebtrace reads formats up to {layout.VERSION}")
        if found is not None:
            self.session = found[1]


class _Budget:
    """Counts lists and maps while msgpack makes them: a few bytes of a forged block could become gigabytes of empty ones."""

    def __init__(self, containers: int) -> None:
        self._left = containers

    def __call__(self, container: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many lists and maps")
        return container


def _unpack(raw: bytes, budget: _Budget, items: int) -> Any:
    return msgpack.unpackb(
        raw, unicode_errors="surrogateescape", list_hook=budget, object_hook=budget,
        max_array_len=items, max_map_len=max(items, COLUMNS_LIMIT), max_ext_len=0,
    )


def _open(path: str) -> tuple[int, int]:
    """Descriptor and size of a regular file. What a file is, is asked before it is opened: opening a FIFO or a device has effects."""
    try:
        _refuse_special(path, os.stat(path).st_mode)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        found = os.fstat(fd)
        _refuse_special(path, found.st_mode)
    except BaseException:
        os.close(fd)
        raise
    return fd, found.st_size


def _refuse_special(path: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise NotASession(f"{path} is a directory, not an ebtrace session")
    if not stat.S_ISREG(mode):
        what = "a named pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise NotASession(f"{path} is {what}, not an ebtrace session: sessions are read from files")


def _unreadable(path: str, error: OSError | ValueError) -> SessionError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SessionError(f"{path} does not exist", "look for it: ls *.ebt")
    if isinstance(error, PermissionError):
        return SessionError(f"no permission to read {path}", "ask its owner, or read it as root: sudo ebtrace ...")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return SessionError(f"{path!r} cannot be read: {(reason or 'unknown reason').lower()}", "give another file")
