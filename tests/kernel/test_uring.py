"""Operations of io_uring: every one in the totals and the records, under the name of who submitted it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import need
from tracer.kinds import SocketKind
from tracer.records import SYSNO_URING
from tracer.session.format import BlockKind
from tracer.session.reader import open_session


@pytest.fixture(autouse=True)
def _able() -> None:
    switch = Path("/proc/sys/kernel/io_uring_disabled")
    need(not switch.exists() or switch.read_text().strip() == "0", "io_uring is switched off: sysctl kernel.io_uring_disabled=0")


def operations(session: Session) -> dict[str, tuple[int, int, int]]:
    """Calls, errors and bytes of every operation."""
    return {name.removeprefix("io_uring:"): (row["calls"], row["errors"], row["bytes"]) for name, row in session.rows.items() if ":" in name}


def sockets(session: Session) -> list[dict[str, int]]:
    """The socket records, in the order in which they were written."""
    with open_session(str(session.path)) as read:
        return [dict(zip(("kind", "call", "fd", "proc", "local_port", "remote_port"), row, strict=True))
                for table in read.tables(BlockKind.SOCKETS)
                for row in zip(*(table[name].tolist() for name in ("kind", "call", "fd", "proc", "local_port", "remote_port")), strict=True)]


@pytest.mark.parametrize("command", ["nop 1009", "sqpoll 1009"])
def test_every_operation_is_counted_once(lab: Lab, command: str) -> None:
    session = lab.trace(f"uring {command}").whole()
    assert operations(session) == {"nop": (1009, 0, 0)}
    calls = session.calls_of("io_uring:nop")
    assert [call["args"]["user_data"] for call in calls] == list(range(1009))
    assert {call["pid"] for call in calls} == {session.stats["session"]["pid"]}
    assert all(call["duration_ns"] > 0 for call in calls)


def test_a_copy_has_paths_and_bytes(lab: Lab) -> None:
    before, after = lab.file(".in"), lab.file(".out")
    before.write_bytes(os.urandom(7063))
    session = lab.trace([lab.target("uring"), "copy", str(before), str(after)]).whole()
    assert after.read_bytes() == before.read_bytes()
    assert operations(session) == {"openat": (2, 0, 0), "read": (8, 0, 7063), "write": (7, 0, 7063), "close": (2, 0, 0)}
    assert [call["args"]["path"] for call in session.calls_of("io_uring:openat")] == [str(before), str(after)]
    source = session.calls_of("io_uring:openat")[0]["ret"]
    assert {(call["args"]["fd"], call["args"]["size"]) for call in session.calls_of("io_uring:read")} == {(source, 1009)}
    # Half of the reads are made by a thread of the kernel; they still belong to who asked for them.
    assert {(call["pid"], call["tid"]) for call in session.calls_of("io_uring:read")} == {(session.stats["session"]["pid"],) * 2}


def test_a_server(lab: Lab) -> None:
    session = lab.trace("uring serve").whole()
    done = operations(session)
    # One request accepts all three; it ends with an error when the ring is closed.
    assert done == {"accept": (4, 1, 0), "recv": (3, 0, 303), "send": (3, 0, 633), "close": (3, 0, 0)}
    assert len({call["ret"] for call in session.calls_of("io_uring:accept") if call["ret"] >= 0}) <= 3


def test_completions_that_nobody_hears_of(lab: Lab) -> None:
    session = lab.trace("uring skip 101").whole()
    assert operations(session) == {"nop": (102, 0, 0)}
    # Their results are read when the request is used again; when they ended, nobody knows.
    assert session.rows["io_uring:nop"]["unfinished"] == 0
    assert sum(call.get("untimed", False) for call in session.calls_of("io_uring:nop")) == 101


def test_results_that_nobody_hears_of(lab: Lab) -> None:
    path = lab.file(".in")
    path.write_bytes(bytes(100))
    session = lab.trace([lab.target("uring_odd"), "quiet", str(path), "13"]).whole()
    assert operations(session) == {"read": (13, 0, 91), "nop": (1, 0, 0)}


def test_what_is_under_way_at_the_end(lab: Lab) -> None:
    target = lab.start("uring pending")
    tracer = lab.attach(target.pid)
    target.release()
    assert target.line() == "submitted"
    os.kill(tracer.pid, 2)
    session = tracer.finish().whole()
    assert operations(session)["read"][0] == 1
    assert [call["unfinished"] for call in session.calls_of("io_uring:read")] == [True]


def test_without_records(lab: Lab) -> None:
    for option in ("--summary", "--counts"):
        session = lab.trace("uring nop 1009", option).whole()
        assert session.calls("io_uring:nop") == 1009


def test_only_io_uring(lab: Lab) -> None:
    session = lab.trace("uring nop 101", "-e", "io_uring:nop").whole()
    assert set(session.rows) == {"io_uring:nop"}
    assert {event["name"] for event in session.events if event["type"] == "syscall"} == {"io_uring:nop"}


def test_what_the_kernel_turns_down(lab: Lab) -> None:
    session = lab.trace("uring_odd refused").whole()
    assert operations(session) == {"unknown": (1, 1, 0), "fsync": (1, 1, 0), "nop": (1, 0, 0)}
    assert [call["args"] for call in session.calls_of("io_uring:fsync")] == [{"fd": 1, "registered": 0, "user_data": 2}]


def test_links_and_timeouts(lab: Lab) -> None:
    session = lab.trace("uring_odd links").whole()
    assert operations(session) == {"read": (2, 2, 0), "link_timeout": (1, 1, 0), "nop": (1, 1, 0)}
    assert sorted(call["error"] for call in session.calls_of("io_uring:read")) == ["EBADF", "ECANCELED"]


def test_a_cancelled_operation(lab: Lab) -> None:
    session = lab.trace("uring_odd cancel").whole()
    assert operations(session) == {"read": (1, 1, 0), "async_cancel": (1, 0, 0)}


def test_operations_of_a_program_that_ends(lab: Lab) -> None:
    session = lab.trace("uring_odd dies").whole()
    assert operations(session) == {"read": (1, 1, 0)}
    assert [call["error"] for call in session.calls_of("io_uring:read")] == ["ECANCELED"]


def test_names(lab: Lab) -> None:
    folder = lab.file(".d")
    folder.mkdir()
    session = lab.trace(["/bin/sh", "-c", f"exec {lab.target('uring_odd')} names {folder}"]).whole()
    assert session.calls_of("io_uring:mkdirat")[0]["args"] == {"dirfd": -100, "path": "made", "mode": 0o755, "user_data": 0}
    assert [call.get("created", False) for call in session.calls_of("io_uring:openat")] == [True, False]
    assert {call["args"]["path"] for call in session.calls_of("io_uring:openat")} == {"made/a"}
    assert session.calls_of("io_uring:renameat")[0]["args"] == {"olddirfd": -100, "oldpath": "made/a", "newdirfd": -100, "newpath": "made/b"}
    assert session.calls_of("io_uring:linkat")[0]["args"] == {"olddirfd": -100, "oldpath": "made/b", "newdirfd": -100, "newpath": "made/c"}
    assert session.calls_of("io_uring:symlinkat")[0]["args"] == {"target": "b", "newdirfd": -100, "linkpath": "made/d"}
    assert [call["error"] for call in session.calls_of("io_uring:statx")] == ["ENOENT"]
    assert session.calls_of("io_uring:unlinkat")[0]["args"]["path"] == "made/c"


def test_registered_files(lab: Lab) -> None:
    path = lab.file(".in")
    path.write_bytes(bytes(100))
    session = lab.trace([lab.target("uring_odd"), "registered", str(path)]).whole()
    assert [call["args"]["direct"] for call in session.calls_of("io_uring:openat")] == [1]
    for name in ("read", "close"):
        assert [(call["args"]["fd"], call["args"]["registered"]) for call in session.calls_of(f"io_uring:{name}")] == [(0, 1)]


def test_sockets_and_their_addresses(lab: Lab) -> None:
    session = lab.trace("uring_odd sockets").whole()
    listener, client, server, port = map(int, session.output.splitlines()[-1].split())
    bound = [row for row in sockets(session) if row["kind"] == SocketKind.BOUND and row["call"] >= SYSNO_URING]
    assert [(row["fd"], row["local_port"], row["remote_port"]) for row in bound if row["fd"] in (client, server)][-2:] == [
        (client, bound[-1]["remote_port"], port), (server, port, bound[-2]["local_port"])]
    assert {row["fd"] for row in bound} == {listener, client, server}
    assert {row["proc"] for row in bound} == {bound[0]["proc"]}
    (call,) = session.calls_of("io_uring:connect")
    assert (call["args"]["fd"], call["args"]["addr"]) == (client, f"127.0.0.1:{port}")
    assert call["names"]["fd"].startswith("tcp 127.0.0.1:")


def test_one_request_that_receives_many_messages(lab: Lab) -> None:
    session = lab.trace("uring_odd chosen 5").whole()
    assert operations(session) == {"provide_buffers": (1, 0, 0), "recv": (6, 0, 25)}
    assert {call["args"]["user_data"] for call in session.calls_of("io_uring:recv")} == {77}


def test_the_thread_that_submits(lab: Lab) -> None:
    session = lab.trace("uring_odd thread 7").whole()
    thread = int(session.output.splitlines()[-1])
    assert {(call["pid"], call["tid"]) for call in session.calls_of("io_uring:nop")} == {(session.stats["session"]["pid"], thread)}
    assert session.calls("io_uring:nop") == 7


def test_operations_that_were_under_way_before(lab: Lab) -> None:
    target = lab.start("uring_odd armed")
    tracer = lab.attach(target.pid)
    target.release()
    assert target.end() == 0
    session = tracer.finish().whole()
    # The accept says that more will come, and names no request: what it is of, nobody knows.
    assert operations(session) == {"read": (1, 0, 7), "unknown": (1, 0, 0), "nop": (3, 0, 0)}
    assert [(call["untimed"], call["args"]["fd"], call["args"]["size"]) for call in session.calls_of("io_uring:read")] == [(True, -1, 0)]
    assert session.rows["io_uring:read"]["p50_ns"] is None
