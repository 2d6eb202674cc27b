"""Everything that `ebtrace stats` and the report say about a session, as plain data; and the same as the document of --json.

All times are ns after the start of the session (meta started_ns), negative for what began before it, unless a name says
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

from report.activity import activity_of
from report.connections import Connection, connections_of
from report.dns import Lookup, Lookups, lookups_of
from report.exchanges import Exchanges, read_exchanges
from report.files import FileTotals, files_of
from report.http import HttpRow, http_rows, remotes_of
from report.ledger import LaneLedger, ledger_of, rows_held
from report.llm import LlmCall, as_rows, calls_of
from report.moments import sockets_of
from report.plain import integer, last_map, number, words
from report.processes import Process, lifecycle, processes_of
from report.searches import FailedOpens
from report.selection import calls_for_names
from report.strings import Strings
from report.syscalls import SyscallTotals, calls_by_process, syscall_totals
from report.tls import TlsFacts, tls_facts, with_tls
from report.trail import Trail
from tracer.session.format import BlockKind
from tracer.session.reader import Session

__all__ = ("Connection", "SessionFacts", "Totals", "TracerCost", "document", "session_facts", "totals_of")


_LOOK_UP = ("type", "status", "addresses", "aliases", "server", "via", "pid", "at_ns", "latency_ns", "tries")


@dataclass(frozen=True)
class SessionFacts:
    """What was traced, when and how."""

    command: tuple[str, ...]
    kind: str  # run, attach
    pid: int | None
    started: str | None  # ISO 8601, UTC
    duration_s: float  # up to the end; without one, up to the last sign of life in the file
    exit_status: int | None
    complete: bool  # has its end, and all blocks are sound
    reason: str | None  # why it ended
    kernel: str
    arch: str
    version: str  # of the ebtrace that wrote it
    mode: str  # full, summary (no records), counts (no latencies either)
    expression: str  # what -e was given
    sample: int  # of calls that succeed quickly the record of one in so many is kept
    transport: str
    hostname: str
    user: str
    cwd: str
    children: bool  # whether children that ran before the trace were taken in
    missed_tasks: int  # threads that could not be followed
    without: tuple[str, ...]  # what this kernel has no probe for
    for_names: int  # calls beyond those that were asked for, traced because they give descriptors their names
    problems: tuple[str, ...]  # sentences


@dataclass(frozen=True)
class TracerCost:
    """What the trace itself cost; None is what was not measured."""

    startup_ms: float | None
    cpu_s: float | None
    peak_rss_mb: float | None
    session_bytes: int
    bpf_ns_per_call: float | None
    kernel_map_mb: float | None


@dataclass(frozen=True)
class Totals:
    """One session, summed up."""

    session: SessionFacts
    ledger: dict[str, LaneLedger]
    syscalls: tuple[SyscallTotals, ...]
    processes: tuple[Process, ...]
    files: tuple[FileTotals, ...]
    searches: tuple[FailedOpens, ...]
    connections: tuple[Connection, ...]
    dns: tuple[Lookup, ...]
    http: tuple[HttpRow, ...]
    llm: tuple[LlmCall, ...]
    tls: TlsFacts
    tracer: TracerCost


def totals_of(session: Session, pid: int | None = None, trail: Trail | None = None, exchanges: Exchanges | None = None) -> Totals:
    """Sum up a session. ``pid`` narrows ``syscalls``, and nothing else, to the processes that had this pid. ``trail`` is told on the way
    what each call's descriptor stood for. ``exchanges``: those of the session, for whoever has read them."""
    strings = Strings(session)
    records = lifecycle(session)
    calls = calls_by_process(session)
    sockets = sockets_of(session)
    activity = activity_of(session, strings, records, sockets, trail)
    folders = activity.descriptors.folders() if session.meta["mode"] == "full" else None  # else nobody saw where they went
    processes = processes_of(session, strings, records, calls, folders)
    wanted = None if pid is None else {process.proc for process in processes if process.pid == pid}
    syscalls = syscall_totals(session, wanted)
    files, searches = files_of(activity), activity.descriptors.searches()
    dns = lookups_of(session, dict(zip(records["proc"].tolist(), records["tgid"].tolist(), strict=True)))
    connections, tracer = connections_of(session, strings, activity, sockets, dns.told), _cost(session)
    tls = tls_facts(last_map(session, BlockKind.TLS), connections, processes, complete=session.end is not None)
    connections = with_tls(connections, tls)
    exchanges = exchanges or read_exchanges(session)
    held = rows_held(session)
    session.check()  # from here on the session says of all its blocks whether they could be read
    facts = session_facts(session, processes, calls)
    facts = replace(facts, problems=(*facts.problems, *activity.descriptors.problems, *_left_out(dns), *exchanges.problems))
    origin = int(session.meta["started_ns"])
    http = tuple(http_rows(exchanges.told, {process.proc: process for process in processes}, remotes_of(connections), origin))
    llm = tuple(calls_of(exchanges.told, {process.proc: process.pid for process in processes}, origin))
    told = tuple(replace(row, at_ns=row.at_ns - origin) for row in dns.told)
    return Totals(facts, ledger_of(session, held), syscalls, processes, files, searches, connections, told, http, llm, tls, tracer)


