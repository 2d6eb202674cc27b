"""Secrets in what the worker writes itself: command lines, strings, what was open at the beginning."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from tests.unit.front_support import sleeping
from tracer.secrets.redactor import Redactor
from tracer.stream.lanes import bulk_bytes
from tracer.stream.redaction import Redaction
from tracer.target.process import environment

KEY = bytes(range(32))
SECRET = "hunter2-and-a-half"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """One with a secret in its environment."""
    running = sleeping(env={"DB_PASSWORD": SECRET, "EMPTY": "", "LANG": "C", "WITH": "a=b", "ODD": os.fsdecode(b"\xff")})
    yield running
    running.kill()
    running.wait()


class Told:
    """A redaction and what it passed on."""

    def __init__(self, enabled: bool = True) -> None:
        self.learned: list[dict[str, str]] = []
        self.redaction = Redaction(KEY, enabled, self.learned.append)


def tag() -> str:
    return Redactor(KEY).words(["--password", SECRET])[1]


def texts(*words: bytes) -> dict[str, np.ndarray]:
    return {
        "at_ns": np.arange(len(words), dtype=np.uint64), "kept": np.array([len(word) for word in words], np.uint32),
        "length": np.array([len(word) + number for number, word in enumerate(words)], np.uint32), "data": np.frombuffer(b"".join(words), np.uint8),
    }


def test_environments(process: subprocess.Popen[bytes]) -> None:
    assert environment(process.pid) == {"DB_PASSWORD": SECRET, "EMPTY": "", "LANG": "C", "WITH": "a=b", "ODD": "\udcff"}
    assert environment(2**22 + 1) == {}


def test_an_environment_is_learned_once(process: subprocess.Popen[bytes]) -> None:
    told = Told()
    for pid in (process.pid, process.pid, 2**22 + 1):
        told.redaction.learn(environment(pid))
    assert told.learned == [environment(process.pid)]
    assert told.redaction.meta({"command": ["mysql", f"-p{SECRET}", SECRET], "pid": 7}) == {"command": ["mysql", f"-p{tag()}", tag()], "pid": 7}
    assert sum(told.redaction.counts.values()) == 2


def test_a_snapshot(process: subprocess.Popen[bytes]) -> None:
    told = Told()
    told.redaction.learn(environment(process.pid))
    part = {
        "files": [{"path": f"/tmp/{SECRET}/x", "fd": 3}, {"path": None}, {"path": "/etc/passwd"}],
        "processes": [{"exe": "/bin/true", "cwd": f"/{SECRET}", "argv": ["curl", "-H", "Authorization: Bearer abcdefgh12345678", SECRET], "pid": 7}],
        "mounts": [SECRET],
    }
    found = told.redaction.snapshot(part)
    assert found["files"] == [{"path": f"/tmp/{tag()}/x", "fd": 3}, {"path": None}, {"path": "/etc/passwd"}]
    assert (found["processes"][0]["cwd"], found["processes"][0]["argv"][3], found["processes"][0]["pid"]) == (f"/{tag()}", tag(), 7)
    assert "abcdefgh12345678" not in str(found["processes"])
    assert found["mounts"] == part["mounts"]
    assert part["files"][0]["path"] == f"/tmp/{SECRET}/x"
    assert told.redaction.snapshot({"files": []}) == {"files": []}


def test_strings(process: subprocess.Popen[bytes]) -> None:
    told = Told()
    told.redaction.learn(environment(process.pid))
    columns = texts(b"/etc/passwd", b"/home/" + SECRET.encode(), b"mysql\0--password\0" + SECRET.encode() + b"\0-v", b"")
    found = told.redaction.strings(columns)
    wanted = [b"/etc/passwd", b"/home/" + tag().encode(), b"mysql\0--password\0" + tag().encode() + b"\0-v", b""]
    assert found["data"].tobytes() == b"".join(wanted)
    assert found["kept"].tolist() == [len(word) for word in wanted]
    assert found["length"].tolist() == [len(word) + number for number, word in enumerate(wanted)]  # as much as before was not kept
    assert {name: (column.dtype, len(column)) for name, column in found.items() if name != "data"} == {
        name: (column.dtype, len(column)) for name, column in columns.items() if name != "data"}
    assert found["at_ns"] is columns["at_ns"]


def test_strings_without_a_secret_are_not_touched() -> None:
    columns = texts(b"/etc/passwd", b"ls\0-l", b"\xff\0\0")
    assert Told().redaction.strings(columns) is columns
    assert Told().redaction.strings(texts())["kept"].tolist() == []


def test_switched_off(process: subprocess.Popen[bytes]) -> None:
    told = Told(enabled=False)
    told.redaction.learn(environment(process.pid))
    columns = texts(f"x\0--password={SECRET}".encode())
    assert told.learned == []
    assert told.redaction.strings(columns) is columns
    assert told.redaction.meta({"command": ["x", f"--password={SECRET}"]}) == {"command": ["x", f"--password={SECRET}"]}
    assert told.redaction.counts == {}


@pytest.mark.parametrize(("max_body", "bulk"), [(0, 65536), (4096, 65536), (8192, 65536), (262144, 2097152)])
def test_what_leaves_the_kernel(max_body: int, bulk: int) -> None:
    assert bulk_bytes(max_body) == bulk
