"""bpf/syscalls.c: every call counted once, with its result, bytes and latency; strace is asked whether it is true."""

from __future__ import annotations

import platform
from typing import Any

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import cli, need

# Commands whose calls do not depend on timing, not even under ptrace.
DETERMINISTIC = (
    "family", "forks 101", "signals interrupt 5", "signals restart 5", "denied 211", "execs fail", "execs chain 1000 3", "execs thread /bin/true",
)


@pytest.mark.parametrize("command", DETERMINISTIC)
def test_counts_of_a_run_equal_those_of_strace(lab: Lab, command: str) -> None:
    session = lab.trace(command, status=5 if command == "family" else 0).whole()
    assert session.returned == lab.strace(command)


@pytest.mark.parametrize("option", ["--transport=ring", "--transport=perf", "--summary", "--counts"])
def test_counts_do_not_depend_on_transport_or_detail(lab: Lab, option: str) -> None:
    session = lab.trace("family", option, status=5).whole()
    assert session.returned == lab.strace("family")
    assert (sum(row["total_ns"] for row in session.rows.values()) > 0) == (option != "--counts")
    if not option.startswith("--transport"):
        assert not [event for event in session.events if event["type"] == "syscall"]


@pytest.fixture
def bare(lab: Lab) -> Session:
    """A target that makes no calls of its own: what the loader and the start-up cost."""
    return lab.trace("calls")


def more(session: Session, bare: Session, name: str) -> dict[str, Any]:
    """By how much the columns of one syscall grew."""
    counted = ("calls", "errors", "bytes", "unfinished")
    zero = dict.fromkeys(counted, 0)
    return {key: session.rows[name][key] - bare.rows.get(name, zero)[key] for key in counted}


def test_calls_errors_and_bytes_are_exact(lab: Lab, bare: Session) -> None:
    session = lab.trace("calls getppid 10007 zero 1009 null 2003 openat 503 access 307 badread 101").whole()
    assert more(session, bare, "getppid") == {"calls": 10007, "errors": 0, "bytes": 0, "unfinished": 0}
    assert more(session, bare, "read") == {"calls": 1009 + 101, "errors": 101, "bytes": 7 * 1009, "unfinished": 0}
    assert more(session, bare, "write") == {"calls": 2003, "errors": 0, "bytes": 3 * 2003, "unfinished": 0}
    assert more(session, bare, "openat") == {"calls": 503 + 2, "errors": 0, "bytes": 0, "unfinished": 0}
    assert more(session, bare, "close") == {"calls": 503, "errors": 0, "bytes": 0, "unfinished": 0}
    assert more(session, bare, "faccessat") == {"calls": 307, "errors": 307, "bytes": 0, "unfinished": 0}
    assert session.stats["ledger"]["syscalls"]["counted"] == sum(row["calls"] for row in session.rows.values())


def test_records_hold_the_results(lab: Lab) -> None:
    session = lab.trace("calls getppid 211 zero 101 access 13").whole()
    assert session.tracer
    assert [call["ret"] for call in session.calls_of("getppid")] == [session.tracer.pid] * 211
    assert [call["ret"] for call in session.calls_of("read")].count(7) == 101
    assert [call["error"] for call in session.calls_of("faccessat")] == ["ENOENT"] * 13


def test_latency_is_at_least_the_time_slept(lab: Lab) -> None:
    session = lab.trace("calls sleep 3").whole()
    row, sleeps = session.rows["clock_nanosleep"], session.calls_of("clock_nanosleep")
    assert row["calls"] == len(sleeps) == 3
    assert all(call["duration_ns"] >= 50_000_000 for call in sleeps)
    assert row["total_ns"] == sum(call["duration_ns"] for call in sleeps)
    assert row["max_ns"] == max(call["duration_ns"] for call in sleeps)
    assert 2**25 <= row["p50_ns"] <= row["p99_ns"] <= row["max_ns"]  # the histogram's bucket of 50 ms starts at 2**25 ns
    starts = [call["ts_ns"] for call in sleeps]
    assert starts[1] - starts[0] >= 50_000_000 <= starts[2] - starts[1]


def test_histograms_hold_every_call_that_was_timed(lab: Lab) -> None:
    from tracer.session.format import BlockKind
    from tracer.session.reader import open_session

    session = lab.trace("family", status=5).whole()
    tables = list(open_session(session.path).tables(BlockKind.TOTALS))
    timed = sum(int(table["histogram"].sum()) for table in tables)
    assert timed == sum(row["calls"] - row["unfinished"] for row in session.rows.values())


