"""One line of JSON for each system call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.addresses import sockaddr
from report.calls import arch_of, arguments, call_name
from report.naming import Naming
from report.order import take
from report.strings import Strings
from report.text import as_json
from report.types import Columns
from tracer.kinds import CallFlag
from tracer.session.reader import Session
from tracer.syscalls.errnos import errno_name
from tracer.syscalls.signatures import STRINGS, execed

__all__ = ("CallLines",)

_ADDRESSES = ("address", "pointer")
_TEXTS_KEPT = 1 << 16  # strings in the form of JSON; most calls name few
_SHOWN_FLAGS = {"unfinished": CallFlag.UNFINISHED, "untimed": CallFlag.UNTIMED, "unreadable": CallFlag.UNREADABLE}


class CallLines:
    """Makes lines of records, all records of one call and with the same flags at a time."""

    def __init__(self, session: Session, strings: Strings, naming: Naming, pids: dict[int, int]) -> None:
        self._arch = arch_of(session)
        self._origin = np.int64(session.meta["started_ns"])
        self._strings = strings
        self._naming = naming
        self._pids = pids
        self._texts: dict[int, str] = {}
        self._labels: dict[int, str] = {}

    def lines(self, calls: Columns) -> list[str]:
        """One line for each row, in their order."""
        lines = np.empty(len(calls["key"]), object)
        self._labels.clear()  # files get other names
        kinds = calls["call"].astype(np.uint32) << np.uint32(8) | calls["flags"]
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
                f'"ret":%s,"error":%s,"duration_ns":%s{shown}%s%s}}\n')
        known = self._pids
        pids = [known.get(proc, "null") for proc in calls["proc"].tolist()]
        cuts = self._cuts(calls, sysno, flags)
        durations = ["null"] * len(pids) if flags & CallFlag.UNTIMED else calls["duration_ns"].tolist()
        results = ["null"] * len(pids) if flags & CallFlag.UNFINISHED else calls["ret"].tolist()
        errors = _errors(calls["ret"]) if not flags & CallFlag.UNFINISHED else results
        times = (calls["start_ns"].view(np.int64) - self._origin).tolist()
        threads, named = calls["tid"].tolist(), self._names(calls, sysno)
        return list(map(form.__mod__, zip(times, pids, threads, *values, results, errors, durations, cuts, named, strict=True)))

    def _arguments(self, calls: Columns, sysno: int, flags: CallFlag) -> tuple[list[tuple[str, str]], list[list[Any]]]:
        """Name and form of every argument, and its values."""
        if execed(self._arch, sysno, flags):
            argv = [as_json(list(words)) if state in ("whole", "cut") else "null" for words, state in map(self._strings.words, calls["a1"].tolist())]
            return [("path", "%s"), ("argv", "%s")], [self._quoted(calls["a0"]), argv]
        names, values = [], []
        for argument in arguments(self._arch, sysno):
            column = argument.of(calls)
            is_string = argument.kind in STRINGS
            names.append((argument.name, "%s" if is_string or argument.kind == "sockaddr" else '"0x%x"' if argument.kind in _ADDRESSES else "%d"))
            values.append(self._quoted(column) if is_string else self._addresses(column) if argument.kind == "sockaddr" else column.tolist())
        return names, values

    def _names(self, calls: Columns, sysno: int) -> list[str]:
        """What the descriptors of every call stood for."""
        columns = [(argument.name, calls[f"thing{number}"].tolist()) for number, argument in enumerate(self._naming.fds(sysno))]
        if made := self._naming.makes(sysno):
            columns.append((made, calls["made"].tolist()))
        if not columns:
            return [""] * len(calls["key"])
        names = [f'"{name}":' for name, _ in columns]
        lines = []
        for things in zip(*(column for _, column in columns), strict=True):
            told = ",".join([name + self._label(thing) for name, thing in zip(names, things) if thing >= 0])
            lines.append(f',"names":{{{told}}}' if told else "")
        return lines

    def _label(self, thing: int) -> str:
        if thing not in self._labels:
            self._labels[thing] = as_json(self._naming.text(thing))
        return self._labels[thing]

    def _addresses(self, ids: NDArray[np.uint64]) -> list[str]:
        return [as_json(None if data is None else sockaddr(data)) for data in map(self._strings.data, ids.tolist())]

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
