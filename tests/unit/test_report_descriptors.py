from pathlib import Path
from typing import Any

import numpy as np
import pytest

from report.activity import activity_of
from report.bindings import key_of
from report.descriptors import Descriptors
from report.files import files_of
from report.processes import lifecycle
from report.strings import Strings
from report.things import Kind
from report.uses import Uses
from tests.unit.descriptor_story import (
    CLONE_FILES,
    FILES,
    MOUNTS,
    O_CLOEXEC,
    S_IFIFO,
    S_IFREG,
    S_IFSOCK,
    Told,
    pair,
)
from tests.unit.report_sessions import AT_FDCWD, ORIGIN
from tracer.kinds import CallFlag, SocketKind
from tracer.session.format import BlockKind
from tracer.session.reader import open_session


def test_things_without_a_path(tmp_path: Path) -> None:
    told = Told()
    for fd, (name, args) in enumerate({
        "epoll_create1": (0,), "eventfd2": (0, 0), "timerfd_create": (0, 0), "inotify_init1": (0,), "fanotify_init": (0, 0), "userfaultfd": (0,),
        "io_uring_setup": (8, 0), "perf_event_open": (0, 0, 0), "memfd_secret": (0,), "landlock_create_ruleset": (0, 0, 0),
        "open_tree": (AT_FDCWD, told.string("/mnt"), 0), "fsopen": (told.string("ext4"), 0), "mq_open": (told.string("q"), 0),
    }.items(), 10):
        told.did(name, fd, *args)
    told.did("pidfd_open", 40, 555, 0)
    told.did("memfd_create", 41, told.string("jit"), 1)
    told.did("bpf", 42, 0, 0x7000, 64)
    told.did("bpf", 3, 1, 0x7000, 64)  # a look-up: its result is no descriptor
    told.did("signalfd4", 43, -1, 0)
    told.did("signalfd4", 43, 43, 0)
    told.did("open_by_handle_at", 44, 3, 0)
    for fd in (3, *range(10, 23), *range(40, 45)):
        told.read(fd)
    assert told.reads(tmp_path) == {
        "unknown": 2, "eventpoll": 1, "eventfd": 1, "timerfd": 1, "inotify": 1, "fanotify": 1, "userfaultfd": 1, "io_uring": 1, "perf_event": 1,
        "secretmem": 1, "landlock-ruleset": 1, "open_tree": 1, "fsopen": 1, "message queue": 1, "pidfd of 555": 1, "memfd:jit": 1, "bpf-map": 1,
        "signalfd": 1}
    assert {path: row.kind for path, row in told.files(tmp_path).items()} == {"unknown": "unknown", "memfd:jit": "memfd"}


def test_exec_closes_what_is_made_to_be_closed(tmp_path: Path) -> None:
    told = Told()
    told.did("pipe2", 0, pair(3, 4), O_CLOEXEC)
    told.did("pipe", 0, pair(5, 6))
    told.did("memfd_create", 7, told.string("m"), 1)
    told.did("io_uring_setup", 8, 8, 0)
    told.did("eventfd2", 9, 0, 0)
    told.did("socket", 10, 2, 1 | O_CLOEXEC, 0)
    told.execed()
    for fd in range(3, 11):
        told.read(fd)
    assert told.reads(tmp_path) == {"unknown": 5, "pipe 2": 2, "eventfd": 1}


def test_pipes_and_pairs(tmp_path: Path) -> None:
    told = Told()
    told.did("pipe2", 0, pair(3, 4), 0)
    told.did("pipe", 0, pair(0, 1))
    told.did("pipe", 0, 0)  # the numbers could not be read
    told.did("socketpair", 0, pair(1, 1), 0, pair(5, 6))
    told.did("write", 7, 4, 0, 7)
    told.read(3, 7)
    told.read(0, 2)
    told.did("vmsplice", 50, 4, 1, 0)
    told.did("tee", 20, pair(3, 1), 20, 0)
    told.did("splice", 30, pair(3, 5), 30, 0)
    activity = told.activity(tmp_path)
    sums = {activity.descriptors.name(thing): (read, written) for thing, read, written in zip(
        *(activity.uses[name].tolist() for name in ("thing", "read_bytes", "written_bytes")))}
    assert sums == {"pipe 1": (57, 57), "pipe 2": (2, 20), "socket": (0, 30)}
    pairs = [thing for thing in activity.things if thing.kind is Kind.SOCKET]
    assert [(thing.family, thing.type, activity.things[thing.peer]) for thing in pairs] == [(1, 1, pairs[1]), (1, 1, pairs[0])]


