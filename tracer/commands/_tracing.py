"""What `run` and `attach` share: the session file, and the conversation with the worker."""

from __future__ import annotations

import gc
import os
import stat
import time

from tracer.commands._fork import BEGUN_NS
from tracer.commands._settings import Settings
from tracer.commands._workers import Worker
from tracer.errors import EbtraceError, HostError, SessionError, UsageError
from tracer.link import Message
from tracer.target.privilege import Identity, acting_as
from tracer.target.process import folder
from tracer.target.signals import ASKING_TO_END, Interrupted, Watch
from tracer.target.terminal import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("Output", "Tracer", "report_ready")

_PATIENCE_S = 2.0  # for the worker to go after "done": nothing of it should outlive the command
_DEAF_S = 1.0  # so long after the target's end Ctrl-C is taken as meant for the target still
_ERRORS = {error.status: error for error in (UsageError, HostError, SessionError)}


class Output:
    """The session file: made by the front, as the user, and written by the worker."""

    def __init__(self, wanted: Settings, name: str, pid: int, identity: Identity | None) -> None:
        from tracer.session.output import create_output

        self._identity = identity
        with acting_as(identity):
            self.fd, self.path = create_output(wanted.output, name, pid, force=wanted.force)

    def whole_path(self) -> str:
        """The path from the root, without asking whether the working directory still exists."""
        return os.path.join(folder(os.getpid()), self.path)

    def discard(self) -> None:
        """Takes the file away again: nothing was traced. Leaves alone what is not a plain file, or not this one any more."""
        try:
            with acting_as(self._identity):
                ours, there = os.fstat(self.fd), os.lstat(self.path)
                if stat.S_ISREG(there.st_mode) and os.path.samestat(ours, there):
                    os.unlink(self.path)
        except OSError:
            pass


class Tracer:
    """What the front knows of the worker and tells it."""

    def __init__(self, worker: Worker, watch: Watch) -> None:
        self._worker = worker
        self._watch = watch
        self.live = False
        self.ended = False  # attach: nothing is left to trace
        self.progress: Message = {}
        self.done: Message | None = None
        self.failure: EbtraceError | None = None
        watch.listen(worker.link.fileno())

    def gone(self) -> bool:
        """True when the worker will say nothing more."""
        return self.done is not None or self.failure is not None or self._worker.link.ended

    def begin(self, wanted: Settings, pids: Sequence[int], children: bool, duration_s: float | None, meta: Message, output: Output) -> None:
        """Tells the worker what to trace and hands it the session file."""
        self._worker.link.send({
            "do": "start", "mode": wanted.mode, "transport": wanted.transport, "pid": pids[0], "pids": list(pids), "children": children,
            "expression": wanted.expression, "sample": wanted.sample, "ring_mb": wanted.ring_mb, "duration_s": duration_s, "meta": meta,
            "max_body": wanted.max_body, "redact": wanted.redact,
            "begun_ns": BEGUN_NS if self._worker.child else None,  # typing sudo's password is no start-up time
        }, output.fd)

    def update(self) -> None:
        """Takes in what the worker has said by now."""
        for message in self._worker.link.poll():
            kind = message["is"]
            if kind == "live":
                self.live = True
            elif kind == "progress":
                self.progress = message
            elif kind == "ended":
                self.ended = True
            elif kind == "done":
                self.done = message
            elif kind == "failed":
                error = _ERRORS.get(message["status"], EbtraceError)
                self.failure = error(message["message"], message.get("remedy"))

    def until_live(self, changed: Callable[[], int | None] = lambda: None) -> None:
        """Waits until the probes are live. Raises the worker's error, or Interrupted when a signal asks to end or ``changed`` names one."""
        while True:
            self.update()
            if self.failure is not None:
                raise self.failure
            if self.live:
                gc.enable()
                return
            if self._worker.link.ended:
                raise EbtraceError(f"the tracer {self._worker.leave(_PATIENCE_S) or 'ended'} before it was ready", HostError.default_remedy)
            number = changed()
            if number:
                raise Interrupted(number)
            info = self._watch.wait()
            if info is not None and info.si_signo in ASKING_TO_END:
                raise Interrupted(info.si_signo)

    def finish(self, exit_status: int | None) -> None:
        """Asks the worker to end, and waits until the session is written. Ctrl-C leaves it to end alone."""
        if self.gone():
            return
        self._watch.forget()
        since = time.monotonic()
        self._worker.link.send({"do": "stop", "exit_status": exit_status})
        while True:
            self.update()
            if self.gone():
                return
            info = self._watch.wait()
            if info is not None and info.si_signo in ASKING_TO_END and time.monotonic() - since > _DEAF_S:
                return

    def leave(self) -> str:
        """Ends the conversation. How the worker died, if it did; see Worker.leave."""
        if not self.gone():
            self._worker.link.close()
            return ""
        how = self._worker.leave(_PATIENCE_S)
        self._worker.link.close()
        return how

    def sum_up(self, output: Output, wanted: Settings) -> bool:
        """Tells on stderr how the session ended. False when it is incomplete."""
        gone, how = self.gone(), self.leave()
        done = self.done
        if done is None or self.failure is not None:
            why = self.failure.message if self.failure is not None else f"the tracer {how or 'ended'}" if gone else "not waited for"
            say(f"ebtrace: the session is incomplete, but readable up to its last block: {why}\nsee: ebtrace stats {_quoted(output.path)}")
            return False
        for problem in done.get("problems", ()):
            say(f"ebtrace: {problem}")
        if not wanted.quiet:
            say("\n".join(f"ebtrace: {line}" for line in _summary(done, output.path)))
        return True


def report_ready(wanted: Settings, pid: int, identity: Identity | None) -> None:
    """Writes the --ready-file, whole or not at all."""
    if wanted.ready_file is not None:
        with acting_as(identity):
            scratch = f"{wanted.ready_file}.{os.getpid()}"
            with open(scratch, "w") as file:
                file.write(f"{pid}\n")
            os.replace(scratch, wanted.ready_file)


def _summary(done: Message, path: str) -> list[str]:
    count = done.get("processes")
    processes = "" if count is None else " of 1 process" if count == 1 else f" of {count:,} processes"
    lanes = done.get("ledger", {})
    total = {word: sum(lane.get(word, 0) for lane in lanes.values()) for word in ("counted", "delivered", "sampled_out", "lost")}
    where = ", ".join(f"{name} {lane['lost']:,}" for name, lane in lanes.items() if lane.get("lost"))
    return [
        f"{done['calls']:,} calls{processes} in {done['session_bytes']:,} bytes",
        f"{total['counted']:,} events = {total['delivered']:,} delivered + {total['sampled_out']:,} sampled out + {total['lost']:,} lost"
        + (f" ({where})" if where else ""),
        f"see: ebtrace stats {_quoted(path)}",
    ]


def _quoted(path: str) -> str:
    """As one has to type it in a shell."""
    from shlex import quote  # brings its own scanner along, which would have kept the target waiting

    return quote(path)
