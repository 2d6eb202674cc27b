import random
from pathlib import Path
from typing import Any

from report.activity import activity_of
from report.files import UNKNOWN, FileTotals, files_of
from report.moments import sockets_of
from report.processes import lifecycle
from report.strings import Strings
from tests.unit.report_sessions import AT_FDCWD, Story
from tracer.kinds import CallFlag
from tracer.session.format import BlockKind
from tracer.session.reader import open_session

O_CLOEXEC = 0o2000000
F_DUPFD, F_SETFD, F_DUPFD_CLOEXEC = 0, 2, 1030


class Files(Story):
    """Calls one after the other, 1 us apart and 100 ns long."""

    now = 0

    def did(self, name: str, ret: int, *args: int, proc: int = 1, **how: Any) -> None:
        self.now += 1000
        self.call(name, self.now, ret=ret, args=args, proc=proc, **how)

    def opened(self, path: str, fd: int, flags: int = 0, dirfd: int = AT_FDCWD, proc: int = 1) -> None:
        self.did("openat", fd, dirfd, self.string(path), flags, proc=proc)

    def read(self, fd: int, ret: int = 10, proc: int = 1) -> None:
        self.did("read", ret, fd, 0x7000, 4096, proc=proc)

    def totals_by_path(self, path: Path, batch: int = 1 << 16) -> dict[str, FileTotals]:
        with open_session(str(self.write(path / "a.ebt", batch=batch))) as session:
            rows = files_of(activity_of(session, Strings(session), lifecycle(session), sockets_of(session)))
        assert len({row.path for row in rows}) == len(rows)
        return {row.path: row for row in rows}

    def counts_by_path(self, path: Path, batch: int = 1 << 16) -> dict[str, FileTotals]:
        """Only the seven columns that tell how much was done."""
        return {row.path: FileTotals(row.path, row.opens, row.reads, row.writes, row.read_bytes, row.written_bytes, row.errors)
                for row in self.totals_by_path(path, batch).values()}

    def reads_by_path(self, path: Path, batch: int = 1 << 16) -> dict[str, int]:
        return {row.path: row.reads for row in self.totals_by_path(path, batch).values() if row.reads}


def test_what_one_process_does(tmp_path: Path) -> None:
    told = Files()
    told.opened("/a", 3)
    told.read(3, 100)
    told.read(3, 0)
    told.read(3, -11)
    told.did("write", 7, 3, 0x7000, 7)
    told.did("pwrite64", 9, 3, 9, 0)
    told.did("close", 0, 3)
    told.read(3, -9)
    told.opened("/missing", -2)
    told.opened("/a", -13)
    told.did("open", 3, told.string("/b"), 0, 0)
    told.did("preadv2", 1 << 40, 3 | 1 << 32, 1, 0)
    assert told.counts_by_path(tmp_path) == {
        "/b": FileTotals("/b", opens=1, reads=1, writes=0, read_bytes=1 << 40, written_bytes=0, errors=0),
        "/a": FileTotals("/a", opens=1, reads=3, writes=2, read_bytes=100, written_bytes=16, errors=2),
        UNKNOWN: FileTotals(UNKNOWN, opens=0, reads=1, writes=0, read_bytes=0, written_bytes=0, errors=1),
        "/missing": FileTotals("/missing", opens=0, reads=0, writes=0, read_bytes=0, written_bytes=0, errors=1),
    }


def test_from_one_file_to_another(tmp_path: Path) -> None:
    told = Files()
    told.opened("/from", 3)
    told.opened("/to", 4)
    told.did("sendfile", 100, 4 | 3 << 32, 0, 4096)
    told.did("copy_file_range", 50, 3 | 4 << 32, 50, 0)
    found = told.totals_by_path(tmp_path)
    assert (found["/from"].reads, found["/from"].read_bytes, found["/from"].writes) == (2, 150, 0)
    assert (found["/to"].writes, found["/to"].written_bytes, found["/to"].reads) == (2, 150, 0)


def test_copies_of_descriptors(tmp_path: Path) -> None:
    told = Files()
    told.opened("/a", 3)
    told.opened("/b", 4)
    told.did("dup", 5, 3)
    told.did("dup2", 4, 3, 4)
    told.did("dup3", 6, 4, 6, 0)
    told.did("fcntl", 7, 6, F_DUPFD, 0)
    told.did("dup2", 3, 3, 3)
    told.did("close", 0, 3)
    for fd in (4, 5, 6, 7):
        told.read(fd)
    told.did("dup2", -9, 30, 4)
    told.read(4)
    told.did("dup", 4, 20)  # of a descriptor that has no name: nor has its copy
    told.read(4)
    assert told.reads_by_path(tmp_path) == {"/a": 5, UNKNOWN: 1}


