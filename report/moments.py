"""Calls, lifecycle records and socket records in one stream, in the order in which they change what descriptors stand for.

A call that gives something a name has done so when it returns; one that takes a name away, or only uses one, counts from when it
begins. Records of other kinds pass among the calls under the numbers after the last call's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from report.order import in_order, take
from report.types import Columns
from tracer.kinds import LifeKind, SocketKind
from tracer.records import SYSNO_LIMIT
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("LIFE", "NUMBERS", "OTHER", "SOCKET", "is_failed", "sockets_of", "windows")

LIFE = SYSNO_LIMIT       # and the kind of a lifecycle record
SOCKET = SYSNO_LIMIT + 16  # and the kind of a socket record
OTHER = SYSNO_LIMIT + 31   # calls with numbers beyond all that are known
NUMBERS = SYSNO_LIMIT + 32

_LIFE_KINDS = (LifeKind.FORK, LifeKind.FOUND, LifeKind.EXEC, LifeKind.EXIT)
_SOCKET_KINDS = (SocketKind.BOUND, SocketKind.PASSED, SocketKind.HANDED)
_LOOK_UP_FAILED = -2  # ENOENT


def is_failed(results: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which results are errors, as the kernel tells them."""
    failed: NDArray[np.bool_] = (results < 0) & (results >= -4095)
    return failed


def sockets_of(session: Session) -> Columns:
    """All socket records in the order of time; without columns if there are none."""
    tables = list(session.tables(BlockKind.SOCKETS))
    if not tables:
        return {}
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return take(columns, np.argsort(columns["at_ns"], kind="stable"))


def windows(session: Session, wanted: NDArray[np.bool_], at_return: NDArray[np.bool_], looked_up: NDArray[np.bool_], lifecycle: Columns,
            sockets: Columns, twice: bool = False, idle: bool = False) -> Iterator[Columns]:
    """All moments in windows, sorted by ``key`` (ns). The arrays say by number: which calls to pass; which of them count from their
    return; which only if they failed for want of a file.

    Rows where ``acts`` is set change something or are used; with ``twice`` those that count from their return also come when they
    begin, with ``acts`` unset, and with ``idle`` those come so that would only matter had they failed. ``call`` is the number as it was
    recorded, ``place`` that of the record in the file. ``lifecycle`` and ``sockets`` are in the order of time.
    """
    def blocks() -> Iterable[Columns]:
        before = 0
        for table in session.tables(BlockKind.SYSCALLS):
            sysno = np.where(table["sysno"] < SYSNO_LIMIT, table["sysno"], np.uint16(OTHER))
            places = np.arange(before, before + len(sysno), dtype=np.uint64)
            before += len(sysno)
            told = wanted[sysno] & (~looked_up[sysno] | (table["ret"] == _LOOK_UP_FAILED) | twice | idle)
            rows = take({**table, "sysno": sysno, "call": table["sysno"], "place": places}, told)
            arrival = rows["start_ns"] + rows["duration_ns"]
            returns = at_return[rows["sysno"]]
            acts = ~looked_up[rows["sysno"]] | (rows["ret"] == _LOOK_UP_FAILED)
            calls = {**rows, "key": np.where(returns, arrival, rows["start_ns"]), "arrival": arrival, "acts": acts}
            if twice:
                begun = {**take(calls, returns), "key": rows["start_ns"][returns], "acts": np.zeros(int(returns.sum()), np.bool_)}
                calls = {name: np.concatenate([column, begun[name]]) for name, column in calls.items()}
            yield calls

    return _merged(in_order(blocks), _of_life(lifecycle), _of_sockets(sockets))


def _of_life(records: Columns) -> Columns:
    kinds = records["kind"]
    rows = take(records, np.isin(kinds, _LIFE_KINDS) & ((kinds != LifeKind.EXIT) | (records["process_ended"] != 0)))
    return {"key": rows["at_ns"], "sysno": rows["kind"].astype(np.uint32) + np.uint32(LIFE), "proc": rows["proc"],
            "ret": rows["tgid"].astype(np.int64), "a0": rows["parent_proc"], "a1": rows["shares"], "a2": rows["filename_id"]}


def _of_sockets(records: Columns) -> Columns:
    if not records:
        return {name: np.zeros(0, np.uint64) for name in ("key", "sysno", "proc", "a0")}
    rows = np.flatnonzero(np.isin(records["kind"], _SOCKET_KINDS))
    some = take(records, rows)
    return {"key": some["at_ns"], "sysno": some["kind"] + np.uint32(SOCKET), "proc": some["proc"], "a0": rows}


def _merged(calls: Iterator[Columns], life: Columns, sockets: Columns) -> Iterator[Columns]:
    """Of the same moment lives come first, then calls, then sockets: those are told when the call is over."""
    taken = [0, 0]
    for window in calls:
        last = window["key"][-1]
        upto = [int(np.searchsorted(life["key"], last, "right")), int(np.searchsorted(sockets["key"], last, "left"))]
        births, ends = (_like(take(part, slice(first, end))) for part, first, end in zip((life, sockets), taken, upto, strict=True))
        taken = upto
        yield _sorted([births, window, ends]) if len(births["key"]) + len(ends["key"]) else window
    rest = [_like(take(part, slice(first, None))) for part, first in zip((life, sockets), taken, strict=True)]
    if any(len(part["key"]) for part in rest):
        yield _sorted(rest)


_TYPES = {"key": np.uint64, "place": np.uint64, "call": np.uint16, "sysno": np.uint16, "flags": np.uint8, "proc": np.uint32, "tid": np.uint32,
          "ret": np.int64, "a0": np.uint64, "a1": np.uint64, "a2": np.uint64, "start_ns": np.uint64, "duration_ns": np.uint64,
          "arrival": np.uint64, "acts": np.bool_}


def _like(part: Columns) -> Columns:
    """Records of another kind with the columns that calls have."""
    rows = len(part["key"])
    some: Columns = {name: part[name].astype(kind) if name in part else np.zeros(rows, kind) for name, kind in _TYPES.items()}
    return {**some, "start_ns": some["key"], "arrival": some["key"], "acts": np.ones(rows, np.bool_)}


def _sorted(parts: list[Columns]) -> Columns:
    rows = {name: np.concatenate([part[name] for part in parts]) for name in _TYPES}
    return take(rows, np.argsort(rows["key"], kind="stable"))