@pytest.mark.parametrize("expression", [
    "trace=getppid", "trace=%file", "trace=%process,read", "trace=!getppid,read", "trace=/^get", "getuid,write",
    "trace=?nosuchcall,close", "trace=none", "trace=%desc", "trace=!%memory", "trace=all", "!execve",
])
def test_filters_mean_what_they_mean_to_strace(lab: Lab, expression: str) -> None:
    session = lab.trace("family", "-e", expression, status=5).whole()
    assert session.returned == lab.strace("family", "-e", expression)


def test_filter_of_an_unknown_call_is_refused(lab: Lab) -> None:
    refused = cli("run", "-o", lab.file(".ebt"), "-e", "trace=nosuchcall", "--", "/bin/true")
    assert refused.returncode == 2
    assert "nosuchcall" in refused.stderr
    assert list(lab.folder.glob("*.ebt")) == []


def test_sampling_leaves_totals_exact_and_keeps_errors_slow_calls_and_opens(lab: Lab, bare: Session) -> None:
    session = lab.trace("calls getppid 20011 access 1009 sleep 2 openat 503", "--sample", "10").whole()
    assert more(session, bare, "getppid")["calls"] == 20011
    assert more(session, bare, "openat")["calls"] == len(session.calls_of("openat")) - bare.calls("openat") == 503
    assert len(session.calls_of("faccessat")) == session.rows["faccessat"]["errors"] == 1009
    assert len(session.calls_of("clock_nanosleep")) == 2
    lane = session.stats["ledger"]["syscalls"]
    assert lane["sampled_out"] > 0
    assert lane["delivered"] + lane["sampled_out"] == lane["counted"] == sum(row["calls"] for row in session.rows.values())
    assert 1600 < len(session.calls_of("getppid")) < 2400  # 9 standard deviations around one in ten


@pytest.mark.parametrize(("case", "status", "call"), [("futex", 3, "futex"), ("exit", 4, "exit")])
def test_calls_that_never_return_are_unfinished(lab: Lab, case: str, status: int, call: str) -> None:
    session = lab.trace(f"blocked {case}", status=status).whole()
    assert session.rows[call]["unfinished"] == session.rows[call]["calls"] == (3 if call == "futex" else 1)
    assert session.rows["exit_group"]["unfinished"] == session.rows["exit_group"]["calls"] == 1
    assert all(event.get("unfinished") for event in session.calls_of(call))


def test_a_call_denied_by_seccomp_has_no_latency(lab: Lab) -> None:
    session = lab.trace("denied 211").whole()
    row = session.rows["getppid"]
    assert (row["calls"], row["errors"], row["total_ns"], row["max_ns"]) == (211, 211, 0, 0)
    assert {call["error"] for call in session.calls_of("getppid")} == {"EPERM"}


def test_a_stopped_and_continued_sleep_is_restarted(lab: Lab) -> None:
    session = lab.trace("signals stop 2").whole()
    assert (session.rows["nanosleep"]["calls"], session.rows["nanosleep"]["errors"]) == (2, 2)
    assert (session.rows["restart_syscall"]["calls"], session.rows["restart_syscall"]["errors"]) == (2, 0)


def test_numbers_that_no_table_holds(lab: Lab) -> None:
    session = lab.trace("calls 505 7 100000 11 -1 13").whole()
    assert (session.rows["syscall_505"]["calls"], session.rows["syscall_505"]["errors"]) == (7, 7)
    assert (session.rows["unknown"]["calls"], session.rows["unknown"]["errors"]) == (24, 24)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is an x86 instruction")
def test_32_bit_calls_have_rows_of_their_own(lab: Lab) -> None:
    compat = lab.start("compat 23")
    tracer = lab.attach(compat.pid)
    compat.release()
    need(compat.end() == 0, "needs a kernel with 32-bit calls (CONFIG_IA32_EMULATION)")
    session = tracer.finish().whole()
    assert session.rows["getpid (32-bit)"]["calls"] == 23
    assert [call["ret"] for call in session.calls_of("getpid (32-bit)")] == [compat.pid] * 23
    assert session.calls("getpid") == 0 or session.calls("writev") == 0  # number 20 is writev to 64-bit code