def test_close_range_and_failed_close(tmp_path: Path) -> None:
    told = Files()
    for fd in (3, 4, 5, 6):
        told.opened(f"/{fd}", fd)
    told.did("close", -9, 3)   # EBADF, of another table: nothing was closed
    told.did("close", -4, 4)   # EINTR: closed all the same
    told.did("close_range", 0, 5, 5, 0)
    for fd in (3, 4, 5, 6):
        told.read(fd)
    told.did("close_range", 0, 3, 0xFFFFFFFF, 4)  # CLOSE_RANGE_CLOEXEC
    told.read(3)
    told.exec(told.now + 500, 1, 100, "/x", "x")
    told.read(3)
    assert told.reads_by_path(tmp_path) == {"/3": 2, "/6": 1, UNKNOWN: 3}


def test_fork_inherits_and_exec_closes(tmp_path: Path) -> None:
    told = Files()
    told.opened("/kept", 3)
    told.opened("/closing", 4, O_CLOEXEC)
    told.did("fcntl", 5, 3, F_DUPFD_CLOEXEC, 0)
    told.did("dup3", 6, 3, 6, O_CLOEXEC)
    told.did("fcntl", 0, 6, F_SETFD, 0)
    told.fork(told.now + 500, 2, 101, parent=1, parent_pid=100)
    told.did("close", 0, 3)
    for fd in (3, 4, 5, 6):
        told.read(fd, proc=2)
    told.exec(told.now + 500, 2, 101, "/x", "x")
    for fd in (3, 4, 5, 6):
        told.read(fd, proc=2)
    told.read(3)
    told.read(4)
    assert told.reads_by_path(tmp_path) == {"/kept": 5, "/closing": 2, UNKNOWN: 3}


def test_a_pid_used_again_does_not_inherit_its_predecessors_files(tmp_path: Path) -> None:
    told = Files()
    told.found(0, 1, 100)
    for proc in (2, 3):
        told.fork(told.now + 500, proc, 555, parent=1, parent_pid=100)
        if proc == 2:
            told.opened("/a", 3, proc=2)
        told.read(3, proc=proc)
        told.exit(told.now + 500, proc, 555)
    assert told.reads_by_path(tmp_path) == {"/a": 1, UNKNOWN: 1}


def test_what_was_open_when_the_trace_began(tmp_path: Path) -> None:
    told = Files(kind="attach")
    told.maps.append((BlockKind.SNAPSHOT, {"files": [
        {"pid": 100, "fd": 3, "path": "/log", "flags": 1}, {"pid": 100, "fd": 4, "path": "/secret", "flags": O_CLOEXEC},
        {"pid": 100, "fd": "x"}, 7, {"pid": 999, "fd": 3, "path": "/other", "flags": 0}]}))
    told.maps.append((BlockKind.SNAPSHOT, {"files": "nonsense"}))
    told.found(10, 1, 100)
    told.read(3)
    told.read(4)
    told.exec(told.now + 500, 1, 100, "/x", "x")
    told.read(3)
    told.read(4)
    assert told.reads_by_path(tmp_path) == {"/log": 2, "/secret": 1, UNKNOWN: 1}


def test_paths_under_an_open_folder(tmp_path: Path) -> None:
    told = Files()
    told.opened("/usr/", 3)
    told.opened("lib", 4, dirfd=3)
    told.opened("libc.so", 5, dirfd=4)
    told.opened("/etc/x", 6, dirfd=3)
    told.opened("relative", 7)
    told.opened("lib", 8, dirfd=99)
    assert set(told.totals_by_path(tmp_path)) == {"/usr", "/usr/lib", "/usr/lib/libc.so", "/etc/x", "?/relative", "?/lib"}


def test_names_that_are_not_known(tmp_path: Path) -> None:
    told = Files()
    told.did("openat", 3, AT_FDCWD, told.string("/lost", sent=False), 0)
    told.did("openat", -14, AT_FDCWD, 0, 0, flags=CallFlag.UNREADABLE)
    told.read(3)
    told.read(0)
    assert told.counts_by_path(tmp_path) == {UNKNOWN: FileTotals(UNKNOWN, opens=1, reads=2, writes=0, read_bytes=20, written_bytes=0, errors=1)}


