"""Reads a session file: all of it that can be read, and what cannot, in sentences (layout: format.py).

A file may be cut off, damaged or forged. Blocks are checked one by one as they are read; one that fails is left out, and
``problems`` says so. What comes out of a table has the columns, dtypes and shapes of its kind. What comes out of a map is plain data
of any form: whoever takes more than META and END from a session that others wrote has to look at it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from tracer.errors import DamagedSession
from tracer.session import format as layout
from tracer.session.blocks import BadBlock, BlockFile
from tracer.session.columns import Array
from tracer.session.format import BlockHeader, BlockKind
from tracer.session.scan import Problems, find_blocks
from tracer.session.strings import STRINGS_LIMIT, Strings

__all__ = ("Session", "open_session")

_META: dict[str, Any] = {
    "command": [], "kind": "", "pid": 0, "started_unix_ns": 0, "started_ns": 0, "kernel": "", "version": "", "arch": "", "mode": "",
    "expression": "", "sample": None, "transport": "", "hostname": "", "user": "", "cwd": "", "children": True,
}
_END: dict[str, Any] = {"ended_ns": 0, "exit_status": None, "reason": ""}

_Block = TypeVar("_Block", bound=dict[str, Any])


def open_session(path: str) -> Session:
    """Open a session file; to be closed, or used with ``with``.

    Raises NotASession, NewerSession, DamagedSession if not one whole block is there, or SessionError if the file cannot be opened.
    """
    file = BlockFile(path)
    try:
        return Session(path, file)
    except BaseException:
        file.close()
        raise


class Session:
    """An open session file.

    ``size``      the file's size in bytes
    ``meta``      the META block: what was traced. Fields that are missing or of a wrong type are there, and empty
    ``end``       the END block; None if there is none
    ``problems``  what is wrong with the file, in sentences; grows as blocks are read (`check` reads those that nobody has)
    """

    def __init__(self, path: str, file: BlockFile) -> None:
        self.path, self.size = path, file.size
        self._file, self._problems = file, Problems()
        if file.session is None:
            self._problems.add("The file's header is damaged.", lost=False)
        self._blocks = find_blocks(file, self._problems)
        if not len(self._blocks.kinds):
            raise DamagedSession(f"{path} holds no whole block: nothing in it can be read", "trace again")
        self._bounds = np.append(self._blocks.offsets, np.uint64(self._blocks.end))
        self._read = np.zeros(len(self._blocks.kinds), "?")
        self._lengths: dict[int, int] = {}  # of tables that were sound: rows, by the number of the block in the file
        self._strings: Strings | None = None
        unknown = int((~np.isin(self._blocks.kinds, list(BlockKind))).sum())
        if unknown:
            self._problems.add(f"Blocks of a kind that this ebtrace does not know were skipped: {unknown}.", lost=True)
        self.meta: dict[str, Any] = self._first(BlockKind.META, _META) or dict(_META)
        self.end: dict[str, Any] | None = self._first(BlockKind.END, _END)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Strings stay usable."""
        self._file.close()

    @property
    def problems(self) -> list[str]:
        return list(self._problems.sentences)

    @property
    def complete(self) -> bool:
        """Whether the session came to its end, and no block is missing, as far as the file has been read."""
        return self.end is not None and not self._problems.lost

    def maps(self, kind: BlockKind) -> Iterator[dict[str, Any]]:
        """All blocks of a kind that holds plain data, in the order of writing, one at a time."""
        if layout.is_table(kind):
            raise ValueError(f"{kind.name} blocks are tables")
        return self._each(kind, self._file.value)

    def tables(self, kind: BlockKind) -> Iterator[dict[str, Array]]:
        """All tables of a kind, in the order of writing, one at a time: columns that are read-only."""
        if not layout.is_table(kind):
            raise ValueError(f"{kind.name} blocks are no tables")
        return self._each(kind, self._file.table)

    def rows(self, kind: BlockKind) -> int:
        """How many rows all tables of a kind have. Those that have been read once are not decoded again."""
        places = np.flatnonzero(self._blocks.kinds == kind)
        for _ in self._rows(places[~self._read[places]], self._file.table):
            pass
        return sum(self._lengths.get(place, 0) for place in places.tolist())

    def strings(self) -> Strings:
        """All interned strings by id; read once."""
        if self._strings is None:
            self._strings = Strings(self.tables(BlockKind.STRINGS))
            if not self._strings.complete:
                self._problems.add(f"There are more than {STRINGS_LIMIT >> 20} MiB of strings; the rest was left out.", lost=True)
        return self._strings

    def check(self) -> None:
        """Read all blocks that have not been read yet, so that ``problems`` and ``complete`` speak for the whole file."""
        for kind in BlockKind:
            unread = np.flatnonzero((self._blocks.kinds == kind) & ~self._read)
            for _ in self._rows(unread, self._file.table if layout.is_table(kind) else self._file.value):
                pass

    def _first(self, kind: BlockKind, fields: dict[str, Any]) -> dict[str, Any] | None:
        found = next(self.maps(kind), None)
        if found is None:
            self._problems.add(
                "There is no END block: the tracer was stopped in mid-session, or is still at work." if kind == BlockKind.END
                else f"There is no {kind.name} block.", lost=True)
            return None
        wrong = [name for name, empty in fields.items() if name in found and not _fits(found[name], empty)]
        if wrong:
            self._problems.add(f"The {kind.name} block is not what it should be: {', '.join(wrong)}.", lost=True)
        return fields | found | {name: fields[name] for name in wrong}

    def _each(self, kind: BlockKind, read: Callable[[int, BlockHeader], _Block]) -> Iterator[_Block]:
        return self._rows(np.flatnonzero(self._blocks.kinds == kind), read)

    def _rows(self, rows: Array, read: Callable[[int, BlockHeader], _Block]) -> Iterator[_Block]:
        for row in rows.tolist():
            offset, bound = int(self._bounds[row]), int(self._bounds[row + 1])
            number = int(self._blocks.numbers[row])
            try:
                block = read(offset, self._header(row, offset, bound))
            except BadBlock as error:
                self._problems.add(f"Block {number} ({self._name(row)}), at byte {offset}, is damaged ({error}) and was skipped.", lost=True)
                continue
            finally:
                self._read[row] = True
            kind = BlockKind(int(self._blocks.kinds[row]))
            if layout.is_table(kind):
                self._lengths[row] = layout.table_rows(kind, block)
            yield block

    def _header(self, row: int, offset: int, bound: int) -> BlockHeader:
        header = self._file.header(offset)
        if header is None:
            raise BadBlock("header")
        if (header.number, header.kind) != (self._blocks.numbers[row], self._blocks.kinds[row]):
            raise BadBlock("not the one in the index")
        if offset + header.whole > bound:
            raise BadBlock("longer than its place")
        return header

    def _name(self, row: int) -> str:
        return BlockKind(int(self._blocks.kinds[row])).name


def _fits(value: Any, empty: Any) -> bool:
    if isinstance(empty, list):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if empty is None:
        return value is None or type(value) is int
    return type(value) is type(empty)
