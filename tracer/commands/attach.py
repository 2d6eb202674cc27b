"""`ebtrace attach`, or `ebtrace -p PID`: traces running processes until they end, Ctrl-C or --duration."""

from __future__ import annotations

from collections.abc import Sequence

from tracer.commands._settings import Settings
from tracer.commands._tracing import Output, Tracer, report_ready
from tracer.errors import EbtraceError, UsageError
from tracer.target.privilege import caller
from tracer.target.process import check, command_line, folder, name
from tracer.target.rights import can_trace
from tracer.target.signals import ASKING_TO_END, Watch
from tracer.target.terminal import ProgressLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tracer.commands._workers import StartWorker

__all__ = ("attach", "command")


def command(start: StartWorker, /, words: tuple[str, ...], no_children: bool, duration: float | None, **options: Any) -> int:
    """Trace running processes: all their threads, the children they have and will have.

    Ends when they have all ended, at Ctrl-C, or after --duration; they run on undisturbed.
    """
    return attach(Settings(**options), _pids(words), not no_children, duration, start)


def attach(wanted: Settings, pids: Sequence[int], children: bool, duration_s: float | None, start: StartWorker) -> int:
    """Traces running processes. Returns 0 when the session was written whole."""
    privileged = can_trace()
    for pid in pids:
        check(pid, privileged)
    identity = caller()
    watch = Watch(ASKING_TO_END)
    output = Output(wanted, name(pids[0]), pids[0], identity)
    meta = {"command": command_line(pids[0]), "kind": "attach", "cwd": folder(pids[0]), "output": output.whole_path()}
    live = False
    try:
        tracer = Tracer(start(), watch)
        tracer.begin(wanted, pids, children, duration_s, meta, output)
        tracer.until_live()
        report_ready(wanted, pids[0], identity)
        live = True
    finally:
        if not live:
            output.discard()
    _follow(tracer, watch, ProgressLine(not wanted.quiet))
    tracer.finish(None)
    return 0 if tracer.sum_up(output, wanted) else EbtraceError.status


def _follow(tracer: Tracer, watch: Watch, line: ProgressLine) -> None:
    """Shows how it goes, until nothing is left to trace or a signal asks to end."""
    shown = -1.0
    while True:
        tracer.update()
        if tracer.ended or tracer.gone():
            break
        progress = tracer.progress
        if progress.get("seconds", shown) != shown:
            shown = progress["seconds"]
            line.show(f"{shown:.0f} s  {progress['calls']:,} calls  {progress['lost']:,} lost  {progress['bytes'] / 1e6:.1f} MB  (Ctrl-C ends)")
        info = watch.wait()
        if info is not None and info.si_signo in ASKING_TO_END:
            break
    line.clear()


def _pids(words: Sequence[str]) -> list[int]:
    """The numbers of all -p options; like strace, one may hold several: -p "$(pidof NAME)", -p 1,2."""
    pids: list[int] = []
    for word in " ".join(words).replace(",", " ").split():
        if not (word.isascii() and word.isdigit()):
            raise UsageError(f"-p takes process ids, not {word!r}")
        if int(word) not in pids:
            pids.append(int(word))
    if not pids:
        raise UsageError("no process is given", "give one: ebtrace -p PID")
    return pids
