"""Finds the blocks of a session file: through its index, or by walking from header to header.

A walk ends where the tracer was stopped. Damage on the way is stepped over: every block starts with a mark, the session's number and
a header with its own checksum, so the next whole one can be found; and blocks are numbered, so what was lost can be told.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np

from tracer.session import format as layout
from tracer.session.blocks import BadBlock, BlockFile
from tracer.session.columns import Array
from tracer.session.format import BlockHeader, BlockKind

__all__ = ("Blocks", "Problems", "find_blocks")

_CHUNKS = (4 << 10, 1 << 20)  # bytes looked through at a time: few at first, since damage is mostly small
_LISTED = 100


class Problems:
    """Sentences on what is wrong with a file, each once, and not more than anyone reads. ``lost``: some block's content is missing."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.lost = False

    def add(self, sentence: str, *, lost: bool) -> None:
        """Note a problem."""
        self.lost |= lost
        if len(self.sentences) < _LISTED and sentence not in self.sentences:
            self.sentences.append(sentence)
        elif len(self.sentences) == _LISTED:
            self.sentences.append("There are more problems than are listed here.")


class Blocks(NamedTuple):
    """All blocks of a file in their order: kind and number (uint16, uint32), offset of the header (uint64), and where the last ends."""

    kinds: Array
    numbers: Array
    offsets: Array
    end: int


def find_blocks(file: BlockFile, problems: Problems) -> Blocks:
    """Find all blocks but the index, and note what is missing."""
    try:
        return _indexed(file)
    except BadBlock as error:
        return _scanned(file, problems, str(error))


def _indexed(file: BlockFile) -> Blocks:
    trailer = layout.unpack_trailer(file.read(file.size - layout.TRAILER_BYTES, layout.TRAILER_BYTES))
    if trailer is None:
        raise BadBlock("The file has no index: its blocks were found by scanning.")
    index, session = trailer
    header = file.header(index)
    if header is None or (header.session, header.kind, index + header.whole) != (session, BlockKind.INDEX, file.size - layout.TRAILER_BYTES):
        raise BadBlock("The file's index is damaged: its blocks were found by scanning.")
    try:
        table = file.table(index, header)
    except BadBlock as error:
        raise BadBlock(f"The file's index is damaged ({error}): its blocks were found by scanning.") from error
    kinds, offsets = np.asarray(table["kind"]), np.asarray(table["offset"])
    bounds = np.concatenate([offsets, np.array([index], "<u8")])
    if len(kinds) != header.number or bounds[0] != layout.FILE_HEADER_BYTES or not (bounds[1:] > bounds[:-1]).all():
        raise BadBlock("The file's index is not true: its blocks were found by scanning.")
    file.session = session
    return Blocks(kinds, np.arange(len(kinds), dtype="<u4"), offsets, index)


def _scanned(file: BlockFile, problems: Problems, why: str) -> Blocks:
    kinds, numbers, offsets = array("H"), array("I"), array("Q")
    offset, expected, ended = layout.FILE_HEADER_BYTES, 0, False
    while offset < file.size:
        header = _next_header(file, offset, expected)
        if header is None:
            if layout.unpack_trailer(file.read(offset, layout.TRAILER_BYTES)) is not None:
                offset += layout.TRAILER_BYTES
                continue
            found = _search(file, offset + 1, expected)
            if found is None:
                problems.add(_rest(offset, file.size, ended=ended), lost=not ended)
                break
            problems.add(f"Bytes {offset} to {found - 1} are damaged and were skipped.", lost=not ended)
            offset = found
            continue
        end = offset + header.whole
        if end > file.size:
            problems.add(f"The file is truncated at byte {file.size}, inside block {header.number}, which starts at byte {offset}.", lost=not ended)
            break
        if header.number > expected:
            problems.add(_missing(expected, header.number - 1), lost=True)
        file.session = header.session
        if header.kind != BlockKind.INDEX:
            kinds.append(header.kind)
            numbers.append(header.number)
            offsets.append(offset)
        ended |= header.kind == BlockKind.END
        offset, expected = end, header.number + 1
    problems.add(why, lost=False)
    return Blocks(np.array(kinds, "<u2"), np.array(numbers, "<u4"), np.array(offsets, "<u8"), min(offset, file.size))


def _next_header(file: BlockFile, offset: int, expected: int) -> BlockHeader | None:
    """A header that can come here: one with a lower number is a copy, and would be counted twice."""
    header = file.header(offset)
    return header if header is not None and header.number >= expected else None


def _search(file: BlockFile, offset: int, expected: int) -> int | None:
    """The next offset at which a block starts. Reads every byte once, and headers only where the mark is."""
    mark = layout.MARK + (file.session.to_bytes(4, "little") if file.session is not None else b"")
    size, largest = _CHUNKS
    while offset < file.size:
        chunk = file.read(offset, size)
        place = chunk.find(mark)
        while place >= 0:
            if _next_header(file, offset + place, expected) is not None:
                return offset + place
            place = chunk.find(mark, place + 1)
        offset += size - len(mark) + 1
        size = min(2 * size, largest)
    return None


def _rest(offset: int, size: int, *, ended: bool) -> str:
    if ended:
        return f"Bytes {offset} to {size - 1}, after the END block, are not part of the session, or damaged."
    if size - offset < layout.BLOCK_HEADER_BYTES:
        return f"The file is truncated at byte {size}, inside the block that starts at byte {offset}."
    return f"Bytes {offset} to {size - 1}, the end of the file, hold no whole block."


def _missing(first: int, last: int) -> str:
    return f"Block {first} is missing." if first == last else f"Blocks {first} to {last} are missing."
