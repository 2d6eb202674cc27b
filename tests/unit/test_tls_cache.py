"""What was found is kept for this very file, and for no other."""

import json
import os
import select
import subprocess
import sys

import pytest

from tests.unit.tls_programs import BORING, KINDS, PEEKS, build
from tracer.tls import cache
from tracer.tls.child import Search
from tracer.tls.found import Found, Function, nothing
from tracer.tls.quick import quick

FOUND = Found("boringssl", "7", "error sites", (Function("read", 4096, (4100, 4200)), Function("write", 1 << 40)), "a note")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(build(BORING, *PEEKS["apart"], *KINDS["pie"], "-Wl,--build-id=sha1")[0])
    fd = os.open(path, os.O_RDONLY)
    yield path, fd
    os.close(fd)


def test_kept_and_found_again(program, tmp_path):
    _, fd = program
    folder = str(tmp_path / "cache")
    assert cache.cached(fd, folder) is None
    cache.keep(fd, FOUND, folder)
    assert cache.cached(fd, folder) == FOUND
    assert cache.found(fd, folder=folder, returns=True) == FOUND


def test_another_file_with_the_same_build_id_gets_nothing(program, tmp_path):
    path, fd = program
    folder = str(tmp_path / "cache")
    cache.keep(fd, FOUND, folder)
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    with open(copy, "rb") as file:
        assert cache.cached(file.fileno(), folder) is None


def test_a_changed_file_gets_nothing(program, tmp_path):
    path, fd = program
    folder = str(tmp_path / "cache")
    cache.keep(fd, FOUND, folder)
    os.utime(path, ns=(1, 1))
    assert cache.cached(fd, folder) is None


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 100])
def test_damage_and_foreign_files_are_ignored(program, tmp_path, damage):
    _, fd = program
    folder = tmp_path / "cache"
    cache.keep(fd, FOUND, str(folder))
    (entry,) = folder.iterdir()
    entry.chmod(0o666)
    assert cache.cached(fd, str(folder)) is None
    entry.chmod(0o600)
    entry.write_bytes(damage)
    assert cache.cached(fd, str(folder)) is None


def test_the_oldest_go(program, tmp_path, monkeypatch):
    path, fd = program
    folder = tmp_path / "cache"
    monkeypatch.setattr(cache, "_KEPT", 3)
    for number in range(6):
        os.utime(path, ns=(number, number))
        cache.keep(fd, FOUND, str(folder))
    assert len(list(folder.iterdir())) == 3
    assert cache.cached(fd, str(folder)) == FOUND


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        FOUND.packed() | {"library": 3},
        FOUND.packed() | {"functions": [["read", -1, []]]},
        FOUND.packed() | {"functions": [["read", 1, [True]]]},
        FOUND.packed() | {"functions": [["other", 1, []]]},
        FOUND.packed() | {"functions": [["read", 1]]},
        FOUND.packed() | {"functions": 4},
    ],
)
def test_forged_answers(value):
    assert Found.unpacked(value) is None


def test_packing():
    assert Found.unpacked(json.loads(json.dumps(FOUND.packed()))) == FOUND


def test_a_search_in_a_child(program, tmp_path):
    _, fd = program
    folder = str(tmp_path / "cache")
    assert cache.found(fd, folder=folder) is None or quick(fd) is not None
    search = Search(fd, folder)
    while (result := search.result()) is None:
        select.select([search], [], [], 5)
    assert (result.library, len(result.functions)) == ("boringssl", 2)
    assert cache.found(fd, folder=folder) == result


def test_a_search_for_somebody_urgent_is_not_urgent(program, tmp_path):
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pytest.skip("only root, or who has CAP_SYS_NICE, can be urgent")
    try:
        search = Search(program[1], str(tmp_path / "cache"))
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    policies = []
    while search.result() is None:
        policies.append(os.sched_getscheduler(search._child.pid))
        select.select([search], [], [], 0.001)
    assert policies[-1] == os.SCHED_OTHER


def test_a_child_that_is_stopped(program, tmp_path):
    search = Search(program[1], str(tmp_path / "cache"))
    search.stop()
    assert not (tmp_path / "cache").exists()


def test_a_child_that_takes_too_long(program, tmp_path, monkeypatch):
    monkeypatch.setattr("tracer.tls.child._SECONDS", 0)
    assert Search(program[1], str(tmp_path / "cache")).result() == nothing("the search for TLS functions failed")


@pytest.mark.parametrize("path", ["/nowhere", "/proc/version"])
def test_as_a_program(path):
    done = subprocess.run([sys.executable, "-m", "tracer.tls.search", path], capture_output=True, check=True)
    assert Found.unpacked(json.loads(done.stdout)).library == ""
