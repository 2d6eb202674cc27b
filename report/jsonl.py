"""`ebtrace export --to jsonl`: one JSON object a line, all events of a session in the order of their start.

    {"type":"session", ...}           first: the `session` of `ebtrace stats --json`
    {"type":"syscall","ts_ns":1200,"pid":7,"tid":7,"name":"openat","args":{"dirfd":-100,"path":"/etc/passwd","flags":0,"mode":0},
     "ret":-2,"error":"ENOENT","duration_ns":1830}
    {"type":"syscall","ts_ns":3900,"pid":7,"tid":7,"name":"read","args":{"fd":3,"buf":"0x7f10","count":4096},"ret":13,"error":null,
     "duration_ns":420,"names":{"fd":"/etc/hosts"}}
    {"type":"fork", ...}              also thread, found, exec, exit
    {"type":"http", ...}              an exchange, with headers and bodies (those that are no text as "..._base64")
    {"type":"llm", ...}               after it, the call of a language model that it was: the `llm` of `ebtrace stats --json`
    {"type":"ledger", ...}            last: every lane's account, so that a reader knows what is missing

Times are ns after the start of the session. A syscall may also have "unfinished", "untimed", "unreadable", "execed", "created", each
only when true; what is not known (the result of a call that never returned, a string that was lost) is null. ``names`` says what the
descriptors among the arguments stood for when the call began, and the one in ``ret`` when it returned.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any

import numpy as np

from report.callines import CallLines
from report.exchanges import read_exchanges
from report.ledger import ledger_of, rows_held
from report.moments import sockets_of
from report.naming import Naming
from report.order import take
from report.processes import exit_status, lifecycle, processes_of, rows_of
from report.strings import Strings
from report.syscalls import calls_by_process
from report.text import as_json
from report.totals import session_facts
from report.types import Columns
from report.weblines import Line, web_lines
from tracer.kinds import LifeKind
from tracer.session.reader import Session

__all__ = ("json_lines",)

_LINES_AT_ONCE = 1 << 14
_OTHERS_AT_ONCE = 1 << 8  # each may be as long as two bodies
_LIFE_KINDS = frozenset(map(int, LifeKind))


def json_lines(session: Session) -> Iterator[str]:
    """The whole export, in pieces of many lines."""
    strings = Strings(session)
    records = lifecycle(session)
    calls = calls_by_process(session)
    exchanges = read_exchanges(session)
    held = rows_held(session)
    session.check()
    processes = processes_of(session, strings, records, calls)
    facts = session_facts(session, processes, calls)
    yield _line({"type": "session", **vars(facts), "problems": (*facts.problems, *exchanges.problems)})
    naming = Naming(session, strings, records, sockets_of(session))
    lines_of = CallLines(session, strings, naming, dict(zip(records["proc"].tolist(), records["tgid"].tolist(), strict=True)))
    origin = int(session.meta["started_ns"])
    others = _Others(records, strings, web_lines(exchanges.told, processes, origin), origin)
    for window in naming.windows():
        for first in range(0, len(window["key"]), _LINES_AT_ONCE):
            part = take(window, slice(first, first + _LINES_AT_ONCE))
            lines = lines_of.lines(part)
            yield "".join(_merged(lines, others.upto(int(part["key"][-1])), part["key"].tolist()))
    rest = others.upto(None)
    while piece := "".join(line for _, line in islice(rest, _OTHERS_AT_ONCE)):
        yield piece
    lanes = {lane: vars(account) for lane, account in ledger_of(session, held).items()}
    yield _line({"type": "ledger", "complete": facts.complete, "lanes": lanes})


def _line(value: dict[str, Any]) -> str:
    return as_json(value) + "\n"


class _Others:
    """The lines that are no calls, in the order of time."""

    def __init__(self, records: Columns, strings: Strings, web: list[Line], origin: int) -> None:
        self._records, self._strings, self._web, self._origin = records, strings, web, origin
        self._told = self._web_told = 0

    def upto(self, at_ns: int | None) -> Iterator[tuple[int, str]]:
        """The next ones, up to this moment or to the end, with their times."""
        life = len(self._records["at_ns"]) if at_ns is None else int(np.searchsorted(self._records["at_ns"], at_ns, "right"))
        web = len(self._web) if at_ns is None else bisect_right(self._web, at_ns, key=lambda line: line[0])
        records, lines = take(self._records, slice(self._told, life)), self._web[self._web_told:web]
        self._told, self._web_told = life, web
        return merge(zip(records["at_ns"].tolist(), _life_lines(records, self._strings, self._origin), strict=True),
                     ((at, line()) for at, line in lines), key=lambda other: other[0])


def _merged(lines: list[str], others: Iterable[tuple[int, str]], times: list[int]) -> Iterator[str]:
    """The lines of calls, with the others before those that begin no earlier."""
    done = 0
    for at_ns, other in others:
        place = bisect_left(times, at_ns, done)
        yield from lines[done:place]
        yield other
        done = place
    yield from lines[done:]


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
