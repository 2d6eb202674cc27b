import json
import random
from pathlib import Path
from typing import Any

from report.jsonl import json_lines
from tests.unit.report_sessions import AT_FDCWD, Story
from tracer.kinds import CallFlag, LifeKind, SocketKind, StringFlag
from tracer.session.reader import open_session


def exported(told: Story, path: Path, batch: int = 1 << 16, **how: Any) -> list[dict[str, Any]]:
    with open_session(str(told.write(path / "a.ebt", batch=batch, **how))) as session:
        text = "".join(json_lines(session))
    assert text.endswith("\n")
    text.encode()
    assert text.replace("\n", "").isprintable()
    return [json.loads(line) for line in text[:-1].split("\n")]


def one(told: Story, path: Path) -> dict[str, Any]:
    """The only call of a story."""
    call, = (event for event in exported(told, path) if event["type"] == "syscall")
    return call


def test_a_short_story(tmp_path: Path) -> None:
    told = Story()
    told.found(-10, 1, 100, parent_tgid=99)
    told.exec(5, 1, 100, "/bin/cat", "cat", "/etc/passwd")
    told.call("openat", 1000, 5000, 3, [AT_FDCWD, told.string("/etc/passwd"), 0o2000000 | 0o644 << 32])
    told.call("openat", 11_000, 2000, -2, [AT_FDCWD, told.string("/nope"), 0])
    told.exit(20_000, 1, 100, code=9)
    assert exported(told, tmp_path)[1:] == [
        {"type": "found", "ts_ns": -10, "pid": 100, "tid": 100, "ppid": 99, "started_ns": -10, "uid": 1000, "euid": 1000, "gid": 1000, "comm": "sh"},
        {"type": "exec", "ts_ns": 5, "pid": 100, "tid": 100, "file": "/bin/cat", "interpreter": "/bin/cat", "argv": ["cat", "/etc/passwd"],
         "argv_state": "whole", "uid": 1000, "euid": 1000, "gid": 1000, "old_tid": 100, "comm": "cat"},
        {"type": "syscall", "ts_ns": 1000, "pid": 100, "tid": 100, "name": "openat",
         "args": {"dirfd": -100, "path": "/etc/passwd", "flags": 0o2000000, "mode": 0o644}, "ret": 3, "error": None, "duration_ns": 5000,
         "names": {"ret": "/etc/passwd"}},
        {"type": "syscall", "ts_ns": 11_000, "pid": 100, "tid": 100, "name": "openat",
         "args": {"dirfd": -100, "path": "/nope", "flags": 0, "mode": 0}, "ret": -2, "error": "ENOENT", "duration_ns": 2000},
        {"type": "exit", "ts_ns": 20_000, "pid": 100, "tid": 100, "exit_status": 137, "process_ended": True, "cpu_ns": 5_000_000,
         "peak_rss_bytes": 4 << 20, "comm": "sh"},
        {"type": "ledger", "complete": True, "lanes": {
            "syscalls": {"counted": 2, "delivered": 2, "sampled_out": 0, "lost": 0, "unaccounted": 0},
            "lifecycle": {"counted": 3, "delivered": 3, "sampled_out": 0, "lost": 0, "unaccounted": 0},
            "strings": {"counted": 4, "delivered": 4, "sampled_out": 0, "lost": 0, "unaccounted": 0},
            "sockets": {"counted": 0, "delivered": 0, "sampled_out": 0, "lost": 0, "unaccounted": 0},
            **{lane: {"counted": 0, "delivered": 0, "sampled_out": 0, "lost": 0, "unaccounted": 0} for lane in ("payload", "plaintext", "images")}}},
    ]


def test_the_first_line_is_the_session(tmp_path: Path) -> None:
    first = exported(Story(command=["\udcff\n"]), tmp_path)[0]
    assert (first["type"], first["command"], first["pid"], first["started"]) == ("session", ["\udcff\n"], 100, "2023-11-14T22:13:20.123456Z")


