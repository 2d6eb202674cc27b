"""What reading TLS in clear costs: time per call of SSL_write and SSL_read, and a large download."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from tracer.bench.lab import Lab, Session
from tracer.bench.program import Program
from tracer.bench.rows import Budget, Row
from tracer.bench.whole import overhead
from tracer.errors import EbtraceError

__all__ = ("CALLS", "DOWNLOAD", "GIGABIT", "READ", "WRITE", "download", "tls_calls")

_UNIT = "us"
WRITE = Budget("time per SSL_write", "added to a call with 1 kB", _UNIT, 5, 5, 10)
READ = Budget("time per SSL_read", "the same for 1 kB read", _UNIT, 5, 5, 10)
SEND = Budget("SSL_write and send", "added to a call with 1 kB that makes a system call, which is traced, too", _UNIT)
RECEIVE = Budget("SSL_read and receives", "the same for 1 kB read, with two system calls", _UNIT)
GIGABIT = Budget("overhead: download", "100 MB over TLS by curl at 1 Gbit/s: added from fork to end", "%", 3, 3, 6)
DOWNLOAD = Budget("worst download", "the same as fast as loopback and two ends on this machine go", "%")

CALLS = {"memory": (WRITE, READ), "calls": (SEND, RECEIVE)}  # what a round of the storm is called, and its rows

_MEGABYTES = 100
_GIGABIT = 125_000_000  # bytes a second
_NEEDS = "needs OpenSSL's headers: apt install libssl-dev"


def tls_calls(lab: Lab, kind: str, rounds: int, calls: int, told: Callable[[str], None]) -> list[Row]:
    """Microseconds added to each of the two. Each pair has a connection of its own, on which both of its rounds run."""
    storm, budgets = _compiled(lab), CALLS[kind]
    if storm is None:
        return [budget.skipped(_NEEDS) for budget in budgets]
    plain: list[list[float]] = []
    added: list[list[float]] = []
    wrong = ""
    for number in range(rounds):
        told(f"time per call of TLS, round {number + 1} of {rounds}")
        with _started(lab, storm, kind, str(calls)) as program:
            program.round()  # pages and branches are warm from here on
            without = _ns(program)
            with lab.attached(program.pid) as session:
                traced = _ns(program)
            plain.append(without)
            added.append([(after - before) / 1e3 for after, before in zip(traced, without)])
            wrong = wrong or _unseen(session, 2 * calls)
    return [
        budget.measured([pair[side] for pair in added], wrong or f"{median(pair[side] for pair in plain) / 1e3:.1f} us without ebtrace", bool(wrong))
        for side, budget in enumerate(budgets)
    ]


def download(lab: Lab, budget: Budget, rounds: int, told: Callable[[str], None]) -> Row:
    """Percent that curl takes longer for a large file when `ebtrace run` traces it; the server is not traced."""
    curl, storm = shutil.which("curl"), _compiled(lab)
    if curl is None or storm is None:
        return budget.skipped("needs curl: apt install curl" if storm else _NEEDS)
    with _started(lab, storm, "serve", str(_MEGABYTES), str(_GIGABIT if budget is GIGABIT else 0)) as server:
        words = [curl, "-q", "-s", "-S", "-k", "-o", "/dev/null", f"https://localhost:{int(server.line())}/"]
        row = overhead(lab, budget, rounds, told, words)
    wrong = _unseen(lab.session(), (_MEGABYTES << 20) // (16 << 10))
    return budget.measured(row.samples, wrong or row.note, bool(wrong))


def _ns(program: Program) -> list[float]:
    return [float(word) for word in program.round().split()]


def _unseen(session: Session, calls: int) -> str:
    """What is wrong if what was to cost something did not take place."""
    counted = session.ledger.get("plaintext", {}).get("counted", 0)
    return f"{calls:,} calls were made, and {counted:,} seen" if counted < calls else ""


@contextmanager
def _started(lab: Lab, storm: str, *words: str) -> Iterator[Program]:
    with Program([storm, *words], lab.environment) as program:
        if not program.line().startswith("ready"):
            raise EbtraceError("the storm of TLS did not say that it is ready")
        yield program


def _compiled(lab: Lab) -> str | None:
    """The path of the target; None where OpenSSL's headers are missing."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tlsstorm.c")
    program = os.path.join(lab.folder, "tlsstorm")
    words = [lab.compiler, "-O2", "-o", program, source, "-lssl", "-lcrypto"]
    if not os.path.exists(program):
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return program if os.path.exists(program) else None
