"""Processes as the rows of a table, each under its parent, with the busiest shown where there is no room for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from report.processes import Process
from report.text import command_line, count, duration, size, visible
from report.titles import titled

__all__ = ("process_rows",)

_GUIDES = ("├─ ", "└─ ", "│  ", "   ")
_ASCII_GUIDES = ("|- ", "`- ", "|  ", "   ")
_DEEPEST = 12  # levels drawn; deeper ones only say how deep
_ROOTS = -1  # no process has this number

Row = list["str | Text"]


def process_rows(processes: Sequence[Process], top: int, ascii_only: bool = False) -> tuple[list[Row], int]:
    """Rows of pid, start, lifetime, exit, calls, cpu, peak, threads and the tree; and how many processes are not among them.

    At most ``top`` processes (0: all) are shown, those with the most calls, each with its ancestors.
    """
    shown = _busiest(processes, top)
    children: defaultdict[int, list[Process]] = defaultdict(list)
    for process in processes:
        if process.proc in shown:
            children[process.parent if process.parent in shown and process.parent != process.proc else _ROOTS].append(process)
    guides = _ASCII_GUIDES if ascii_only else _GUIDES
    rows = [_row(process, _prefix(line, depth, guides)) for process, line, depth in _walk(children)]
    return rows, len(processes) - len(rows)


def _busiest(processes: Sequence[Process], top: int) -> set[int]:
    if not top or top >= len(processes):
        return {process.proc for process in processes}
    by_proc = {process.proc: process for process in processes}
    shown: set[int] = set()
    for process in sorted(processes, key=lambda process: -process.calls):
        line: list[int] = []
        ancestor: Process | None = process
        while ancestor and ancestor.proc not in shown and ancestor.proc not in line:
            line.append(ancestor.proc)
            ancestor = by_proc.get(ancestor.parent)
        if len(shown) + len(line) <= top:
            shown.update(line)
    return shown


def _walk(children: Mapping[int, list[Process]]) -> Iterator[tuple[Process, tuple[bool, ...], int]]:
    """Depth first, without recursion, since processes may be nested deeper than Python's stack.

    With each comes who in its line is a last child, as far as lines are drawn, and its depth.
    """
    waiting: list[tuple[Process, tuple[bool, ...], int]] = [(root, (), 0) for root in reversed(children.get(_ROOTS, []))]
    while waiting:
        process, line, depth = waiting.pop()
        yield process, line, depth
        for index, child in enumerate(reversed(children.get(process.proc, []))):
            waiting.append((child, (*line, index == 0)[: _DEEPEST + 1], depth + 1))


def _prefix(line: tuple[bool, ...], depth: int, guides: tuple[str, ...]) -> str:
    if not depth:
        return ""
    between, last, passing, empty = guides
    if depth > _DEEPEST:
        return f"({depth} deep) "
    return "".join(empty if is_last else passing for is_last in line[:-1]) + (last if line[-1] else between)


def _row(process: Process, prefix: str) -> Row:
    lived = None if process.started_ns is None or process.ended_ns is None else process.ended_ns - process.started_ns
    status = process.exit_status
    return [
        "?" if process.pid is None else str(process.pid),
        "-" if process.started_ns is None else duration(process.started_ns),
        "alive" if lived is None else duration(lived),
        "-" if status is None else Text(process.signal or str(status), "red" if status else ""),
        count(process.calls),
        "-" if process.cpu_ns is None else duration(process.cpu_ns),
        "-" if process.peak_rss_bytes is None else size(process.peak_rss_bytes),
        str(process.threads),
        Text(prefix).append_text(_program(process)),
    ]


def _program(process: Process) -> Text:
    """The title, the arguments that it leaves to tell, and the words for which it stands, where those are not just its name.

    A launcher has a child of the same title: there these words come first, where no cut takes them away.
    """
    fork = "(fork) " if process.parent and not process.execs else ""
    if process.argv_state not in ("whole", "cut"):
        return Text.assemble(fork, visible(process.title), (f" (arguments {process.argv_state})", "dim"))
    title = titled(process.argv, process.exe, process.interp, process.comm)
    told = process.argv[: len(process.argv) - len(title.arguments)]
    parts = [command_line(title.arguments)] if title.arguments else []
    parts += ["…"] if process.argv_state == "cut" else []
    if len(told) > 1 and command_line(told) != title.name:
        parts.insert(0 if title.launched else len(parts), f"({command_line(told)})")
    return Text.assemble(fork, visible(title.name), (" ".join(["", *parts]), "dim"))
