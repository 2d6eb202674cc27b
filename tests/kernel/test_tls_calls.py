"""Calls of SSL_write and SSL_read, counted: a C program makes a prime number of them, in each way that OpenSSL has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import need
from tests.kernel.web.compare import all_in_clear, same
from tests.kernel.web.programs import searched
from tests.kernel.web.server import Server

WRITES = 1009


@pytest.fixture(autouse=True)
def _headers() -> None:
    need(Path("/usr/include/openssl/ssl.h").exists(), "needs OpenSSL's headers: apt install libssl-dev")


def check(session: Session, web: Server, printed: str) -> None:
    """One exchange, all of whose bytes were seen; nothing was lost on the way."""
    writes, written, reads, read = map(int, printed.split())
    assert writes == WRITES
    same(session, web, library="openssl")
    (row,) = all_in_clear(session, "openssl")
    assert (row["seen_sent"], row["seen_received"]) == (written, read)
    lane = session.stats["ledger"]["plaintext"]
    assert lane["lost"] == 0
    assert lane["counted"] >= writes + reads  # a call is one record or more
    assert session.calls("uretprobe") == 0  # the probes' own way back to the kernel: not the program's doing


@pytest.mark.parametrize("way", ["", "bio", "ex", "bio ex"])
def test_every_call_is_seen(lab: Lab, web: Server, way: str) -> None:
    session = lab.trace(f"tlscalls {web.port} {WRITES} {way}").whole()
    check(session, web, session.output.splitlines()[-1])


def test_a_static_program_without_symbols(lab: Lab, web: Server) -> None:
    need(Path(f"/usr/lib/{os.uname().machine}-linux-gnu/libssl.a").exists(), "needs OpenSSL as an archive: apt install libssl-dev")
    searched(Path(lab.target("tlscalls-static")))
    session = lab.trace(f"tlscalls-static {web.port} {WRITES}").whole()
    check(session, web, session.output.splitlines()[-1])


@pytest.mark.parametrize("way", ["", "bio", "late", "bio late"])
def test_a_program_that_runs_already(lab: Lab, web: Server, way: str) -> None:
    """With "late" its handshake is over when it is attached to: what comes then is readable all the same."""
    program = lab.start(f"tlscalls {web.port} {WRITES} {way} hold")
    tracer = lab.attach(program.pid)
    program.release()
    printed = program.line()
    program.end()
    check(tracer.finish(), web, printed)


def test_a_seccomp_filter_does_not_kill_it(lab: Lab, web: Server) -> None:
    """A uretprobe is a syscall of its own on some kernels, and a filter that does not know it would end the program."""
    session = lab.trace(f"tlscalls {web.port} {WRITES} seccomp").whole()
    check(session, web, session.output.splitlines()[-1])


def test_two_traces_of_one_library(lab: Lab, web: Server) -> None:
    """Probes sit in the library's file: one trace must not see, nor end, what belongs to another."""
    one, other = (lab.start(f"tlscalls {web.port} {WRITES} hold") for _ in range(2))
    first, second = lab.attach(one.pid), lab.attach(other.pid)
    one.release()
    printed = one.line()
    one.end()
    session = first.finish().whole()
    (row,) = all_in_clear(session, "openssl")
    assert [row["seen_sent"], row["seen_received"]] == [int(printed.split()[1]), int(printed.split()[3])]
    other.release()
    printed = other.line()
    other.end()
    session = second.finish().whole()
    (row,) = all_in_clear(session, "openssl")
    assert [row["seen_sent"], row["seen_received"]] == [int(printed.split()[1]), int(printed.split()[3])]
    assert len(session.stats["http"]) == 1