def test_calls_that_never_returned(tmp_path: Path) -> None:
    told = Files()
    told.opened("/tty", 0)
    told.opened("/pipe", 3)
    told.did("openat", 0, 0, 0, 0, flags=CallFlag.UNFINISHED | CallFlag.UNREADABLE)
    told.did("read", 0, 3, 0x7000, 4096, flags=CallFlag.UNFINISHED)
    told.did("close", 0, 0, 0, 0, flags=CallFlag.UNFINISHED)
    told.found(told.now + 500, 1, 100)
    told.read(0)
    assert told.reads_by_path(tmp_path) == {"/pipe": 1, "/tty": 1}


def test_a_call_counts_for_the_descriptor_as_it_was_when_it_began(tmp_path: Path) -> None:
    told = Files()
    told.opened("/old", 3)
    told.call("openat", 10_000, 6000, 3, [AT_FDCWD, told.string("/new"), 0], tid=101)  # returns at 16 us
    told.call("close", 12_000, 100, 0, [3])
    told.call("read", 11_000, 3 * 10**9, 1, [3, 1, 1], tid=102)  # of /old, and waits long after it is closed
    told.call("read", 17_000, 100, 1, [3, 1, 1])
    told.calls.sort(key=lambda row: row["start_ns"] + row["duration_ns"])
    assert told.reads_by_path(tmp_path, batch=2) == {"/old": 1, "/new": 1}


def test_compat_calls(tmp_path: Path) -> None:
    told = Files()
    told.did("openat (32-bit)", 3, AT_FDCWD, told.string("/a"), 0)
    told.did("read (32-bit)", 5, 3, 0x7000, 10)
    told.did("pread64 (32-bit)", 5, 3, 10, 0)
    assert told.counts_by_path(tmp_path) == {"/a": FileTotals("/a", opens=1, reads=2, writes=0, read_bytes=10, written_bytes=0, errors=0)}


def test_any_story_has_the_same_sums_in_windows_of_any_size(tmp_path: Path) -> None:
    """Against the plainest way to do it: one call after the other."""
    chance = random.Random(11)
    told = Files()
    tables: dict[int, dict[int, str]] = {1: {}}
    closing: dict[int, set[int]] = {1: set()}
    expected: dict[str, int] = {}
    for step in range(4000):
        proc, fd = chance.choice(list(tables)), chance.randrange(3, 12)
        what = chance.choice(["open", "open", "close", "dup2", "read", "read", "read", "read", "fork", "exec", "exit", "setfd"])
        if what == "open":
            cloexec = chance.random() < 0.5
            told.opened(f"/{chance.randrange(50)}", fd, O_CLOEXEC if cloexec else 0, proc=proc)
            tables[proc][fd] = told.strings[told.calls[-1]["a1"]][0].decode()
            (closing[proc].add if cloexec else closing[proc].discard)(fd)
        elif what == "close":
            told.did("close", 0, fd, proc=proc)
            tables[proc].pop(fd, None)
        elif what == "dup2":
            new = chance.randrange(12, 20)
            told.did("dup2", new, fd, new, proc=proc)
            tables[proc].pop(new, None)
            closing[proc].discard(new)
            if fd in tables[proc]:
                tables[proc][new] = tables[proc][fd]
        elif what == "setfd":
            told.did("fcntl", 0, fd, F_SETFD, 1, proc=proc)
            closing[proc].add(fd)
        elif what == "read":
            fd = chance.randrange(3, 20)
            told.read(fd, proc=proc)
            path = tables[proc].get(fd, UNKNOWN)
            expected[path] = expected.get(path, 0) + 1
        elif what == "fork" and len(tables) < 8:
            told.fork(told.now + 500, step + 2, 1000 + step, parent=proc, parent_pid=1)
            tables[step + 2], closing[step + 2] = dict(tables[proc]), set(closing[proc])
        elif what == "exec" and chance.random() < 0.3:
            told.exec(told.now + 500, proc, 1, "/x", "x")
            tables[proc] = {fd: path for fd, path in tables[proc].items() if fd not in closing[proc]}
            closing[proc].clear()
        elif what == "exit" and len(tables) > 5:
            told.exit(told.now + 500, proc, 1)
            del tables[proc], closing[proc]
    for batch in (13, 500, 10_000):
        assert told.reads_by_path(tmp_path, batch) == expected