def test_tables_that_are_shared(tmp_path: Path) -> None:
    told = Told()
    told.forked(2, MOUNTS | FILES)
    told.opened("/by one", 3)
    told.opened("/by two", 4, O_CLOEXEC, proc=2)
    told.read(3, proc=2)
    told.read(4)
    told.forked(3, MOUNTS | FILES, parent=2)
    told.did("close_range", 0, 4, 4, 2, proc=3)  # CLOSE_RANGE_UNSHARE
    told.read(4, proc=3)
    told.read(4)
    told.execed(2)
    told.read(3, proc=2)
    told.read(4, proc=2)
    told.did("close", 0, 3)
    told.read(3, proc=2)
    told.forked(4, MOUNTS | FILES)
    told.did("unshare", 0, CLONE_FILES, proc=4)
    told.did("close", 0, 4, proc=4)
    told.read(4)
    assert told.reads(tmp_path) == {"/by one": 3, "/by two": 3, "unknown": 2}


def test_sockets_get_their_identity(tmp_path: Path) -> None:
    told = Told()
    told.did("socket", 3, 2, 1, 6)
    told.told_socket(SocketKind.BOUND, sock=77, fd=3, family=2, type=1, protocol=6, inode=900)
    told.told_socket(SocketKind.STATE, sock=77)
    told.did("dup", 4, 3)
    told.did("accept", 5, 3)
    told.told_socket(SocketKind.BOUND, sock=78, fd=5, family=2, type=1, protocol=6)
    told.told_socket(SocketKind.BOUND, sock=79, fd=20, family=10, type=2)  # its call was lost
    told.told_socket(SocketKind.BOUND, sock=77, fd=21)
    told.did("io_uring:socket", 6, pair(16, 3), pair(0, 0))
    told.did("io_uring:accept", 7, 3)
    told.did("io_uring:accept", 0, 3, 8)  # into the ring's own table
    told.did("io_uring:accept", 9, 3 | 1 << 32)  # of a registered socket
    for fd in (3, 4, 5, 20, 21, 6, 7, 0, 9):
        told.did("recvfrom", 10 + fd, fd, 100)
    activity = told.activity(tmp_path)
    sums = [(activity.things[thing].sock, activity.things[thing].family, read) for thing, read in zip(
        activity.uses["thing"].tolist(), activity.uses["read_bytes"].tolist())]
    assert sorted(sums, key=str) == sorted([(77, 2, 58), (78, 2, 15), (79, 10, 30), (0, 16, 16), (0, 2, 17), (0, None, 10), (0, None, 19)], key=str)


def test_sockets_that_were_there_before(tmp_path: Path) -> None:
    told = Told(kind="attach")
    told.maps.append((BlockKind.SNAPSHOT, {"files": [
        {"pid": 100, "fd": 3, "path": "socket:[900]", "flags": 0}, {"pid": 101, "fd": 8, "path": "socket:[900]", "flags": 0},
        {"pid": 100, "fd": 4, "path": "pipe:[5]", "flags": 0}, {"pid": 100, "fd": 5, "path": "anon_inode:[eventpoll]", "flags": 0},
        {"pid": 100, "fd": 6, "path": "/memfd:x (deleted)", "flags": 0}, {"pid": 100, "fd": 7, "path": "/log (deleted)", "flags": 0},
        {"pid": 100, "fd": 9, "path": "/log", "flags": 0}, {"pid": 100, "fd": 10, "path": "net:[4026531840]", "flags": 0},
        {"pid": 100, "fd": 11, "path": "anon_inode:inotify", "flags": 0}, {"pid": 100, "fd": 12, "path": "socket:[x]", "flags": 0}]}))
    told.found(1, 1, 100)
    told.found(1, 2, 101)
    told.socket(SocketKind.BOUND, 2, sock=77, fd=3, inode=900, call=1152, family=2)
    told.socket(SocketKind.BOUND, 2, sock=77, fd=8, proc=2, inode=900, call=1152, family=2)
    for fd in (*range(3, 8), *range(9, 13)):
        told.read(fd)
    told.read(8, proc=2)
    activity = told.activity(tmp_path)
    rows = {(activity.descriptors.name(thing), activity.things[thing].sock): 0 for thing in activity.uses["thing"].tolist()}
    assert set(rows) == {("socket", 77), ("pipe:[5]", 0), ("eventpoll", 0), ("memfd:x", 0), ("/log", 0), ("net:[4026531840]", 0), ("inotify", 0),
                         ("socket", 0)}
    assert sorted((row.path, row.deleted, row.reads) for row in files_of(activity)) == [("/log", False, 1), ("/log", True, 1), ("memfd:x", False, 1)]


