"""Traces targets with ebtrace and strace, and checks what holds for every session."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.kernel.support import EBTRACE, Program, cli, wait_until

__all__ = ("Lab", "Session", "Tracer")

STRACE = ("strace", "-f", "-c", "-U", "name,calls,errors")


class Session:
    """A session file as the two reading commands show it."""

    def __init__(self, path: Path, tracer: Tracer | None = None) -> None:
        self.path = path
        self.tracer = tracer

    @property
    def output(self) -> str:
        """What `ebtrace run` and the target wrote to stdout."""
        assert self.tracer
        return self.tracer.rest

    @cached_property
    def stats(self) -> dict[str, Any]:
        """``ebtrace stats --json``; the ledger of every lane is checked on the way."""
        shown = cli("stats", "--json", self.path)
        assert shown.returncode == 0, shown.stderr
        stats: dict[str, Any] = json.loads(shown.stdout)
        for name, lane in stats["ledger"].items():
            assert lane["delivered"] + lane["sampled_out"] + lane["lost"] == lane["counted"], f"ledger of {name}: {lane}"
        return stats

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """``ebtrace export --to jsonl``; all that the ledger calls delivered is there."""
        shown = cli("export", self.path, "--to", "jsonl", "-o", "-")
        assert shown.returncode == 0, shown.stderr
        events = [json.loads(line) for line in shown.stdout.splitlines()]
        unseen = {"syscalls": self.stats["session"]["for_names"], "lifecycle": 0}
        for lane, kinds in {"syscalls": ("syscall",), "lifecycle": ("fork", "thread", "found", "exec", "exit")}.items():
            assert sum(event["type"] in kinds for event in events) + unseen[lane] == self.stats["ledger"][lane]["delivered"]
        return events

    def calls_of(self, name: str) -> list[dict[str, Any]]:
        """The detail records of one syscall."""
        return [event for event in self.events if event["type"] == "syscall" and event["name"] == name]

    @cached_property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of the syscall table by name."""
        return {row["name"]: row for row in self.stats["syscalls"]}

    def calls(self, name: str) -> int:
        return self.rows[name]["calls"] if name in self.rows else 0

    @cached_property
    def returned(self) -> dict[str, tuple[int, int]]:
        """Calls that returned, and errors, by name: what strace -c counts."""
        counts = {name: (row["calls"] - row["unfinished"], row["errors"]) for name, row in self.rows.items()}
        return {name: count for name, count in counts.items() if count[0]}

    @cached_property
    def processes(self) -> dict[int, dict[str, Any]]:
        """The processes by pid; in a short session no pid comes twice."""
        counts = Counter(process["pid"] for process in self.stats["processes"])
        twice = [process for process in self.stats["processes"] if counts[process["pid"]] > 1]
        assert not twice, [{name: value for name, value in process.items() if name != "syscalls"} for process in twice[:4]]
        return {process["pid"]: process for process in self.stats["processes"]}

    @property
    def lost(self) -> int:
        return sum(lane["lost"] for lane in self.stats["ledger"].values())

    def whole(self) -> Session:
        """Checks that the session has its end, lost nothing, and says no problem; returns itself."""
        assert self.stats["session"]["complete"] is True
        assert self.lost == 0, self.stats["ledger"]
        assert self.stats["session"]["problems"] == [], self.stats["session"]["problems"]
        return self


class Tracer(Program):
    """An ebtrace that traces."""

    def __init__(self, words: Iterable[str | Path], path: Path, **options: Any) -> None:
        super().__init__([EBTRACE, *words], **options)
        self.path = path

    def worker(self, target: int | None = None) -> int:
        """Pid of the half that holds the probes: the front's child that is not the target."""
        (pid,) = (pid for pid in self.children() if pid != target)
        return pid

    def finish(self) -> Session:
        """Waits until the tracer has ended by itself, and well; returns its session."""
        status = self.end()
        assert status == 0, (status, self.stderr)
        return Session(self.path, self)


class Lab:
    """One test's folder and all that runs in it."""

    def __init__(self, folder: Path, target: Callable[[str], str]) -> None:
        self.folder = folder
        self.target = target
        self._running: list[Program] = []
        self._files = 0

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._running):
            program.close()

    def file(self, suffix: str) -> Path:
        """A path in the folder that nothing else has."""
        self._files += 1
        return self.folder / f"{self._files}{suffix}"

    def _words(self, command: str) -> list[str]:
        """``"calls getppid 7"`` with the program's path in front."""
        name, *rest = command.split()
        return [self.target(name), *rest]

    def program(self, words: Iterable[str | Path], **options: Any) -> Program:
        """Any program."""
        program = Program(words, **options)
        self._running.append(program)
        return program

    def start(self, command: str, **options: Any) -> Program:
        """A target that has said ready and waits to be released."""
        program = self.program(self._words(command), **options)
        program.ready()
        return program

    def tracer(self, *words: str | Path, path: Path | None = None, **options: Any) -> Tracer:
        """``ebtrace WORDS``, in the background; -o is added."""
        path = path or self.file(".ebt")
        verb, *rest = words
        tracer = Tracer([verb, "-o", path, *rest], path, **options)
        self._running.append(tracer)
        return tracer

    def attach(self, pid: int, *options: str | Path, **more: Any) -> Tracer:
        """A tracer whose probes are live on pid."""
        ready = self.file(".ready")
        tracer = self.tracer("attach", "-p", str(pid), "--ready-file", ready, *options, **more)
        wait_until(lambda: ready.exists() or tracer.popen.poll() is not None)
        assert ready.exists(), (tracer.popen.returncode, tracer.stderr)
        return tracer

    def trace(self, command: str | list[str], *options: str | Path, status: int = 0, **more: Any) -> Session:
        """Runs a target (or a command given as a list) under ``ebtrace run`` to its end; returns its session."""
        words = self._words(command) if isinstance(command, str) else command
        tracer = self.tracer("run", *options, "--", *words, **({"stdin": subprocess.DEVNULL} | more))
        got = tracer.end()
        assert got == status, (got, tracer.stderr)
        return Session(tracer.path, tracer)

    def strace(self, command: str, *options: str, **more: Any) -> dict[str, tuple[int, int]]:
        """Calls that returned, and errors, by name: what strace counts for the same command."""
        table = self.file(".strace")
        strace = self.program([*STRACE, "-o", table, *options, "--", *self._words(command)], **({"stdin": subprocess.DEVNULL} | more))
        strace.end()
        return _strace_counts(table)

    def strace_attached(self, program: Program) -> dict[str, tuple[int, int]]:
        """The same for a target that waits to be released."""
        table = self.file(".strace")
        before = _sleeps(program.pid)
        strace = self.program([*STRACE, "-o", table, "-p", str(program.pid)])
        # Three more: stopped by strace, stopped again where it enters its call anew, and waiting in that.
        wait_until(lambda: f"Process {program.pid} attached" in strace.stderr and _sleeps(program.pid) >= before + 3)
        program.release()
        program.end()
        strace.end()
        return _strace_counts(table)


def _sleeps(pid: int) -> int:
    """How often the first thread has gone to sleep so far."""
    return int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[0])


def _strace_counts(path: Path) -> dict[str, tuple[int, int]]:
    """Calls and errors by name from the table of ``strace -c -U name,calls,errors``; it is empty if no call was made."""
    _, *tables = re.split(r"^-.*\n", path.read_text(), flags=re.MULTILINE)
    rows = [line.split() for line in tables[0].splitlines()] if tables else []
    return {row[0]: (int(row[1]), int(row[2]) if len(row) > 2 else 0) for row in rows}
