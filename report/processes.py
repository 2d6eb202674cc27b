"""Processes rebuilt from lifecycle records: who started whom, what they ran, how they ended.

A process is known by the number the probes gave it (``proc``), never by its pid: pids are used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from report.plain import entries, integer, text, words
from report.strings import Strings
from report.types import Columns
from tracer.records import LIFECYCLE_FIELDS, LifeKind
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Process", "exit_status", "lifecycle", "processes_of", "rows_of")


@dataclass(frozen=True)
class Process:
    """One process. Times are ns after the start of the session: negative for what began before it."""

    proc: int  # our number, unique in the session
    pid: int | None = None  # None: it made calls, but the record of its birth was lost
    ppid: int | None = None
    parent: int = 0  # our number of the parent; 0: not traced
    argv: tuple[str, ...] = ()  # of its last exec; before its first, its parent's
    argv_state: str = "unknown"  # whole, cut (longer than what is kept), lost, unknown
    exe: str | None = None  # the file as exec was given it
    comm: str = ""
    uid: int | None = None
    started_ns: int | None = None
    ended_ns: int | None = None  # None: not seen to end
    exit_status: int | None = None  # as a shell says it: 128 + N for signal N
    calls: int = 0
    cpu_ns: int | None = None  # known at its end, like the peak
    peak_rss_bytes: int | None = None
    threads: int = 0  # that ever ran in it
    execs: int = 0


def lifecycle(session: Session) -> Columns:
    """All lifecycle records in the order of time; what happened at the same moment, births first."""
    tables = list(session.tables(BlockKind.LIFECYCLE))
    names = [str(field[0]) for field in LIFECYCLE_FIELDS]
    if not tables:
        return {name: np.zeros(0, "S16" if name == "comm" else np.uint64) for name in names}
    columns = {name: np.concatenate([table[name] for table in tables]) for name in names}
    order = np.lexsort((columns["kind"], columns["at_ns"]))
    return {name: column[order] for name, column in columns.items()}


def rows_of(columns: Columns) -> Iterator[dict[str, Any]]:
    """The rows of a table as plain Python values."""
    names = list(columns)
    for values in zip(*(column.tolist() for column in columns.values()), strict=True):
        yield dict(zip(names, values, strict=True))


def exit_status(exit_code: int) -> int:
    """What a shell's ``$?`` would be, from what wait(2) would say."""
    signal = exit_code & 0x7F
    return 128 + signal if signal else exit_code >> 8 & 0xFF


def processes_of(session: Session, strings: Strings, records: Columns, calls: Mapping[int, int]) -> tuple[Process, ...]:
    """Every process in the order of its birth, from lifecycle records in the order of time; ``calls`` is how many each made."""
    family = _Family(session, strings)
    for row in rows_of(records):
        family.take(row)
    for proc in calls:
        if proc and proc not in family.known:
            family.known[proc] = Process(proc)
    return tuple(replace(process, calls=calls.get(proc, 0)) for proc, process in family.known.items())


class _Family:
    """The processes known so far, changed by one lifecycle record after the other."""

    def __init__(self, session: Session, strings: Strings) -> None:
        self.known: dict[int, Process] = {}
        self._strings = strings
        self._origin = int(session.meta["started_ns"])
        # What /proc said when the tracer attached: for programs that were started before.
        self._found = {integer(found.get("pid")): found for found in entries(session, BlockKind.SNAPSHOT, "processes")}

    def take(self, row: dict[str, Any]) -> None:
        process = replace(self.known.get(row["proc"], Process(row["proc"])), pid=row["tgid"], uid=row["uid"])
        if row["tid"] == row["tgid"]:  # other threads may bear names of their own
            process = replace(process, comm=row["comm"].decode("utf-8", "surrogateescape"))
        kind = row["kind"]
        if kind == LifeKind.FORK:
            process = self._forked(process, row)
        elif kind == LifeKind.FOUND:
            process = self._adopted(process, row)
        elif kind == LifeKind.THREAD:
            process = replace(process, threads=process.threads + 1)
        elif kind == LifeKind.EXEC:
            argv, state = self._strings.words(row["argv_id"])
            exe = self._strings.text(row["filename_id"])
            process = replace(process, argv=argv, argv_state=state, exe=exe, execs=process.execs + 1, threads=max(process.threads, 1))
        elif kind == LifeKind.EXIT and row["process_ended"]:
            # Threads that end together may each be told as the last one: the latest is.
            process = replace(process, ended_ns=row["at_ns"] - self._origin, exit_status=exit_status(row["exit_code"]),
                              cpu_ns=row["cpu_ns"], peak_rss_bytes=row["peak_rss_bytes"])
        self.known[row["proc"]] = process

    def _forked(self, child: Process, row: dict[str, Any]) -> Process:
        parent = self.known.get(row["parent_proc"], Process(0))
        return replace(child, ppid=row["parent_tgid"], parent=row["parent_proc"], argv=parent.argv, argv_state=parent.argv_state,
                       exe=parent.exe, threads=1, started_ns=self._start(row))

    def _adopted(self, process: Process, row: dict[str, Any]) -> Process:
        start = self._start(row)
        process = replace(process, threads=process.threads + 1, started_ns=start if process.started_ns is None else min(process.started_ns, start))
        if process.execs:  # a thread told late: what /proc said has been replaced
            return process
        found = self._found.get(row["tgid"], {})
        argv = words(found.get("argv"))
        return replace(process, ppid=row["parent_tgid"], parent=row["parent_proc"], argv=argv, argv_state="whole" if argv else "unknown",
                       exe=text(found.get("exe")) or None)

    def _start(self, row: dict[str, Any]) -> int:
        return int(row["start_ns"] or row["at_ns"]) - self._origin
