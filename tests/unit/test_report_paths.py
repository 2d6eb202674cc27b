from pathlib import Path

import pytest

from report.files import files_of
from tests.unit.descriptor_story import (
    CLONE_FS,
    CLONE_NEWNS,
    FOLDER,
    MOUNTS,
    O_DIRECTORY,
    O_TMPFILE,
    Told,
    pair,
)
from tests.unit.report_sessions import AT_FDCWD
from tracer.kinds import CallFlag
from tracer.session.format import BlockKind


def test_relative_paths_start_where_the_process_is(tmp_path: Path) -> None:
    told = Told()
    told.opened("a", 3)
    told.path("chdir", "src//./")
    told.opened("../b/./c", 3)
    told.opened("../../../../..", 3, O_DIRECTORY)
    told.opened("etc/", 4, O_DIRECTORY, dirfd=3)
    told.did("fchdir", 0, 4)
    told.opened("passwd", 5)
    told.path("chdir", "nowhere", ret=-2)
    told.opened("group", 5)
    told.did("chdir", 0, told.string("/lost", sent=False))
    told.opened("x/../y", 5)
    told.opened("../z", 5)
    found = told.files(tmp_path)
    assert set(found) == {"/home/me/a", "/home/me/b/c", "/", "/etc", "/etc/passwd", "/etc/group", "?/y", "?/../z"}
    assert (found["/etc"].kind, found["/"].kind, found["/etc/passwd"].kind) == ("folder", "folder", "file")


def test_where_an_attached_process_was(tmp_path: Path) -> None:
    told = Told(kind="attach")
    told.maps.append((BlockKind.SNAPSHOT, {"processes": [
        {"pid": 100, "cwd": "/srv/x", "root": "/", "mnt_ns": 1}, {"pid": 101, "cwd": "/srv/jail/in", "root": "/srv/jail", "mnt_ns": 2},
        {"pid": 102, "cwd": 7, "root": [], "mnt_ns": {}}]}))
    for proc in (1, 2, 3):
        told.found(0, proc, 99 + proc)
        told.opened("f", 3, proc=proc)
        told.opened("/g", 3, proc=proc)
    found = told.files(tmp_path)
    assert {path: row.namespace for path, row in found.items()} == {
        "/srv/x/f": 0, "/g": 0, "/srv/jail/in/f": 1, "/srv/jail/g": 1, "?/f": 0}
    assert found["/srv/x/f"].pids == (100,)
    assert found["/g"].pids == (100, 102)


def test_forks_inherit_the_folder_or_share_it(tmp_path: Path) -> None:
    told = Told()
    told.forked(2)
    told.forked(3, MOUNTS | FOLDER)
    told.path("chdir", "/one")
    told.opened("own", 3, proc=2)
    told.opened("shared", 3, proc=3)
    told.execed(3)
    told.path("chdir", "/two")
    told.opened("still", 3, proc=3)
    told.did("unshare", 0, CLONE_FS, proc=3)
    told.path("chdir", "/three")
    told.opened("apart", 3, proc=3)
    assert set(told.files(tmp_path)) == {"/home/me/own", "/one/shared", "/two/still", "/two/apart"}


def test_roots_and_mount_namespaces(tmp_path: Path) -> None:
    told = Told()
    told.opened("/etc/passwd", 3)
    told.forked(2)
    told.path("chroot", "/srv/jail", proc=2)
    told.path("chdir", "/", proc=2)
    told.opened("/etc/passwd", 3, proc=2)
    told.opened("../../etc/group", 3, proc=2)
    told.forked(3, 0)
    told.opened("/etc/hosts", 3, proc=3)
    told.opened("here", 3, proc=3)
    told.did("unshare", 0, CLONE_NEWNS)
    told.opened("/etc/shadow", 3)
    told.forked(4)
    told.path("pivot_root", "/new", "/new/old")
    told.opened("/a", 3)
    told.opened("/b", 3, proc=4)  # of the same namespace
    told.opened("/c", 3, proc=3)
    found = told.files(tmp_path)
    assert {path: row.namespace for path, row in found.items()} == {
        "/etc/passwd": 0, "/srv/jail/etc/passwd": 0, "/srv/jail/etc/group": 0, "/etc/hosts": 1, "/home/me/here": 1, "/etc/shadow": 2, "/new/a": 2,
        "/new/b": 2, "/c": 1}


@pytest.mark.parametrize(("path", "flags", "expected"), [
    ("/proc/7/ns/mnt", 0, 1), ("/proc/7/ns/net", 0, 0), ("/somewhere", 0, 1), ("/proc/7/ns/net", 0x40000000, 0), ("/x", CLONE_NEWNS, 1)])
def test_setns(tmp_path: Path, path: str, flags: int, expected: int) -> None:
    told = Told()
    told.opened(path, 3)
    told.did("setns", 0, 3, flags)
    told.opened("/inside", 4)
    assert told.files(tmp_path)["/inside"].namespace == expected


def test_the_same_path_in_two_namespaces_is_two_files(tmp_path: Path) -> None:
    told = Told()
    told.forked(2, 0)
    for proc in (1, 2):
        told.opened("/etc/passwd", 3, proc=proc)
        told.read(3, proc=proc)
    rows = files_of(told.activity(tmp_path))
    assert sorted((row.path, row.namespace, row.reads, row.pids) for row in rows) == [
        ("/etc/passwd", 0, 1, (100,)), ("/etc/passwd", 1, 1, (102,))]


