"""`ebtrace stats` in the terminal: what was traced, what was missed, what it cost, and the totals.

Every section is a list of lines; whoever prints them decides about colour. All strings from the traced program pass
through text.visible or text.command_line before they get here into a line.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from report.layout import Column, first, fit, flow, more, table, title, wrapped
from report.ledger import LaneLedger
from report.nettables import look_ups, sockets, unseen
from report.text import command_line, count, duration, size, visible
from report.totals import SessionFacts, Totals
from report.tree import process_rows
from report.webtables import coverage, exchanges, model_calls

__all__ = ("print_totals", "sections")

_LEDGER = (Column("lane", left=True), Column("counted"), Column("delivered", 8), Column("sampled out", 6), Column("lost"), Column("unaccounted"))
_SYSCALLS = (Column("syscall", left=True, flexible=True), Column("calls"), Column("errors", 7), Column("unfinished", 1), Column("total", 8),
             Column("max", 4), Column("p50", 6), Column("p99", 5), Column("bytes", 3))
_PROCESSES = (Column("pid"), Column("start", 2), Column("lived", 6), Column("exit", 7), Column("calls", 5), Column("cpu", 4),
              Column("peak", 3), Column("threads", 1), Column("process", left=True, flexible=True, narrowest=28))
_FILES = (Column("read", 7), Column("written", 6), Column("reads", 4), Column("writes", 3), Column("opens", 5), Column("errors", 2),
          Column("path", left=True, flexible=True, cut_start=True))

_TO_ASCII = str.maketrans("…·", "~-")


def print_totals(totals: Totals, console: Console, top: int, pid: int | None = None) -> None:
    """Print all sections, an empty line between them. Only what a terminal shows is fitted to a width.

    ``pid`` is the process to which the syscalls were narrowed, if they were.
    """
    width = console.width if console.is_terminal else None
    ascii_only = console.options.ascii_only
    for number, lines in enumerate(sections(totals, width, top, pid, ascii_only)):
        for line in ([Text()] if number else []) + lines:
            if ascii_only:
                line.plain = line.plain.translate(_TO_ASCII).encode("ascii", "replace").decode()
            console.print(line, soft_wrap=True, highlight=False)


def sections(totals: Totals, width: int | None, top: int, pid: int | None = None, ascii_only: bool = False) -> Iterator[list[Text]]:
    """The sections as lines of at most ``width`` cells; each table shows its ``top`` rows, 0 for all."""
    yield _header(totals.session, width)
    yield _ledger(totals, width)
    yield _cost(totals, width)
    yield _syscalls(totals, width, top, pid)
    if totals.processes:
        rows, hidden = process_rows(totals.processes, top, ascii_only)
        yield [title(f"Processes: {count(len(totals.processes))}"), *table(_PROCESSES, rows, width), *more(hidden, width)]
    if totals.files:
        yield _files(totals, width, top)
    if totals.dns:
        yield look_ups(totals, width, top)
    if totals.connections:
        yield sockets(totals, width, top)
    if told := coverage(totals, width, top):
        yield told
    if totals.http:
        yield exchanges(totals, width, top)
    if totals.llm:
        yield model_calls(totals, width, top)


def _header(facts: SessionFacts, width: int | None) -> list[Text]:
    status = facts.exit_status
    ending = [] if status is None else [Text(f"exit {status}", "red" if status else "green")]
    if not facts.complete:
        ending.append(Text("INCOMPLETE", "bold red"))
    elif facts.reason:
        ending.append(Text(visible(facts.reason)))
    words = [facts.kind, f"pid {facts.pid}" if facts.pid else "", f"started {facts.started[:19].replace('T', ' ')} UTC" if facts.started else ""]
    setting = [f"Linux {facts.kernel} {facts.arch}", f"ebtrace {facts.version}", f"{facts.mode} mode"]
    if facts.user:
        setting.append(f"user {facts.user}")
    if facts.expression:
        setting.append(f"-e {facts.expression}")
    if facts.sample > 1:
        setting.append(f"1 call in {facts.sample} kept")
    return [
        Text(fit(command_line(facts.command) or "(no command)", width), "bold"),
        *flow([*(visible(word) for word in words if word), duration(facts.duration_s * 1e9), *ending], width),
        *(Text(line.plain, "dim") for line in flow(map(visible, setting), width)),
        *(Text(line, "yellow") for line in wrapped(f"This kernel does not show: {', '.join(map(visible, facts.without))}.", width) if facts.without),
        *(Text(line, "red") for problem in facts.problems for line in wrapped("! " + visible(problem), width)),
    ]


def _ledger(totals: Totals, width: int | None) -> list[Text]:
    lanes = totals.ledger
    lost = sum(account.lost for account in lanes.values())
    unaccounted = sum(abs(account.unaccounted) for account in lanes.values())
    sampled_out = sum(account.sampled_out for account in lanes.values())
    asked = f"; {count(sampled_out)} records were left out as asked" if sampled_out else ""
    if lost or unaccounted:
        parts = [f"{count(lost)} records were lost"] if lost else []
        parts += [f"{count(unaccounted)} are unaccounted for"] if unaccounted else []
        verdict = Text(f"Ledger: {' and '.join(parts)}{asked}", "bold red")
    elif totals.session.missed_tasks or not totals.session.complete:
        verdict = Text(f"Ledger: nothing that was counted is missing, but the trace is not whole{asked}", "bold yellow")
    else:
        verdict = Text(f"Ledger: nothing was lost{asked}", "bold green")
    lines = [Text(line, verdict.style) for line in wrapped(verdict.plain, width)]
    if not totals.session.complete:
        why = "The file has no end: what happened after its last block is in no count." if totals.session.reason is None else \
            "Blocks of the file could not be read: what they held counts as lost."
        lines += [Text(line, "yellow") for line in wrapped(why, width)]
    columns = _LEDGER if unaccounted else _LEDGER[:-1]
    return [*lines, *table(columns, [_lane(lane, account)[: len(columns)] for lane, account in lanes.items()], width)]


def _lane(lane: str, account: LaneLedger) -> list[str | Text]:
    numbers = (account.counted, account.delivered, account.sampled_out)
    bad = (account.lost, account.unaccounted)
    return [visible(lane), *map(count, numbers), *(Text(count(number), "bold red" if number else "") for number in bad)]


def _cost(totals: Totals, width: int | None) -> list[Text]:
    cost, session = totals.tracer, totals.session
    parts = [] if cost.startup_ms is None else [f"start {cost.startup_ms:.0f} ms"]
    if cost.cpu_s is not None:
        share = f" ({100 * cost.cpu_s / session.duration_s:.1f} % of a core)" if session.duration_s >= 1 else ""  # shorter ones are all start
        parts.append(f"CPU {duration(cost.cpu_s * 1e9)}{share}")
    if cost.bpf_ns_per_call is not None:
        parts.append(f"{cost.bpf_ns_per_call:.0f} ns in the kernel per call")
    if cost.peak_rss_mb is not None:
        parts.append(f"memory {size(cost.peak_rss_mb * 1e6)}")
    if cost.kernel_map_mb is not None:
        parts.append(f"kernel memory {size(cost.kernel_map_mb * 1e6)}")
    delivered = sum(account.delivered for account in totals.ledger.values())
    each = f" ({cost.session_bytes / delivered:.1f} bytes per record)" if delivered else ""
    parts.append(f"file {size(cost.session_bytes)}{each}")
    return [title("Cost of the trace"), *flow(parts, width)]


def _syscalls(totals: Totals, width: int | None, top: int, pid: int | None) -> list[Text]:
    calls = sum(row.calls for row in totals.syscalls)
    errors = sum(row.errors for row in totals.syscalls)
    shown, hidden = first(totals.syscalls, top)
    rows: list[list[str | Text]] = []
    for row in shown:
        timed = row.p50_ns is not None
        rows.append([
            visible(row.name), count(row.calls), Text(count(row.errors), "yellow") if row.errors else "0", count(row.unfinished),
            *((duration(number or 0) if timed else "-") for number in (row.total_ns, row.max_ns, row.p50_ns, row.p99_ns)),
            size(row.bytes) if row.bytes else "-",
        ])
    heading = f"Syscalls{f' of process {pid}' if pid else ''}: {count(calls)} calls, {count(errors)} errors"
    return [*(title(line) for line in wrapped(heading, width)), *(table(_SYSCALLS, rows, width) if rows else []), *more(hidden, width)]


def _files(totals: Totals, width: int | None, top: int) -> list[Text]:
    shown, hidden = first(totals.files, top)
    rows: list[list[str | Text]] = [
        [*(size(moved) if moved else "-" for moved in (row.read_bytes, row.written_bytes)), count(row.reads), count(row.writes), count(row.opens),
         Text(count(row.errors), "yellow") if row.errors else "0", visible(row.path)]
        for row in shown
    ]
    return [title(f"Files: {count(len(totals.files))}"), *table(_FILES, rows, width), *more(hidden, width), *unseen(totals, width)]