@pytest.mark.parametrize("early", [False, True])
def test_descriptors_that_are_passed(tmp_path: Path, early: bool) -> None:
    told = Told()
    told.forked(2)
    told.opened("/secret", 3)
    told.did("socket", 4, 1, 1, 0)
    events: list[dict[str, Any]] = [
        {"kind": SocketKind.HANDED, "file": 50, "fd": 3, "inode": 1, "mode": S_IFREG}, {"kind": SocketKind.HANDED, "file": 51, "fd": 4, "sock": 9},
        {"kind": SocketKind.PASSED, "file": 50, "fd": 13, "inode": 1, "mode": S_IFREG, "proc": 2},
        {"kind": SocketKind.PASSED, "file": 51, "fd": 14, "sock": 9, "mode": S_IFSOCK, "proc": 2},
        {"kind": SocketKind.PASSED, "file": 52, "fd": 15, "inode": 7, "dev": 8 << 20 | 1, "mode": S_IFREG, "proc": 2},
        {"kind": SocketKind.PASSED, "file": 53, "fd": 16, "inode": 8, "mode": S_IFIFO, "proc": 2},
        {"kind": SocketKind.PASSED, "fd": 17, "sock": 10, "family": 1, "mode": S_IFSOCK, "proc": 2},
        {"kind": SocketKind.PASSED, "fd": 18, "inode": 9, "proc": 2}, {"kind": SocketKind.PASSED, "fd": -1, "proc": 2}]
    for event in reversed(events) if early else events:
        told.told_socket(**event)
    for fd in range(13, 19):
        told.read(fd, proc=2)
    told.did("write", 5, 4, 0, 5)
    activity = told.activity(tmp_path)
    reads = {(activity.descriptors.name(thing), activity.things[thing].sock) for thing in activity.uses["thing"].tolist()}
    assert reads == {("/secret", 0), ("socket", 9), ("received: inode 7 on device 8:1", 0), ("pipe:[8]", 0), ("socket", 10),
                     ("received: inode 9 on device 0:0", 0)}


def test_a_descriptor_fetched_from_another_process(tmp_path: Path) -> None:
    told = Told()
    told.forked(2)
    told.opened("/theirs", 7, proc=2)
    told.did("pidfd_open", 3, 102, 0)
    told.did("pidfd_getfd", 4, 3, 7, 0)
    told.told_socket(SocketKind.PASSED, fd=4, file=1, inode=5, mode=S_IFREG)
    told.read(4)
    told.did("pidfd_open", 5, 9999, 0)
    told.did("pidfd_getfd", 6, 5, 7, 0)
    told.told_socket(SocketKind.PASSED, fd=6, file=2, inode=6, mode=S_IFREG)
    told.read(6)
    told.execed()
    told.read(4)
    assert told.reads(tmp_path) == {"/theirs": 1, "received: inode 6 on device 0:0": 1, "unknown": 1}


def test_operations_of_io_uring(tmp_path: Path) -> None:
    told = Told()
    told.did("io_uring:openat", 3, AT_FDCWD & 0xFFFFFFFF, told.string("in"))
    told.did("io_uring:openat", 0, AT_FDCWD & 0xFFFFFFFF, told.string("/into the ring"), 5)
    told.did("io_uring:renameat", 0, pair(AT_FDCWD, AT_FDCWD), told.string("/x"), told.string("/y"))
    told.did("io_uring:read", 100, 3, 4096)
    told.did("io_uring:read", 200, 3 | 1 << 32, 4096)  # the third registered file
    told.did("io_uring:close", 0, 3 | 1 << 32)
    told.did("io_uring:writev", 50, 3, 0)
    told.did("io_uring:close", 0, 3)
    told.did("io_uring:read", -9, 3, 4096)
    told.did("io_uring:unlinkat", 0, AT_FDCWD & 0xFFFFFFFF, told.string("/gone"))
    told.did("io_uring:openat2", -2, AT_FDCWD & 0xFFFFFFFF, told.string("/missing"))
    found = told.files(tmp_path)
    assert {path: (row.opens, row.read_bytes, row.written_bytes, row.errors, row.deleted) for path, row in found.items()} == {
        "/home/me/in": (1, 100, 50, 0, False), "/into the ring": (1, 0, 0, 0, False), "unknown": (0, 200, 0, 1, False),
        "/gone": (0, 0, 0, 0, True), "/y": (0, 0, 0, 0, False), "/missing": (0, 0, 0, 1, False)}


def test_times_and_mappings(tmp_path: Path) -> None:
    told = Told()
    told.opened("/lib.so", 3)
    told.did("mmap", 0x7F0000000000, 8192, pair(1, 2), 3)
    told.did("mmap", 0x7F0000000000, 4096, pair(1, 0x22), 3)  # anonymous
    told.did("mmap", -12, 4096, pair(1, 2), 3)
    told.did("mmap", 0x7F0000000000, 4096, pair(1, 2), -1)
    told.call("read", 50_000, 7_000, 5, [3, 0, 5])
    told.call("read", 70_000, 9_000, 0, [3, 0, 5], flags=CallFlag.UNFINISHED)
    row = told.files(tmp_path)["/lib.so"]
    assert (row.mapped_bytes, row.time_ns, row.first_ns, row.last_ns, row.pids) == (8192, 7100, 1000, 79_000, (100,))


