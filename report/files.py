"""What was done to every file, by path, from what was done to the things that descriptors stood for (report/activity.py).

A row is one file as long as it was there: what was deleted and made again under the same path has two, unless that happened
often. Sockets, pipes and the like have no path and are left out; what nobody knows the name of goes under UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from report.activity import Activity
from report.order import take
from report.paths import MORE_FILES
from report.sums import FIRST, LAST, summed
from report.things import UNKNOWN, Kind

__all__ = ("UNKNOWN", "FileTotals", "files_of")

_SUMMED = ("opens", "reads", "writes", "read_bytes", "written_bytes", "errors", "time_ns", "mapped_bytes")
_COLUMNS = (*_SUMMED, FIRST, LAST)  # as the first fields of a row are
_UNUSED = (0,) * len(_SUMMED)
_PIDS_KEPT = 16
_LIVES_SHOWN = 16  # of files that were deleted, under one path
_MOST_TEXT = 1 << 28  # characters of all paths together: folders in folders can be deeper than any path that a call takes
_NO_DEVICES = ("/dev/shm/", "/dev/mqueue/", "/dev/hugepages/")


@dataclass  # not frozen: that takes twice the time to make, and there may be a million
class FileTotals:
    """What the records say about one file. Times are ns after the start of the session; None is what is not known."""

    path: str  # its last one
    opens: int  # that succeeded
    reads: int  # calls, failed ones among them
    writes: int
    read_bytes: int
    written_bytes: int
    errors: int  # failed opens, reads and writes
    time_ns: int = 0  # in opens, reads and writes
    mapped_bytes: int = 0  # length of its mappings
    first_ns: int | None = None  # when it was first opened, read or written
    last_ns: int | None = None  # when that was last over
    pids: tuple[int, ...] = ()  # of processes that did; at most 16
    created: bool = False  # in the session
    deleted: bool = False
    was: tuple[str, ...] = ()  # its paths before renames, oldest first; the last four
    namespace: int = 0  # which mount namespace the path is in; 0 is the first
    kind: str = "file"  # folder, device, link, pipe, socket, memfd, unknown


def files_of(activity: Activity) -> tuple[FileTotals, ...]:
    """Every file that was opened, read, written, made, renamed or deleted, by bytes moved, then by calls."""
    descriptors = activity.descriptors
    sums, pids = _sums(activity), _pids(activity)
    rows: list[FileTotals] = []
    merged: dict[tuple[str, int], FileTotals] = {}
    lives: dict[tuple[str, int], int] = {}
    text = 0
    for index, file in enumerate(descriptors.files):
        used, was = sums.get(index), descriptors.was(index)
        if not (used or file.created or file.deleted or was):
            continue
        path = UNKNOWN if not index else descriptors.path(index) if text < _MOST_TEXT else MORE_FILES
        text += len(path)
        numbers = dict(zip(_COLUMNS, used or _UNUSED))
        row = FileTotals(path=path, **numbers, pids=pids.get(index, ()), created=file.created, deleted=file.deleted, was=was,
                         namespace=descriptors.namespace(index), kind=_kind(file.kind, path))
        key = path, row.namespace
        if file.deleted:
            lives[key] = lives.get(key, 0) + 1
        if path == MORE_FILES or (lives and lives.get(key, 0) > _LIVES_SHOWN):
            merged[key] = _together(merged[key], row) if key in merged else row
        else:
            rows.append(row)
    rows += merged.values()
    rows.sort(key=lambda row: (-row.read_bytes - row.written_bytes, -row.reads - row.writes - row.opens - row.errors, row.path))
    return tuple(rows)


def _sums(activity: Activity) -> dict[int, tuple[int, ...]]:
    """The sums of all processes, by index of the file, in the order of _COLUMNS."""
    rows, files = _of_files(activity)
    return summed(files, take(activity.uses, rows), _COLUMNS)


def _pids(activity: Activity) -> dict[int, tuple[int, ...]]:
    """The pids of the processes that used each file; most files have the same few."""
    rows, files = _of_files(activity)
    procs = activity.uses["proc"][rows]
    order = np.lexsort((procs, files))
    different, firsts = np.unique(files[order], return_index=True)
    ordered = procs[order].tolist()
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    found = {}
    for file, first, end in zip(different.tolist(), firsts.tolist(), [*firsts[1:].tolist(), len(ordered)]):
        some = tuple(ordered[first:min(end, first + _PIDS_KEPT)])
        if some not in shared:
            shared[some] = tuple(sorted({activity.pids[proc] for proc in some if proc in activity.pids}))
        found[file] = shared[some]
    return found


def _of_files(activity: Activity) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Which rows of the uses are of files, or of what nobody knows, and of which."""
    file_of = np.array([thing.file if thing.file or thing.kind is Kind.UNKNOWN else -1 for thing in activity.things], np.int64)
    files = file_of[activity.uses["thing"]]
    rows = np.flatnonzero(files >= 0)
    return rows, files[rows]


def _together(one: FileTotals, other: FileTotals) -> FileTotals:
    """Two files in one row."""
    firsts = [row.first_ns for row in (one, other) if row.first_ns is not None]
    lasts = [row.last_ns for row in (one, other) if row.last_ns is not None]
    return replace(
        one, **{field: getattr(one, field) + getattr(other, field) for field in _SUMMED}, first_ns=min(firsts, default=None),
        last_ns=max(lasts, default=None), pids=tuple(sorted({*one.pids, *other.pids})[:_PIDS_KEPT]), created=one.created or other.created)


def _kind(kind: str, path: str) -> str:
    if kind == "file" and path.startswith("/dev/") and not path.startswith(_NO_DEVICES):
        return "device"
    return kind
