"""Sessions for browser tests."""

from __future__ import annotations

from tests.unit.report_sessions import AT_FDCWD, Story
from tracer.session.format import BlockKind


def shop(calls: int = 400) -> Story:
    """A shell that starts a reader and a writer: files, an error every ten calls, a connection, look-ups."""
    told = Story(command=["sh", "-c", "go"], hostname="here")
    told.found(-1000, 1, 100)
    told.exec(10, 1, 100, "/bin/sh", "sh", "-c", "go")
    told.fork(1_000, 2, 101, parent=1, parent_pid=100)
    told.exec(2_000, 2, 101, "/usr/bin/reader", "reader", "--all")
    told.fork(3_000, 3, 102, parent=1, parent_pid=100)
    told.exec(4_000, 3, 102, "/usr/bin/writer", "writer")
    told.call("wait4", 5_000, 1_900_000_000, 101, [101], proc=1, tid=100)
    for turn in range(calls):
        at = 10_000 + turn * 4_000_000
        failed = turn % 10 == 9
        path = f"/data/set{turn % 3}/file{turn % 40}.txt" if not failed else f"/etc/missing{turn % 7}"
        told.call("openat", at, 5_000 + turn, -2 if failed else 3, [AT_FDCWD, told.string(path), 0], proc=2, tid=101)
        if not failed:
            told.call("read", at + 20_000, 300_000, 1000 + turn, [3, 0x7F0000001000, 4096], proc=2, tid=101)
            told.call("close", at + 400_000, 900, 0, [3], proc=2, tid=101)
        told.call("write", at + 1_000_000, 2_000, 10, [1, 0x7F0000002000, 10], proc=3, tid=102 + turn % 2)
    told.exit(1_700_000_000, 2, 101)
    told.exit(1_800_000_000, 3, 102, code=2 << 8)
    told.exit(1_990_000_000, 1, 100)
    told.maps.append((BlockKind.SNAPSHOT, {"connections": [
        {"pid": 100, "fd": 5, "protocol": "tcp", "local": "127.0.0.1:4000", "remote": "192.0.2.7:443", "state": "ESTABLISHED"}]}))
    question = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04here\x07example\0\0\x01\0\x01"
    told.payload(6_000, 1, question, sent=True)
    told.payload(2_006_000, 1, b"\x12\x34\x81\x83" + question[4:], sent=False)
    return told