def document(totals: Totals) -> dict[str, Any]:
    """The totals in the form of `ebtrace stats --json`: names and their order are a contract."""
    return {
        "session": vars(totals.session),
        "ledger": {lane: vars(account) for lane, account in totals.ledger.items()},
        "syscalls": [vars(row) for row in totals.syscalls],
        "processes": [vars(row) for row in totals.processes],
        "files": [vars(row) for row in totals.files],
        "searches": [vars(row) for row in totals.searches],
        "connections": [vars(row) for row in totals.connections],
        "dns": [_look_up(row) for row in totals.dns],
        "http": [vars(row) for row in totals.http],
        "llm": as_rows(totals.llm),
        "tls": asdict(totals.tls),
        "tracer": vars(totals.tracer),
    }


def _look_up(row: Lookup) -> dict[str, Any]:
    return {"name": row.question, **{field: getattr(row, field) for field in _LOOK_UP}}


def _left_out(dns: Lookups) -> list[str]:
    """What is missing. Messages that are no look-ups are none: nscd is also asked for its shared memory."""
    return [f"Look-ups of names beyond the first {len(dns.told)} were left out: {dns.left_out}."] if dns.left_out else []


def session_facts(session: Session, processes: Sequence[Process], calls: Mapping[int, int]) -> SessionFacts:
    """The facts, once the whole session has been read; ``calls`` is how many each process made."""
    meta, end = session.meta, session.end or {}
    missed = integer(last_map(session, BlockKind.LEDGER).get("missed_tasks")) or 0
    problems = [*session.problems, *words(last_map(session, BlockKind.TRACER).get("problems"))]
    if missed:
        problems.append(f"Threads that could not be followed, of which nothing is known: {missed}.")
    if calls.get(0):
        problems.append(f"There were more processes than the kernel's map had room for: {calls[0]} calls are counted, but not told apart by process.")
    status = end.get("exit_status")
    if status is None:
        status = next((process.exit_status for process in processes if process.pid == meta["pid"]), None)
    return SessionFacts(
        command=tuple(meta["command"]), kind=meta["kind"], pid=meta["pid"] or None, started=_iso(meta["started_unix_ns"]),
        duration_s=_duration_s(session, processes), exit_status=status, complete=session.complete, reason=end.get("reason") or None,
        kernel=meta["kernel"], arch=meta["arch"], version=meta["version"], mode=meta["mode"], expression=meta["expression"], sample=meta["sample"],
        transport=meta["transport"], hostname=meta["hostname"], user=meta["user"], cwd=meta["cwd"], children=meta["children"],
        missed_tasks=missed, without=words(meta.get("missing")), for_names=calls_for_names(session), problems=tuple(problems),
    )


def _duration_s(session: Session, processes: Sequence[Process]) -> float:
    origin = session.meta["started_ns"]
    if session.end:
        return float(max(session.end["ended_ns"] - origin, 0)) / 1e9
    signs = [process.ended_ns or 0 for process in processes]
    signs.append((integer(last_map(session, BlockKind.LEDGER).get("at_ns")) or origin) - origin)
    signs.extend(int((table["start_ns"] + table["duration_ns"]).max()) - origin for table in session.tables(BlockKind.SYSCALLS))
    return max(0, *signs) / 1e9


def _cost(session: Session) -> TracerCost:
    told = last_map(session, BlockKind.TRACER)
    measured = {name: number(told.get(name)) for name in ("startup_ms", "cpu_s", "peak_rss_mb")}
    return TracerCost(**measured, session_bytes=session.size, bpf_ns_per_call=number(told.get("bpf_ns_per_call")),
                      kernel_map_mb=number(told.get("kernel_map_mb")))


def _iso(unix_ns: int) -> str | None:
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z" if unix_ns else None
    except (OverflowError, ValueError, OSError):
        return None  # no date that a calendar has
