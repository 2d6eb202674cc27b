"""The command line of ebtrace: one module per subcommand, imported only when that subcommand is typed.

`main` is the only place that catches errors: one line says what failed, one what to do, and the exit status is the error's.
For a trace it forks the worker first of all; until then it loads nothing that can wait.
"""

from __future__ import annotations

import gc
import os
import sys

from tracer.commands._fork import live_early
from tracer.errors import EbtraceError
from tracer.fork import fork
from tracer.target.rights import can_trace

TYPE_CHECKING = False  # as typing has it, which takes as long to load as the fork saves
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.commands._workers import Prepare, StartWorker

__all__ = ("entry", "main")

_TRACING = ("run", "attach")
_INTERRUPTED = 130  # 128 + SIGINT
_PIPE_BROKEN = 141  # 128 + SIGPIPE: what a shell shows for programs that this signal ends


def entry() -> None:
    """The console script."""
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # closed, or broken as `main` has seen
        pass
    os._exit(status)  # taking the interpreter apart would only keep the user's prompt waiting for 5 ms more


def _prepare() -> StartWorker:
    """A worker that can be forked is, so that it loads its modules while the front loads its own and parses its words.

    Should the command line turn out to be wrong, the worker finds its socket ended before any "start", and leaves. Nobody collects garbage
    until the target runs: modules are none, and each search among them would copy the pages that the processes share.
    """
    gc.disable()
    forked = fork(live_early) if can_trace() else None
    from tracer.commands._workers import forked_worker, sudo_worker

    if forked is None:
        return sudo_worker
    worker = forked_worker(*forked)
    return lambda: worker


def main(argv: Sequence[str], prepare: Prepare = _prepare) -> int:
    """Runs one command line (without the program's name) and returns the exit status. ``prepare`` readies the worker; tests give their own."""
    _occupy_standard_descriptors()
    words = list(argv)
    if words and words[0].startswith("-") and words[0] not in ("--help", "-h", "--version", "-V"):
        words.insert(0, "attach")  # ebtrace -p PID
    start = prepare() if words and words[0] in _TRACING else None
    from tracer.target.signals import Interrupted
    from tracer.target.terminal import say

    try:
        status = _trace(words, start) if start is not None else None
        if status is None:
            from tracer.commands._later import put_off

            put_off()
            from tracer.commands._cli import run_command

            status = run_command(words, start)
        if sys.stdout is not None:  # None: started with stdout closed
            sys.stdout.flush()
        return status
    except EbtraceError as error:
        say(f"ebtrace: {error.message}" + (f"\n{error.remedy}" if error.remedy else ""))
        return error.status
    except Interrupted as interrupted:
        return interrupted.status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _PIPE_BROKEN
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        say(f"ebtrace: {where}{error.strerror or error}")
        return EbtraceError.status


def _trace(words: list[str], start: StartWorker) -> int | None:
    """Runs `run` or `attach` and returns the exit status; None: nothing was done, click has to look at the words."""
    from tracer.commands._quick import parse

    values = parse(words[0], words[1:])
    if values is None:
        return None
    if words[0] == "run":
        from tracer.commands.run import command as run

        return run(start, **values)
    from tracer.commands.attach import command as attach

    return attach(start, **values)


def _occupy_standard_descriptors() -> None:
    """Where stdin, stdout or stderr was closed by whoever started ebtrace, no pipe of ours may take its number. The target gets it closed."""
    for standard in range(3):
        try:
            os.fstat(standard)
        except OSError:
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)  # takes the lowest free number: this one
