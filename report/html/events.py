"""The calls of a session one by one, as columns that compress well and that the page reads back (report/web/src/worker/columns.ts).

Rows are in the order of their start. What the columns hold is told by their order and by what they are the difference to:

    kind, thread                in the order of rows: indices into the lists of kinds and threads
    gap                         thread by thread: ns from the end of the thread's call before to the start, zigzag; the first from 0
    duration, flags             kind by kind, each kind's rows in their order
    ret, a0, a1, a2, thing      likewise, each XORed with the row of the same kind before it; strings are indices into the list of texts;
                                thing is the index of the text that says what the call's descriptor stood for, 0 if that is not known
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from report.calls import arch_of
from report.html.choice import Choice, Survey
from report.html.gate import Gate
from report.html.kinds import Kind, kinds_of
from report.html.levels import Levels, Tally
from report.html.packing import Pack, pack, zigzag
from report.html.wording import SPOKEN, Wording
from report.order import take
from report.selection import selected
from report.trail import Trail
from report.types import Columns
from tracer.kinds import CallFlag
from tracer.records import SYSNO_LIMIT
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Events", "events_of")

_LONGEST = np.uint64((1 << 48) - 1)  # as long as a record can say
_FARTHEST = 1 << 52  # ns from the start of the session that the page can tell exactly, in both directions
_SLOTS = ("a0", "a1", "a2")
_TAKEN = ("place", "start_ns", "duration_ns", "flags", "ret", *_SLOTS)
_AT_ONCE = 1 << 18  # calls; blocks are smaller, and many small steps take long
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Events:
    """All that the page has of the calls."""

    survey: Survey
    choice: Choice
    held: int  # calls that are in the columns
    kinds: list[Kind]
    threads: list[tuple[int, int]]  # our number of the process, thread id
    texts: list[str]  # 0 is what is not known
    columns: Pack
    levels: Levels


def events_of(session: Session, trail: Trail, until_ns: int, most: int, gate: Gate) -> Events:
    """Gather them: at most ``most`` one by one. ``until_ns``: where the session ended, ns after its start. Their texts pass the gate."""
    survey = Survey()
    kept: list[Columns] | None = []
    for batch in _batches(session):
        survey.add(batch)
        if kept is not None:
            kept = [*kept, batch] if survey.calls <= most else None  # what is not kept is decoded twice
    choice = Choice.of(survey, most)
    kinds = kinds_of(arch_of(session), survey.kinds.tolist())
    groups = np.array([kind.group for kind in kinds], np.uint8)
    origin = int(session.meta["started_ns"])
    tally = Tally(min(max(until_ns, survey.ends_ns - origin, 1), _FARTHEST), survey.calls, len(survey.threads))
    parts: list[Columns] = []
    before = 0
    for batch in _batches(session) if kept is None else kept:
        rows = _numbered(batch, survey, origin)
        tally.add(rows, groups[rows["kind"]])
        parts.append(rows if choice.every == 1 else take(rows, choice.kept(batch, before)))
        before += len(rows["kind"])
    rows = _in_order(parts)
    wording = Wording(session, gate)
    rows["thing"] = _named_things(trail.of(rows["place"]), trail.names, wording)
    columns = pack(_coded(rows, kinds, wording))
    threads = list(zip((survey.threads >> _HALF).tolist(), (survey.threads & _LOW).tolist(), strict=True))
    return Events(survey, choice, len(rows["kind"]), kinds, threads, wording.texts, columns, tally.levels())


def _batches(session: Session) -> Iterator[Columns]:
    """The calls that were asked for, many at a time, with ``thread`` and ``kind`` as the survey numbers them."""
    waiting: list[Columns] = []
    for rows in _blocks(session):
        waiting.append(rows)
        if sum(len(part["kind"]) for part in waiting) >= _AT_ONCE:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _blocks(session: Session) -> Iterator[Columns]:
    asked = selected(session)
    everything = bool(asked.all())
    before = 0
    for table in session.tables(BlockKind.SYSCALLS):
        places = np.arange(before, before + len(table["sysno"]), dtype=np.uint64)
        before += len(places)
        rows = {**table, "place": places}
        rows = rows if everything else take(rows, asked[np.minimum(table["sysno"], SYSNO_LIMIT)])
        yield {**{name: rows[name] for name in _TAKEN}, "thread": rows["proc"].astype(np.uint64) << _HALF | rows["tid"],
               "kind": rows["sysno"].astype(np.uint32) << np.uint32(8) | rows["flags"] & np.uint8(CallFlag.EXECED)}


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _numbered(batch: Columns, survey: Survey, origin: int) -> Columns:
    """With times from the start of the session, and the indices of threads and kinds."""
    return {
        **{name: batch[name] for name in ("place", "ret", "flags", *_SLOTS)},
        "start": np.clip((batch["start_ns"] - np.uint64(origin & (1 << 64) - 1)).view(np.int64), -_FARTHEST, _FARTHEST),
        "duration": np.minimum(batch["duration_ns"], _LONGEST).view(np.int64),
        "thread": np.searchsorted(survey.threads, batch["thread"]).astype(np.uint16 if len(survey.threads) < 1 << 16 else np.uint32),
        "kind": np.searchsorted(survey.kinds, batch["kind"]).astype(np.uint16 if len(survey.kinds) < 1 << 16 else np.uint32),
    }


def _in_order(parts: list[Columns]) -> Columns:
    if not parts:
        return {name: np.zeros(0, np.int64) for name in ("place", "start", "duration", "kind", "thread", "flags", "ret", *_SLOTS)}
    rows = _joined(parts)
    return take(rows, np.argsort(rows["start"], kind="stable"))


def _coded(rows: Columns, kinds: list[Kind], wording: Wording) -> Columns:
    thread, kind = rows["thread"], rows["kind"]
    by_thread, by_kind = np.argsort(thread, kind="stable"), np.argsort(kind, kind="stable")
    ends = np.zeros(len(thread), np.int64)
    start, end = rows["start"][by_thread], (rows["start"] + rows["duration"])[by_thread]
    ends[1:] = np.where(thread[by_thread][1:] == thread[by_thread][:-1], end[:-1], 0)
    coded: Columns = {"kind": kind, "thread": thread, "gap": zigzag(start - ends)}
    coded["duration"], coded["flags"] = rows["duration"][by_kind], rows["flags"][by_kind]
    bounds = np.searchsorted(kind[by_kind], np.arange(len(kinds) + 1)).tolist()
    for name in ("ret", *_SLOTS, "thing"):
        values = rows[name].view(np.uint64)[by_kind]
        if name in _SLOTS:
            _name_strings(values, name, kinds, bounds, wording)
        steps = values.copy()
        steps[1:] ^= values[:-1]
        firsts = [first for first, bound in pairwise(bounds) if first < bound]
        steps[firsts] = values[firsts]
        coded[name] = steps
    return coded


def _named_things(things: NDArray[np.int64], names: Mapping[int, str], wording: Wording) -> NDArray[np.uint64]:
    used = [thing for thing in np.flatnonzero(np.bincount(things)).tolist() if thing]
    table = np.zeros(used[-1] + 1 if used else 1, np.uint64)
    table[used] = wording.numbers([names[thing] for thing in used])
    return table[things]


def _name_strings(values: NDArray[np.uint64], slot: str, kinds: list[Kind], bounds: list[int], wording: Wording) -> None:
    """Put the indices of texts in the place of ids, kind by kind."""
    for kind, first, bound in zip(kinds, bounds, bounds[1:], strict=False):
        for argument in kind.arguments:
            if argument.slot == slot and argument.kind in SPOKEN and first < bound:
                values[first:bound] = wording.indices(values[first:bound], argument.kind)