def test_values_are_signed_and_as_wide_as_the_kernel_takes_them(tmp_path: Path) -> None:
    told = Story()
    told.call("lseek", 1, ret=-22, args=[0xFFFFFFFF00000007, -5, 2])
    call = one(told, tmp_path)
    assert (call["args"], call["ret"], call["error"]) == ({"fd": 7, "offset": -5, "whence": 2}, -22, "EINVAL")
    told.calls.clear()
    told.call("mmap", 1, ret=0x7F00_0000_0000, args=[0, 4096, 3 | 34 << 32])
    assert one(told, tmp_path)["ret"] == 0x7F00_0000_0000
    told.calls.clear()
    told.call("read", 1, ret=-512, args=[0, 0x7FFC_0000_0000, 2**64 - 1])
    call = one(told, tmp_path)
    assert (call["args"], call["error"]) == ({"fd": 0, "buf": "0x7ffc00000000", "count": 2**64 - 1}, "ERESTARTSYS")


def test_flags_are_there_only_if_true(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("read", 1, 50, args=[3, 0x10, 5], flags=CallFlag.UNFINISHED)
    told.call("openat", 2, 50, args=[AT_FDCWD, 0, 0], flags=CallFlag.UNFINISHED | CallFlag.UNREADABLE)
    told.call("getpid", 3, 0, 1, flags=CallFlag.UNTIMED)
    told.call("openat", 4, 50, -14, [AT_FDCWD, 0, 0], flags=CallFlag.UNREADABLE)
    told.call("execve", 5, 50, 0, [told.string("/bin/x"), told.argv("x", "", "\n")], flags=CallFlag.EXECED)
    told.call("execve", 6, 50, 0, [0, told.string("lost", sent=False)], flags=CallFlag.EXECED)
    told.call("openat", 7, 50, 3, [AT_FDCWD, told.string("/lost", sent=False), 0])
    common = {"type", "ts_ns", "pid", "tid", "name"}
    rows = [{name: value for name, value in event.items() if name not in common} for event in exported(told, tmp_path) if event["type"] == "syscall"]
    opened = {"dirfd": -100, "path": None, "flags": 0, "mode": 0}
    assert rows == [
        {"args": {"fd": 3, "buf": "0x10", "count": 5}, "ret": None, "error": None, "duration_ns": 50, "unfinished": True,
         "names": {"fd": None}},
        {"args": opened, "ret": None, "error": None, "duration_ns": 50, "unfinished": True, "unreadable": True},
        {"args": {}, "ret": 1, "error": None, "duration_ns": None, "untimed": True},
        {"args": opened, "ret": -14, "error": "EFAULT", "duration_ns": 50, "unreadable": True},
        {"args": {"path": "/bin/x", "argv": ["x", "", "\n"]}, "ret": 0, "error": None, "duration_ns": 50, "execed": True},
        {"args": {"path": None, "argv": None}, "ret": 0, "error": None, "duration_ns": 50, "execed": True},
        {"args": opened, "ret": 3, "error": None, "duration_ns": 50, "names": {"ret": None}},
    ]


def test_descriptors_have_the_names_of_the_moment(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("openat", 1000, 5000, 3, [AT_FDCWD, told.string("/a"), 0])
    told.call("read", 2000, 100, -9, [3, 1, 1], tid=101)  # before the other thread's open has returned
    told.call("read", 7000, 100, 1, [3, 1, 1])
    told.call("dup2", 8000, 100, 4, [3, 4])
    told.call("rename", 9000, 100, 0, [told.string("/a"), told.string("/b")])
    told.call("read", 10_000, 100, 1, [4, 1, 1])
    told.call("pipe2", 11_000, 100, 0, [5 | 6 << 32, 0])
    told.call("close", 12_000, 100, 0, [3])
    told.call("read", 13_000, 100, -9, [3, 1, 1])
    told.call("socket", 14_000, 100, 3, [2 | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 14_200, 7, 3, call=41, family=2, type=1, protocol=6)
    told.call("connect", 15_000, 100, 0, [3, told.string(b"\x02\0\x1f\x90\x7f\0\0\x01" + bytes(8))])
    told.socket(SocketKind.BOUND, 15_200, 7, 3, call=42, family=2, type=1, protocol=6, local=b"\x7f\0\0\x01", remote=b"\x7f\0\0\x01",
                local_port=40000, remote_port=8080)
    told.call("sendto", 16_000, 100, 5, [3, 5, 0])
    for batch in (1, 2, 1 << 16):
        calls = [event for event in exported(told, tmp_path, batch=batch) if event["type"] == "syscall"]
        tcp = "tcp 127.0.0.1:40000->127.0.0.1:8080"
        named = [(call["name"], call.get("names")) for call in calls]
        assert named[1] == ("read", {"fd": None})
        either = [*named[0][1].values(), *named[2][1].values(), named[3][1].pop("oldfd"), named[3][1].pop("ret")]
        assert set(either) <= {"/a", "/b"}  # a rename counts for the whole batch that it is in
        assert named[3] == ("dup2", {"newfd": None})
        assert named[4:] == [
            ("rename", None), ("read", {"fd": "/b"}), ("pipe2", {"fds": "pipe 1"}), ("close", {"fd": "/b"}), ("read", {"fd": None}),
            ("socket", {"ret": tcp}), ("connect", {"fd": tcp}), ("sendto", {"fd": tcp})]
        assert calls[10]["args"] == {"fd": 3, "addr": "127.0.0.1:8080", "addrlen": 0}


def test_compat_and_unknown_calls(tmp_path: Path) -> None:
    told = Story()
    told.call("openat (32-bit)", 1, ret=3, args=[0xFFFFFF9C, told.string("/a"), 0])
    assert (one(told, tmp_path)["name"], one(told, tmp_path)["args"]["dirfd"]) == ("openat (32-bit)", -100)
    told.calls[0]["sysno"] = 511
    assert one(told, tmp_path)["name"] == "unknown"
    told.calls[0]["sysno"] = 60_000
    assert one(told, tmp_path)["type"] == "syscall"
    told.meta["arch"] = "pdp11"
    assert (one(told, tmp_path)["name"], list(one(told, tmp_path)["args"])) == ("syscall_60000", ["arg0", "arg1", "arg2"])


def test_lifecycle_events(tmp_path: Path) -> None:
    told = Story()
    told.fork(1, 2, 200, parent=1, parent_pid=100)
    told.lived(LifeKind.THREAD, 2, 2, 200, tid=201, comm=b"\xff\n")
    told.exec(3, 2, 200, "/bin/a", "x", argv_id=told.string(b"a\0b", flags=StringFlag.CUT, length=9))
    told.lived(LifeKind.EXIT, 4, 2, 200, tid=201, cpu_ns=3)
    told.lived(9, 5, 2, 200)  # type: ignore[arg-type]
    events = exported(told, tmp_path)[1:-1]
    assert [event["type"] for event in events] == ["fork", "thread", "exec", "exit", "lifecycle_9"]
    assert events[1] == {"type": "thread", "ts_ns": 2, "pid": 200, "tid": 201, "comm": "\udcff\n"}
    assert (events[2]["argv"], events[2]["argv_state"]) == (["a", "b"], "cut")
    assert events[3] == {"type": "exit", "ts_ns": 4, "pid": 200, "tid": 201, "exit_status": 0, "process_ended": False, "cpu_ns": 3, "comm": "sh"}


def test_everything_once_and_in_the_order_of_time(tmp_path: Path) -> None:
    chance = random.Random(5)
    told = Story()
    for turn in range(3000):
        told.call("read", chance.randrange(10**10), chance.choice([10, 1000, 10**6, 5 * 10**9]), turn + 1, [3, 1, 1], tid=100 + turn % 7)
        if turn % 10 == 0:
            told.lived(LifeKind.THREAD, chance.randrange(10**10), 1, 100, tid=turn)
    told.calls.sort(key=lambda row: row["start_ns"] + row["duration_ns"])
    first = exported(told, tmp_path, batch=100)
    times = [event["ts_ns"] for event in first[1:-1]]
    assert times == sorted(times)
    assert sorted(event["ret"] for event in first if event["type"] == "syscall") == list(range(1, 3001))
    assert len([event for event in first if event["type"] == "thread"]) == 300
    assert exported(told, tmp_path, batch=17)[1:-1] == first[1:-1]


def test_a_session_without_an_end(tmp_path: Path) -> None:
    told = Story()
    told.call("read", 1, ret=1)
    events = exported(told, tmp_path, complete=False, ledger={"syscalls": {"counted": 5}})
    assert events[0]["complete"] is False
    assert events[-1]["lanes"]["syscalls"] == {"counted": 5, "delivered": 1, "sampled_out": 0, "lost": 4, "unaccounted": 0}


def test_nothing_happened(tmp_path: Path) -> None:
    assert [event["type"] for event in exported(Story(), tmp_path)] == ["session", "ledger"]
