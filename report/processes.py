"""Processes rebuilt from lifecycle records: who started whom, what they ran, how they ended.

A process is known by the number the probes gave it (``proc``), never by its pid: pids are used again.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from report.plain import entries, integer, text, words
from report.samples import highest
from report.strings import Strings
from report.titles import title
from report.types import Columns
from tracer.kinds import LifeKind
from tracer.records import LIFECYCLE_FIELDS
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Folders", "Process", "exit_signal", "exit_status", "lifecycle", "processes_of", "rows_of")


@dataclass
class Process:
    """One process. Times are ns after the start of the session: negative for what began before it.

    It changes while the records of its life pass, and is left alone after that: new ones in the place of changed ones would take four
    times as long.
    """

    proc: int  # our number, unique in the session
    pid: int | None = None  # None: it made calls, but the record of its birth was lost
    ppid: int | None = None
    parent: int = 0  # our number of the parent; 0: not traced
    argv: tuple[str, ...] = ()  # of its last exec; before its first, its parent's
    argv_state: str = "unknown"  # whole, cut (longer than what is kept), lost, unknown
    exe: str | None = None  # the file that was executed; as exec was given it, if it is not known from where that counts
    interp: str | None = None  # what runs it, if it is a script
    title: str = "?"  # what a person calls it
    cwd: str | None = None  # its folder at the last; where it began, if its changes are not told
    comm: str = ""
    uid: int | None = None
    started_ns: int | None = None
    ended_ns: int | None = None  # None: not seen to end
    lifetime_ns: int | None = None
    exit_status: int | None = None  # as a shell says it: 128 + N for signal N
    signal: str | None = None  # that ended it
    calls: int = 0
    cpu_ns: int | None = None  # at its end, or when it was last looked at; the same goes for the peak
    peak_rss_bytes: int | None = None
    threads: int = 0  # that ever ran in it
    execs: int = 0


class Folders(NamedTuple):
    """Which folders processes were in, as their calls tell; None, like a process that is missing, is one that nobody can know."""

    at_exec: Mapping[tuple[int, int], str | None]  # by our number of the process and at_ns of the exec's record
    last: Mapping[int, str | None]


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


def exit_signal(exit_code: int) -> str | None:
    """The name of the signal that ended a process, from what wait(2) would say; None if it exited."""
    number = exit_code & 0x7F
    if not number:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if signal.SIGRTMIN < number < signal.SIGRTMAX else f"signal {number}"


def processes_of(session: Session, strings: Strings, records: Columns, calls: Mapping[int, int],
                 folders: Folders | None = None) -> tuple[Process, ...]:
    """Every process in the order of its birth, from lifecycle records in the order of time; ``calls`` is how many each made."""
    family = _Family(session, strings, folders)
    for row in rows_of(records):
        family.take(row)
    for proc in calls:
        if proc and proc not in family.known:
            family.known[proc] = Process(proc)
    ends = {proc: process.ended_ns for proc, process in family.known.items() if process.ended_ns is not None}
    sampled = highest(session, ends)
    for proc, process in family.known.items():
        process.calls = calls.get(proc, 0)
        if folders:
            process.cwd = folders.last.get(proc)
        if process.started_ns is not None and process.ended_ns is not None:
            process.lifetime_ns = max(process.ended_ns - process.started_ns, 0)
        if proc in sampled:  # what was once seen is the least there was
            cpu_ns, peak = sampled[proc]
            process.cpu_ns = max(process.cpu_ns or 0, cpu_ns)
            process.peak_rss_bytes = max(process.peak_rss_bytes or 0, peak) or None
    return tuple(family.known.values())


class _Family:
    """The processes known so far, changed by one lifecycle record after the other."""

    def __init__(self, session: Session, strings: Strings, folders: Folders | None) -> None:
        self.known: dict[int, Process] = {}
        self._strings = strings
        self._folders = folders
        meta = session.meta
        self._origin = int(meta["started_ns"])
        self._first = (meta["pid"], meta["cwd"] or None) if meta["kind"] == "run" else (None, None)
        # What /proc said when the tracer attached: for programs that were started before.
        self._found = {integer(found.get("pid")): found for found in entries(session, BlockKind.SNAPSHOT, "processes")}

    def take(self, row: dict[str, Any]) -> None:
        process = self.known.setdefault(row["proc"], Process(row["proc"]))
        process.pid, process.uid = row["tgid"], row["uid"]
        if row["tid"] == row["tgid"]:  # other threads may bear names of their own
            process.comm = row["comm"].decode("utf-8", "surrogateescape")
        kind = row["kind"]
        if kind == LifeKind.FORK:
            self._fork(process, row)
        elif kind == LifeKind.FOUND:
            self._adopt(process, row)
        elif kind == LifeKind.THREAD:
            process.threads += 1
        elif kind == LifeKind.EXEC:
            self._exec(process, row)
        elif kind == LifeKind.EXIT and row["process_ended"]:
            # Threads that end together may each be told as the last one: the latest is.
            process.ended_ns = row["at_ns"] - self._origin
            process.exit_status, process.signal = exit_status(row["exit_code"]), exit_signal(row["exit_code"])
            process.cpu_ns, process.peak_rss_bytes = row["cpu_ns"], row["peak_rss_bytes"]
        if process.title == "?":
            process.title = process.comm or "?"

    def _fork(self, child: Process, row: dict[str, Any]) -> None:
        child.ppid, child.parent, child.started_ns, child.threads = row["parent_tgid"], row["parent_proc"], self._start(row), 1
        parent = self.known.get(row["parent_proc"], Process(0))
        child.argv, child.argv_state, child.exe, child.interp = parent.argv, parent.argv_state, parent.exe, parent.interp
        child.title, child.cwd = parent.title, parent.cwd

    def _exec(self, process: Process, row: dict[str, Any]) -> None:
        process.argv, process.argv_state = self._strings.words(row["argv_id"])
        exe = self._strings.text(row["filename_id"])
        interp = self._strings.text(row["interp_id"]) if row["interp_id"] != row["filename_id"] else None
        process.title = title(process.argv, exe, interp, process.comm)
        folder = self._folders.at_exec.get((process.proc, row["at_ns"])) if self._folders else None
        process.exe, process.interp = _absolute(folder, exe), _absolute(folder, interp)
        process.execs += 1
        process.threads = max(process.threads, 1)

    def _adopt(self, process: Process, row: dict[str, Any]) -> None:
        start = self._start(row)
        process.threads += 1
        process.started_ns = start if process.started_ns is None else min(process.started_ns, start)
        if process.execs:  # a thread told late: what /proc said has been replaced
            return
        found = self._found.get(row["tgid"], {})
        process.ppid, process.parent = row["parent_tgid"], row["parent_proc"]
        process.argv, process.exe = words(found.get("argv")), text(found.get("exe")) or None
        process.argv_state = "whole" if process.argv else "unknown"
        process.title = title(process.argv, process.exe, None, process.comm)
        pid, folder = self._first
        process.cwd = text(found.get("cwd")) or (folder if row["tgid"] == pid else None)

    def _start(self, row: dict[str, Any]) -> int:
        return int(row["start_ns"] or row["at_ns"]) - self._origin


def _absolute(folder: str | None, path: str | None) -> str | None:
    """The path from the root, if it is known what it is relative to."""
    if not path or path.startswith("/") or not folder:
        return path
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return f"{folder.rstrip('/')}/{path}"
