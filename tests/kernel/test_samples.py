"""tracer/stream/sampler.py: memory and CPU time of processes that the trace does not see end."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import Program, wait_until
from tracer.target.snapshot import snapshot

MEMORY, CPU_S = 64 << 20, 0.7
WORK = f"""
import os, sys, time
print("ready", os.getpid(), flush=True)
sys.stdin.readline()
data = bytearray({MEMORY})
data[::4096] = b"x" * (len(data) // 4096)
del data
end = time.process_time() + {CPU_S}
while time.process_time() < end:
    pass
print("done", flush=True)
sys.stdin.readline()
"""


def _worker(lab: Lab) -> Program:
    worker = lab.program([sys.executable, "-c", WORK])
    worker.ready()
    return worker


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def _cpu_ns(pid: int) -> int:
    return time.clock_gettime_ns(~pid << 3 | 2)


@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_a_process_that_outlives_the_trace(lab: Lab, transport: str) -> None:
    # GIVEN a process that has used known amounts of memory and CPU time while it was traced
    worker = _worker(lab)
    before = _cpu_ns(worker.pid)
    tracer = lab.attach(worker.pid, "--transport", transport)
    worker.release()
    assert worker.line() == "done"
    wait_until(lambda: Path(f"/proc/{worker.pid}/syscall").read_text().startswith("0 0x0 "))
    # WHEN the trace ends before it
    os.kill(tracer.pid, signal.SIGINT)
    session = tracer.finish().whole()
    # THEN it is known how much it was, although most of the memory has been given back
    process = session.processes[worker.pid]
    assert process["ended_ns"] is None
    assert process["peak_rss_bytes"] == pytest.approx(_peak(worker.pid), rel=0.02)
    assert MEMORY <= process["peak_rss_bytes"] <= MEMORY + (40 << 20)
    assert process["cpu_ns"] == pytest.approx(_cpu_ns(worker.pid), rel=0.02)
    assert process["cpu_ns"] - before >= CPU_S * 1e9


def test_a_daemon_that_a_command_leaves_behind(lab: Lab) -> None:
    fifo = lab.file(".fifo")
    os.mkfifo(fifo)
    session = lab.trace(f"daemon {fifo} 103", status=6).whole()
    daemon = int(session.output.splitlines()[1])
    process = session.processes[daemon]
    assert process["ended_ns"] is None
    assert 100_000 < process["peak_rss_bytes"] < 50 << 20
    assert 0 < process["cpu_ns"] <= _cpu_ns(daemon)
    with fifo.open() as reader:
        assert reader.read() == "done\n"


def test_a_crashed_tracer_has_told_what_it_saw(lab: Lab) -> None:
    worker = _worker(lab)
    tracer = lab.attach(worker.pid)
    worker.release()
    assert worker.line() == "done"
    time.sleep(2.5)  # a look a second, and it has to reach the file
    os.kill(tracer.worker(), signal.SIGKILL)
    tracer.end()
    process = Session(tracer.path).processes[worker.pid]
    assert process["peak_rss_bytes"] == pytest.approx(_peak(worker.pid), rel=0.02)
    assert process["cpu_ns"] >= CPU_S * 1e9


def test_hundreds_of_processes_are_looked_at_cheaply(lab: Lab) -> None:
    crowd = lab.program(["/bin/sh", "-c", "for i in $(seq 500); do sleep 60 & done; echo ready $$; read x; kill $(jobs -p)"])
    crowd.ready()
    begun = time.monotonic()
    session = lab.attach(crowd.pid, "--duration", "4").finish().whole()
    taken = time.monotonic() - begun
    begun = time.process_time()
    snapshot([process["pid"] for process in session.stats["processes"]])
    once = time.process_time() - begun
    crowd.release()
    assert all(process["peak_rss_bytes"] for process in session.stats["processes"])
    assert len(session.stats["processes"]) == 501
    # Start, end and the snapshot of 500 processes; ten looks a second at each of them would take that much once more.
    assert session.stats["tracer"]["cpu_s"] < 1.2 + 2 * once + 0.05 * taken
