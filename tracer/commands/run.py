"""`ebtrace run`: holds the target until the probes are live, then keeps out of its way and returns its exit status."""

from __future__ import annotations

import errno
import os

from tracer.bare import signal
from tracer.commands._settings import Settings
from tracer.commands._tracing import Output, Tracer, report_ready
from tracer.errors import UsageError
from tracer.target.launch import CannotStart, Target, launch, resolve
from tracer.target.privilege import acting_as, caller, environment
from tracer.target.process import folder
from tracer.target.signals import FORWARDED, Watch, from_terminal, sent_by
from tracer.target.terminal import foreground, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tracer.commands._workers import StartWorker

__all__ = ("command", "run")

_SUDO_PATH = "sudo has its own PATH: give the full path, or leave sudo out, ebtrace calls it where it must"


def command(start: StartWorker, /, words: tuple[str, ...], as_root: bool, **options: Any) -> int:
    """Start CMD and trace it and its children; the exit status is CMD's.

    CMD keeps its terminal, environment and user; only the tracer runs as root, through sudo where needed. Tracing ends with CMD itself,
    also when children of it live on.
    """
    if not words:
        raise UsageError("no command is given", "give one: ebtrace run -- CMD")
    return run(Settings(**options), words, as_root, start)


def run(wanted: Settings, words: Sequence[str], as_root: bool, start: StartWorker) -> int:
    """Runs and traces one command. Returns its exit status, 128 + N when signal N ended it. Raises CannotStart when it does not run at all."""
    identity = None if as_root else caller()
    variables = environment(identity)
    try:
        with acting_as(identity):
            file = resolve(words[0], variables.get("PATH"))
    except CannotStart as error:
        if error.status == 127 and "/" not in words[0] and "SUDO_UID" in os.environ:
            error.remedy = _SUDO_PATH
        raise
    watch = Watch(FORWARDED)
    target = launch(file, words, variables, identity)
    released = False
    output: Output | None = None
    try:
        output = Output(wanted, os.path.basename(words[0]), target.pid, identity)
        tracer = Tracer(start(), watch)
        meta = {"command": list(words), "kind": "run", "cwd": folder(os.getpid()), "output": output.whole_path()}
        tracer.begin(wanted, [target.pid], True, None, meta, output)
        tracer.until_live(lambda: _held(target, words[0]))
        report_ready(wanted, target.pid, identity)
        target.release()
        released = True
    finally:
        if not released:
            target.discard()
            if output is not None:
                output.discard()
    status = _follow(target, tracer, watch)
    tracer.finish(status)
    number = target.refused()
    if number:
        tracer.leave()
        output.discard()
        raise CannotStart(words[0], number, f"its interpreter is missing: see the first line of {file}" if number == errno.ENOENT else None)
    tracer.sum_up(output, wanted)
    return status


def _held(target: Target, name: str) -> int:
    """While the target is held: the signal that ended it, 0 when none has."""
    status = _end(target)
    if status is not None and os.WIFEXITED(status):
        raise CannotStart(name, target.refused() or errno.EIO)
    return 0 if status is None else os.WTERMSIG(status)


def _follow(target: Target, tracer: Tracer, watch: Watch) -> int:
    """Stands by until the target ends, whatever becomes of the tracer meanwhile. Returns the exit status."""
    while True:
        tracer.update()
        status = _end(target)
        if status is not None:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        info = watch.wait()
        if info is not None and not from_terminal(info) and not sent_by(info, target.pid):
            target.signal(info.si_signo)


def _end(target: Target) -> int | None:
    """What waitpid(2) says about the target's end; None while it lives. When it has stopped (Ctrl-Z), so do we.

    The shell waits for us, not for the target: only our own stop makes it take the terminal back.
    """
    status = target.change()
    while status is not None and os.WIFSTOPPED(status) and foreground(target.pid):
        suspend()
        # `fg` continues the whole process group, and then waitpid says so. Otherwise we alone were continued: by `kill -CONT`, because
        # no shell is there that could, or because the target, an interactive shell, has a group of its own.
        status = target.change()
        if status is None:
            target.signal(signal.SIGCONT)
    return status if status is not None and (os.WIFEXITED(status) or os.WIFSIGNALED(status)) else None
