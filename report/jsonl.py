"""`ebtrace export --to jsonl`: one JSON object a line, all events of a session in the order of their start.

    {"type":"session", ...}           first: the `session` of `ebtrace stats --json`
    {"type":"syscall","ts_ns":1200,"pid":7,"tid":7,"name":"openat","args":{"dirfd":-100,"path":"/etc/passwd","flags":0,"mode":0},
     "ret":-2,"error":"ENOENT","duration_ns":1830}
    {"type":"fork", ...}              also thread, found, exec, exit
    {"type":"ledger", ...}            last: every lane's account, so that a reader knows what is missing

Times are ns after the start of the session. A syscall may also have "unfinished", "untimed", "unreadable", "execed", "created", each
only when true; what is not known (the result of a call that never returned, a string that was lost) is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.calls import arch_of, arguments, call_name
from report.ledger import ledger_of, rows_held
from report.order import in_order, take
from report.processes import exit_status, lifecycle, processes_of, rows_of
from report.selection import selected
from report.strings import Strings
from report.syscalls import calls_by_process
from report.text import as_json
from report.totals import session_facts
from report.types import Columns
from tracer.records import SYSNO_LIMIT, CallFlag, LifeKind
from tracer.session.format import BlockKind
from tracer.session.reader import Session
from tracer.syscalls.errnos import errno_name
from tracer.syscalls.signatures import STRINGS, execed

__all__ = ("json_lines",)

_LINES_AT_ONCE = 1 << 14
_ADDRESSES = ("address", "pointer")
_TEXTS_KEPT = 1 << 16  # strings in the form of JSON; most calls name few
_LIFE_KINDS = frozenset(map(int, LifeKind))
_SHOWN_FLAGS = {"unfinished": CallFlag.UNFINISHED, "untimed": CallFlag.UNTIMED, "unreadable": CallFlag.UNREADABLE}


def json_lines(session: Session) -> Iterator[str]:
    """The whole export, in pieces of many lines."""
    strings = Strings(session)
    records = lifecycle(session)
    calls = calls_by_process(session)
    held = rows_held(session)
    session.check()
    facts = session_facts(session, processes_of(session, strings, records, calls), calls)
    yield _line({"type": "session", **vars(facts)})
    formatter = _Formatter(session, strings, dict(zip(records["proc"].tolist(), records["tgid"].tolist(), strict=True)))
    origin = int(session.meta["started_ns"])
    told = 0
    for window in in_order(lambda: _blocks(session)):
        for first in range(0, len(window["key"]), _LINES_AT_ONCE):
            part = take(window, slice(first, first + _LINES_AT_ONCE))
            lines = formatter.lines(part)
            upto = int(np.searchsorted(records["at_ns"], part["key"][-1], "right"))
            life = take(records, slice(told, upto))
            yield "".join(_merged(lines, _life_lines(life, strings, origin), np.searchsorted(part["key"], life["at_ns"]).tolist()))
            told = upto
    yield "".join(_life_lines(take(records, slice(told, None)), strings, origin))
    lanes = {lane: vars(account) for lane, account in ledger_of(session, held).items()}
    yield _line({"type": "ledger", "complete": facts.complete, "lanes": lanes})


def _line(value: dict[str, Any]) -> str:
    return as_json(value) + "\n"


def _merged(lines: list[str], others: Iterable[str], places: list[int]) -> Iterator[str]:
    """The lines, with the others before the lines at these places."""
    done = 0
    for other, place in zip(others, places, strict=True):
        yield from lines[done:place]
        yield other
        done = place
    yield from lines[done:]


def _blocks(session: Session) -> Iterable[Columns]:
    asked = selected(session)
    for table in session.tables(BlockKind.SYSCALLS):
        rows = take(table, asked[np.minimum(table["sysno"], SYSNO_LIMIT)])
        yield {**rows, "key": rows["start_ns"], "arrival": rows["start_ns"] + rows["duration_ns"]}


class _Formatter:
    """Makes lines of records, all records of one call and with the same flags at a time."""

    def __init__(self, session: Session, strings: Strings, pids: dict[int, int]) -> None:
        self._arch = arch_of(session)
        self._origin = np.int64(session.meta["started_ns"])
        self._strings = strings
        self._pids = pids
        self._texts: dict[int, str] = {}

    def lines(self, calls: Columns) -> list[str]:
        """One line for each row, in their order."""
        lines = np.empty(len(calls["key"]), object)
        kinds = calls["sysno"].astype(np.uint32) << np.uint32(8) | calls["flags"]
        for kind in np.unique(kinds).tolist():
            rows = np.flatnonzero(kinds == kind)
            lines[rows] = self._like(take(calls, rows), kind >> 8, CallFlag(kind & 0xF))
        found: list[str] = lines.tolist()
        return found

    def _like(self, calls: Columns, sysno: int, flags: CallFlag) -> list[str]:
        names, values = self._arguments(calls, sysno, flags)
        given = ",".join(f"{as_json(name)}:{form}" for name, form in names)
        special = {"execed" if execed(self._arch, sysno, flags) else "created": CallFlag.CREATED}
        shown = "".join(f',"{name}":true' for name, flag in (_SHOWN_FLAGS | special).items() if flags & flag)
        form = (f'{{"type":"syscall","ts_ns":%d,"pid":%s,"tid":%d,"name":{as_json(call_name(self._arch, sysno))},"args":{{{given}}},'
                f'"ret":%s,"error":%s,"duration_ns":%s{shown}%s}}\n')
        known = self._pids
        pids = [known.get(proc, "null") for proc in calls["proc"].tolist()]
        cuts = self._cuts(calls, sysno, flags)
        durations = ["null"] * len(pids) if flags & CallFlag.UNTIMED else calls["duration_ns"].tolist()
        results = ["null"] * len(pids) if flags & CallFlag.UNFINISHED else calls["ret"].tolist()
        errors = _errors(calls["ret"]) if not flags & CallFlag.UNFINISHED else results
        times = (calls["start_ns"].view(np.int64) - self._origin).tolist()
        return list(map(form.__mod__, zip(times, pids, calls["tid"].tolist(), *values, results, errors, durations, cuts, strict=True)))

    def _arguments(self, calls: Columns, sysno: int, flags: CallFlag) -> tuple[list[tuple[str, str]], list[list[Any]]]:
        """Name and form of every argument, and its values."""
        if execed(self._arch, sysno, flags):
            argv = [as_json(list(words)) if state in ("whole", "cut") else "null" for words, state in map(self._strings.words, calls["a1"].tolist())]
            return [("path", "%s"), ("argv", "%s")], [self._quoted(calls["a0"]), argv]
        names, values = [], []
        for argument in arguments(self._arch, sysno):
            column = argument.of(calls)
            is_string = argument.kind in STRINGS
            names.append((argument.name, "%s" if is_string else '"0x%x"' if argument.kind in _ADDRESSES else "%d"))
            values.append(self._quoted(column) if is_string else column.tolist())
        return names, values

    def _cuts(self, calls: Columns, sysno: int, flags: CallFlag) -> list[str]:
        """What marks a call with a string that is longer than what was kept of it."""
        slots = ["a0", "a1"] if execed(self._arch, sysno, flags) else [a.slot for a in arguments(self._arch, sysno) if a.kind in STRINGS]
        is_cut = self._strings.is_cut
        if not slots:
            return [""] * len(calls["key"])
        return [',"cut":true' if any(map(is_cut, ids)) else "" for ids in zip(*(calls[slot].tolist() for slot in slots), strict=True)]

    def _quoted(self, ids: NDArray[np.uint64]) -> list[str]:
        texts = self._texts
        wanted = ids.tolist()
        if len(texts) > _TEXTS_KEPT:
            texts.clear()
        for number in set(wanted) - texts.keys():
            texts[number] = as_json(self._strings.text(number))
        return [texts[number] for number in wanted]


def _errors(results: NDArray[np.int64]) -> list[str]:
    names: list[str] = ["null"] * len(results)
    for row in np.flatnonzero((results < 0) & (results >= -4095)).tolist():
        names[row] = f'"{errno_name(-int(results[row]))}"'
    return names


def _life_lines(records: Columns, strings: Strings, origin: int) -> Iterator[str]:
    for row in rows_of(records):
        kind = row["kind"]
        name = LifeKind(kind).name.lower() if kind in _LIFE_KINDS else f"lifecycle_{kind}"
        event = {"type": name, "ts_ns": row["at_ns"] - origin, "pid": row["tgid"], "tid": row["tid"]}
        if kind in (LifeKind.FORK, LifeKind.FOUND):
            event |= {"ppid": row["parent_tgid"], "started_ns": row["start_ns"] - origin, "uid": row["uid"], "euid": row["euid"], "gid": row["gid"]}
        elif kind == LifeKind.EXEC:
            words, state = strings.words(row["argv_id"])
            event |= {"file": strings.text(row["filename_id"]), "interpreter": strings.text(row["interp_id"]), "argv": words, "argv_state": state,
                      "uid": row["uid"], "euid": row["euid"], "gid": row["gid"], "old_tid": row["old_tid"]}
        elif kind == LifeKind.EXIT:
            event |= {"exit_status": exit_status(row["exit_code"]), "process_ended": bool(row["process_ended"]), "cpu_ns": row["cpu_ns"]}
            if row["process_ended"]:
                event["peak_rss_bytes"] = row["peak_rss_bytes"]
        yield _line({**event, "comm": row["comm"].decode("utf-8", "surrogateescape")})