def test_datagrams_are_also_summed_by_the_address_they_name(tmp_path: Path) -> None:
    told = Told()
    told.did("socket", 3, 2, 2, 0)
    one, other = told.string(b"\2\0\0\65one"), told.string(b"\2\0\0\65two")
    told.did("sendto", 30, 3, 30, one)
    told.did("sendto", -11, 3, 30, one)
    told.did("recvfrom", 70, 3, 100, one)
    told.did("sendmsg", 5, 3, other)
    told.did("sendto", 9, 3, 9, 0)
    told.did("recvmmsg", 4, 3, 8, 0)
    told.did("sendmmsg", 2, 3, 8, 0)
    activity = told.activity(tmp_path)
    remotes = activity.remotes
    rows = {address: values for address, *values in zip(*(remotes[name].tolist() for name in (
        "address", "reads", "read_bytes", "writes", "written_bytes", "errors")))}
    assert rows == {one: [1, 70, 2, 30, 1], other: [0, 0, 1, 5, 0]}
    [total] = zip(*(activity.uses[name].tolist() for name in ("reads", "read_bytes", "writes", "written_bytes", "errors", "uncounted")))
    assert total == (2, 70, 5, 44, 1, 2)


def test_searches(tmp_path: Path) -> None:
    told = Told()
    for folder in range(12):
        told.opened(f"/lib{folder}/libx.so", -2)
    told.did("newfstatat", -2, AT_FDCWD, told.string("/lib3/libx.so"), 0)
    told.did("newfstatat", 0, AT_FDCWD, told.string("/lib3/libx.so"), 0)
    told.did("access", -13, told.string("/denied"), 0)
    told.did("readlink", -22, told.string("/no link"), 0)
    told.opened("/usr/lib/libx.so", 3)
    told.opened("key", -13)
    told.did("execve", -2, told.string("/usr/local/bin/cc"), 0, 0)
    told.did("execve", -2, told.string("/usr/local/bin/ld"), 0, 0)
    told.now += 1000
    told.exec(told.now, 1, 100, "/usr/bin/cc", "cc")
    told.opened("/", -13)
    with open_session(str(told.write(tmp_path / "a.ebt"))) as session:
        rows = activity_of(session, Strings(session), lifecycle(session), {}).descriptors.searches()
    assert [(row.name, row.error, row.tries, row.tries_elsewhere, row.found, row.pids) for row in rows] == [
        ("libx.so", "ENOENT", 13, 4, "/usr/lib/libx.so", (100,)), ("cc", "ENOENT", 1, 0, "/usr/bin/cc", (100,)),
        ("key", "EACCES", 1, 0, None, (100,)), ("ld", "ENOENT", 1, 0, None, (100,))]
    assert rows[0].folders == tuple(f"/lib{folder}" for folder in range(8))
    assert rows[2].folders == ("/home/me",)


def test_what_each_argument_stands_for_when_the_call_begins_and_ends(tmp_path: Path) -> None:
    told = Told()
    told.opened("/a", 3)
    told.opened("/b", 4)
    told.did("dup2", 4, 3, 4)
    told.did("close", 0, 3)
    told.did("newfstatat", 0, AT_FDCWD, told.string("/x"), 0)
    seen = []
    with open_session(str(told.write(tmp_path / "a.ebt"))) as session:
        descriptors = Descriptors(session, Strings(session), lifecycle(session), {})
        wanted = np.ones(Uses("x86_64", descriptors.names).numbers.shape, np.bool_)
        for window in descriptors.windows(wanted, twice=True):
            rows = np.flatnonzero(window["sysno"] < 1024)
            fds = [{257: -2, 33: 4, 3: 3}.get(int(sysno), -2) for sysno in window["sysno"][rows]]
            keys = key_of(window["proc"][rows], np.array(fds))
            found = descriptors.pass_window(window, [keys])
            before, after = found.things(keys, rows), found.things(keys, rows, after=True)
            for row, one, other in zip(rows.tolist(), before.tolist(), after.tolist()):
                seen.append((int(window["start_ns"][row]) - ORIGIN, int(window["sysno"][row]), bool(window["acts"][row]),
                             descriptors.name(one), descriptors.name(other)))
        assert not len(found.things(np.zeros(0, np.uint64), np.zeros(0, np.intp)))
    assert [entry for entry in seen if entry[1] in (33, 3)] == [
        (3000, 33, False, "/b", "/b"), (3000, 33, True, "/b", "/a"), (4000, 3, True, "/a", "unknown")]
    assert [entry[2] for entry in seen if entry[1] == 262] == [False]
    assert len(seen) == 8
