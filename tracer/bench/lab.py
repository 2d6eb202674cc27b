"""The benchmark's workshop: compiles the target, attaches tracers to it, and reads the sessions they leave."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tracer.bench.program import PATIENCE_S, Program
from tracer.errors import EbtraceError, HostError

__all__ = ("ATTACHED", "Lab", "Session", "lab")

ATTACHED = "attached.ebt"  # in the lab's folder: the session of the last attach

_TICK_S = 0.002
_SETTLE_S, _REST_S, _RESTS = 3.0, 0.03, 4  # of CPU time, which counts in hundredths of a second


@dataclass
class Session:
    """What a tracer has left behind."""

    ledger: dict[str, Any] = field(default_factory=dict)  # lane -> counted, delivered, sampled_out, lost
    tracer: dict[str, Any] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)  # by number, as the totals say
    size: int = 0  # bytes of the file
    peak_mb: float = 0.0  # of the tracer's processes, without what they share


@dataclass(frozen=True)
class Lab:
    """A folder of its own, with the compiled storm in it."""

    folder: str
    storm: str
    compiler: str
    ebtrace: tuple[str, ...]
    environment: Mapping[str, str]
    patience_s: float | None = PATIENCE_S  # a command that takes longer has hung; None: nothing is known of how long it takes

    @contextmanager
    def start(self, *words: str) -> Iterator[Program]:
        """Within it a storm runs that has said it is ready."""
        with Program([self.storm, *words], self.environment) as program:
            if not program.line().startswith("ready"):
                raise EbtraceError("the storm did not say that it is ready")
            yield program

    @contextmanager
    def attached(self, pid: int, *options: str, settled: bool = True) -> Iterator[Session]:
        """Within it an `ebtrace attach` traces ``pid``; at the end it is stopped, and its session read.

        ``settled``: only from when the tracer rests. In its first moments it loads modules, which costs a CPU, but not the target's calls.
        """
        path, ready = os.path.join(self.folder, ATTACHED), os.path.join(self.folder, "ready")
        if os.path.exists(ready):
            os.unlink(ready)
        words = [*self.ebtrace, "attach", "-q", "--force", "-o", path, "--ready-file", ready, *options, "-p", str(pid)]
        with Program(words, self.environment) as tracer:
            until = time.monotonic() + PATIENCE_S
            while not os.path.exists(ready):
                if tracer.ended() or time.monotonic() > until:
                    raise EbtraceError(f"ebtrace did not attach: {tracer.errors}")
                time.sleep(_TICK_S)
            if settled:
                _settle(tracer.pid)
            session = Session()
            yield session
            session.peak_mb = _peak_mb(tracer.pid)
            tracer.stop()
        _read(path, session)

    def run(self, words: Sequence[str]) -> str:
        """What ``words`` prints when `ebtrace run` traces it."""
        return self.output(self.traced(words))

    def traced(self, words: Sequence[str]) -> list[str]:
        """The command that runs ``words`` under ebtrace."""
        return [*self.ebtrace, "run", "-q", "--force", "-o", os.path.join(self.folder, "run.ebt"), "--", *words]

    def session(self) -> Session:
        """What the last `run` has left."""
        session = Session()
        _read(os.path.join(self.folder, "run.ebt"), session)
        return session

    def output(self, words: Sequence[str]) -> str:
        """What a command prints. Raises EbtraceError when it fails."""
        done = subprocess.run(
            words, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=self.patience_s,
            check=False)
        if done.returncode:
            raise EbtraceError(f"{' '.join(map(os.path.basename, words[:2]))} failed with status {done.returncode}: {done.stderr.strip()}")
        return done.stdout


@contextmanager
def lab(patience_s: float | None = PATIENCE_S) -> Iterator[Lab]:
    """Compiles the storm. Raises HostError where there is no C compiler."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise HostError("the benchmark compiles its target, and there is no C compiler", "install one: apt install gcc libc6-dev")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "storm.c")
    # Under sudo ebtrace acts for the user behind it, who cannot enter this folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    with tempfile.TemporaryDirectory(prefix="ebtrace-bench-") as folder:
        storm = os.path.join(folder, "storm")
        done = subprocess.run([compiler, "-O2", "-o", storm, source], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["it says nothing"])[0]
            raise HostError(f"{compiler} does not compile the benchmark's target: {why}", "apt install gcc libc6-dev")
        yield Lab(folder, storm, compiler, _ebtrace(), environment, patience_s)


def _ebtrace() -> tuple[str, ...]:
    """The command that starts this very ebtrace."""
    script = os.path.join(os.path.dirname(sys.executable), "ebtrace")
    return (script,) if os.access(script, os.X_OK) else (sys.executable, "-c", "from tracer.commands import entry; entry()")


def _children(parent: int) -> list[int]:
    try:
        with open(f"/proc/{parent}/task/{parent}/children") as children:
            return [int(pid) for pid in children.read().split()]
    except FileNotFoundError:
        raise EbtraceError("ebtrace has ended in the middle of a measurement") from None


def _settle(front: int) -> None:
    """Waits until the worker has used no CPU for a moment."""
    until, before, rest = time.monotonic() + _SETTLE_S, -1, 0
    while time.monotonic() < until and rest < _RESTS:
        used = sum(_cpu_ticks(pid) for pid in _children(front))
        rest = rest + 1 if used == before else 0
        before = used
        time.sleep(_REST_S)


def _cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])  # utime, stime


def _peak_mb(front: int) -> float:
    """Peak resident memory of the worker, and what the front and the worker's helpers have to themselves beside it."""
    workers = _children(front)
    peak = sum(_kb(f"/proc/{pid}/status", ("VmHWM:",)) for pid in workers)
    beside = [front, *(pid for worker in workers for pid in _children(worker))]
    return (peak + sum(_kb(f"/proc/{pid}/smaps_rollup", ("Private_Clean:", "Private_Dirty:")) for pid in beside)) / 1024


def _kb(path: str, names: tuple[str, ...]) -> int:
    with open(path) as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names))


def _read(path: str, session: Session) -> None:
    from tracer.session.format import BlockKind
    from tracer.session.reader import open_session

    with open_session(path) as found:
        if not found.complete:
            raise EbtraceError(f"the session is not complete: {'; '.join(found.problems)}")
        session.size = found.size
        for ledger in found.maps(BlockKind.LEDGER):
            session.ledger = ledger["lanes"]
        for tracer in found.maps(BlockKind.TRACER):
            session.tracer = tracer
        for table in found.tables(BlockKind.TOTALS):
            for sysno, calls in zip(table["sysno"].tolist(), table["calls"].tolist()):
                session.calls[sysno] = session.calls.get(sysno, 0) + calls