def test_renamed_files_keep_their_sums(tmp_path: Path) -> None:
    told = Told()
    told.opened("/a", 3, flags=0)
    told.read(3, 1)
    told.path("rename", "/a", "/b")
    told.read(3, 2)
    told.did("renameat2", 0, pair(AT_FDCWD, AT_FDCWD), told.string("/b"), told.string("/c"))
    told.opened("/c", 4)
    told.read(4, 4)
    told.path("rename", "/never", "/there", ret=-2)
    found = told.files(tmp_path)
    assert (found["/c"].read_bytes, found["/c"].opens, found["/c"].was) == (7, 2, ("/a", "/b"))
    assert set(found) == {"/c"}


def test_a_file_renamed_over_another_ends_that(tmp_path: Path) -> None:
    told = Told()
    told.opened("/conf", 3)
    told.read(3, 1)
    told.did("openat", 4, AT_FDCWD, told.string("/conf.tmp"), 0, flags=CallFlag.CREATED)
    told.path("rename", "/conf.tmp", "/conf")
    told.read(3, 2)
    told.opened("/conf", 5)
    told.read(5, 4)
    rows = files_of(told.activity(tmp_path))
    assert [(row.path, row.read_bytes, row.created, row.deleted, row.was) for row in rows] == [
        ("/conf", 4, True, False, ("/conf.tmp",)), ("/conf", 3, False, True, ())]


def test_renamed_folders_take_along_what_is_in_them(tmp_path: Path) -> None:
    told = Told()
    told.opened("/old/d", 3, O_DIRECTORY)
    told.opened("/old/d/x", 4)
    told.path("chdir", "/old/d")
    told.path("unlink", "/old/d/gone")
    told.path("rename", "/old", "/new")
    told.opened("y", 5)
    told.opened("z", 5, dirfd=3)
    told.path("rename", "/new/d", "/e")
    told.opened("w", 5)
    told.opened("/old/d/x", 6)
    found = told.files(tmp_path)
    assert {path: row.was for path, row in found.items()} == {
        "/new": ("/old",), "/e": ("/old/d", "/new/d"), "/e/x": ("/old/d/x", "/new/d/x"), "/e/y": ("/new/d/y",), "/e/z": ("/new/d/z",),
        "/e/w": (), "/old/d/x": (), "/old/d/gone": ()}
    assert found["/old/d/gone"].deleted


def test_deleted_files_and_those_that_come_after_them(tmp_path: Path) -> None:
    told = Told()
    told.did("openat", 3, AT_FDCWD, told.string("/t"), 0, flags=CallFlag.CREATED)
    told.read(3, 1)
    told.path("unlink", "/t")
    told.read(3, 2)
    told.opened("/t", 4)
    told.read(4, 4)
    told.did("unlinkat", 0, AT_FDCWD, told.string("/d"), 0x200)
    told.path("rmdir", "/e")
    told.path("unlink", "/kept", ret=-13)
    rows = files_of(told.activity(tmp_path))
    assert [(row.path, row.read_bytes, row.created, row.deleted, row.kind) for row in rows] == [
        ("/t", 4, False, False, "file"), ("/t", 3, True, True, "file"), ("/d", 0, False, True, "folder"), ("/e", 0, False, True, "folder")]
    assert rows[-1].first_ns is None


def test_many_lives_of_one_path_share_a_row(tmp_path: Path) -> None:
    told = Told()
    for _ in range(50):
        told.opened("/lock", 3)
        told.path("unlink", "/lock")
    rows = files_of(told.activity(tmp_path))
    assert sorted(row.opens for row in rows) == [1] * 16 + [34]
    assert all(row.deleted for row in rows)


def test_what_makes_files(tmp_path: Path) -> None:
    told = Told()
    told.did("openat", 3, AT_FDCWD, told.string("/new"), 0, flags=CallFlag.CREATED)
    told.opened("/old", 3)
    told.path("mkdir", "/d")
    told.did("mknodat", 0, AT_FDCWD, told.string("/fifo"), pair(0o010644, 0))
    told.did("symlinkat", 0, told.string("target"), AT_FDCWD, told.string("/link"))
    told.did("linkat", 0, pair(AT_FDCWD, AT_FDCWD), told.string("/old"), told.string("/hard"))
    told.opened("/tmp", 4, O_TMPFILE)
    told.opened("/dev/null", 5)
    told.opened("/dev/shm/x", 5)
    told.did("io_uring:mkdirat", 0, AT_FDCWD & 0xFFFFFFFF, told.string("/ring"))
    found = told.files(tmp_path)
    assert {path: (row.created, row.kind) for path, row in found.items()} == {
        "/new": (True, "file"), "/old": (False, "file"), "/d": (True, "folder"), "/fifo": (True, "pipe"), "/link": (True, "link"),
        "/hard": (True, "file"), "/tmp/(temporary file without a name)": (False, "file"), "/dev/null": (False, "device"),
        "/dev/shm/x": (False, "file"), "/ring": (True, "folder")}


def test_many_files_of_one_folder_and_a_folder_that_moves(tmp_path: Path) -> None:
    told = Told()
    for number in range(70):
        told.opened(f"/var/a/../b/{number}", 3)
        told.opened(f"/var/b/./c//{number}", 3)
    told.path("rename", "/var/b", "/srv")
    told.opened("/var/b/0", 3)
    found = told.files(tmp_path)
    expected = {f"/srv/{number}" for number in range(70)} | {f"/srv/c/{number}" for number in range(70)} | {"/var/b/0"}
    assert expected <= set(found)
    assert [path for path in found if path.startswith("/var/b/")] == ["/var/b/0"]
    assert found["/srv/c/7"].was == ("/var/b/c/7",)
