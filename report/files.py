"""What was done to every file, by path, from the detail records: opens, reads, writes, bytes, errors.

Reads and writes name a descriptor, not a path, so report/descriptors.py follows every process's descriptors; all reads and
writes of a window are then looked up at once. Paths are as the program gave them; one relative to an open folder is joined
to that folder's. What has no name goes under UNKNOWN: sockets and pipes, what was open before the trace, lost names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from report.calls import Argument, arch_of, argument
from report.descriptors import Descriptors, is_failed, key_of, with_lifecycle
from report.order import in_order, take
from report.strings import Strings
from report.types import Columns
from tracer.records import SYSNO_LIMIT
from tracer.session.format import BlockKind
from tracer.session.reader import Session
from tracer.syscalls.names import COMPAT_SUFFIX, known

__all__ = ("UNKNOWN", "FileTotals", "files_of")

UNKNOWN = "unknown"

_AT = ("read", "readv", "pread64", "preadv", "preadv2"), ("write", "writev", "pwrite64", "pwritev", "pwritev2")
_BETWEEN = {"sendfile": ("in_fd", "out_fd"), "sendfile64": ("in_fd", "out_fd"), "splice": ("fd_in", "fd_out"), "copy_file_range": ("fd_in", "fd_out")}
_READS = {**dict.fromkeys(_AT[0], "fd"), **{name: source for name, (source, _) in _BETWEEN.items()}}
_WRITES = {**dict.fromkeys(_AT[1], "fd"), **{name: target for name, (_, target) in _BETWEEN.items()}}


@dataclass(frozen=True)
class FileTotals:
    """What the records say about one path."""

    path: str
    opens: int  # that succeeded
    reads: int  # calls, failed ones among them
    writes: int
    read_bytes: int
    written_bytes: int
    errors: int  # failed opens, reads and writes


def files_of(session: Session, strings: Strings, lifecycle: Columns) -> tuple[FileTotals, ...]:
    """Every path that was opened, read or written, by bytes moved, then by calls. ``lifecycle``: in the order of time."""
    arch = arch_of(session)
    names = {sysno: name.removesuffix(COMPAT_SUFFIX) for sysno, name in known(arch).items()} if arch else {}
    sides = [
        {sysno: found for sysno, name in names.items() if name in table and (found := argument(arch, sysno, table[name]))}
        for table in (_READS, _WRITES)
    ]
    sums = _Sums()
    descriptors = Descriptors(session, strings, names)
    wanted = descriptors.changing.copy()
    wanted[[sysno for side in sides for sysno in side]] = True

    def blocks() -> Iterable[Columns]:
        for table in session.tables(BlockKind.SYSCALLS):
            rows = take(table, wanted[np.minimum(table["sysno"], SYSNO_LIMIT)] & (table["sysno"] < SYSNO_LIMIT))
            arrival = rows["start_ns"] + rows["duration_ns"]
            yield {**rows, "key": np.where(descriptors.at_return[rows["sysno"]], arrival, rows["start_ns"]), "arrival": arrival}

    for window in with_lifecycle(in_order(blocks), lifecycle):
        uses = [use for side, arguments in enumerate(sides) for use in _uses(window, arguments, side)]
        bindings = descriptors.pass_window(window, [keys for _, _, keys in uses])
        for side, rows, keys in uses:
            sums.add_uses(side, bindings.paths(keys, rows), window["ret"][rows])
        sums.add_opens(bindings.opened, bindings.refused)
    return sums.totals([UNKNOWN, *descriptors.paths])


def _uses(window: Columns, arguments: dict[int, Argument], side: int) -> Iterable[tuple[int, NDArray[np.intp], NDArray[np.uint64]]]:
    """The calls of one side (0 reads, 1 writes) by number: side, rows, and the descriptor each used."""
    for sysno in np.unique(window["sysno"]).tolist():
        if sysno not in arguments:
            continue
        rows = np.flatnonzero(window["sysno"] == sysno)
        calls = take(window, rows)
        yield side, rows, key_of(calls["proc"], arguments[sysno].of(calls))


class _Sums:
    """Sums by the index of the path: they grow with the number of paths, not of calls."""

    _FIELDS = ("opens", "reads", "writes", "read_bytes", "written_bytes", "errors")

    def __init__(self) -> None:
        self._sums = np.zeros((len(self._FIELDS), 64), np.int64)

    def add_uses(self, side: int, paths: NDArray[np.int64], results: NDArray[np.int64]) -> None:
        self._add("writes" if side else "reads", paths, 1)
        self._add("written_bytes" if side else "read_bytes", paths, np.where(results > 0, results, 0))
        self._add("errors", paths[is_failed(results)], 1)

    def add_opens(self, opened: list[int], refused: list[int]) -> None:
        self._add("opens", np.array(opened, np.int64), 1)
        self._add("errors", np.array(refused, np.int64), 1)

    def totals(self, paths: list[str]) -> tuple[FileTotals, ...]:
        columns = self._sums[:, : len(paths)].T.tolist()
        rows = [FileTotals(path, *row) for path, row in zip(paths, columns, strict=False) if any(row)]
        return tuple(sorted(rows, key=lambda row: (-row.read_bytes - row.written_bytes, -row.reads - row.writes - row.opens - row.errors, row.path)))

    def _add(self, field: str, paths: NDArray[np.int64], amount: NDArray[np.int64] | int) -> None:
        if not len(paths):
            return
        room = int(paths.max()) + 1
        if room > self._sums.shape[1]:
            self._sums = np.pad(self._sums, ((0, 0), (0, max(room, 2 * self._sums.shape[1]) - self._sums.shape[1])))
        np.add.at(self._sums[self._FIELDS.index(field)], paths, amount)
