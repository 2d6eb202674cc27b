"""The output file is private and new; nothing that exists is lost without --force."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.errors import OutputError
from tracer.session.output import create_output


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def nobody() -> Iterator[Path]:
    """Run as a user whom permissions bind, in a folder that belongs to someone else; root is not bound by any."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def create(path: str | None, name: str = "cat", *, force: bool = False) -> str:
    fd, made = create_output(path, name, 12, force=force)
    try:
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
        assert os.fstat(fd).st_size == 0
        assert not os.get_inheritable(fd)
        os.write(fd, b"new")
    finally:
        os.close(fd)
    assert Path(made).read_bytes() == b"new"
    return made


def refused(path: str | None, *, force: bool = False) -> OutputError:
    before = sorted(os.listdir())
    with pytest.raises(OutputError) as caught:
        create_output(path, "cat", 12, force=force)
    assert sorted(os.listdir()) == before
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(("command", "name"), [
    ("cat", "ebtrace-cat.12.ebt"), ("/usr/bin/cat", "ebtrace-cat.12.ebt"), ("./a b;c\n\x1b[31m", "ebtrace-a_b_c___31m.12.ebt"),
    ("../..", "ebtrace-...12.ebt"), ("dir/", "ebtrace-dir.12.ebt"), ("", "ebtrace-command.12.ebt"), ("/", "ebtrace-command.12.ebt"),
    ("x" * 300, "ebtrace-" + "x" * 64 + ".12.ebt"), ("\udcff\u00e9", "ebtrace-__.12.ebt"), ("g++-12.2_a", "ebtrace-g++-12.2_a.12.ebt"),
])
def test_default_name(command: str, name: str) -> None:
    assert create(None, command) == name


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_mode_is_private_whatever_the_umask(mask: int) -> None:
    before = os.umask(mask)
    try:
        create("a.ebt")
        create("a.ebt", force=True)
    finally:
        os.umask(before)


def test_an_existing_file_stays_without_force() -> None:
    Path("a.ebt").write_text("precious")
    error = refused("a.ebt")
    assert error.message == "a.ebt exists already"
    assert "--force" in error.remedy
    assert Path("a.ebt").read_text() == "precious"
    Path("ebtrace-cat.12.ebt").write_text("precious")
    assert refused(None).message == "ebtrace-cat.12.ebt exists already"


def test_force_replaces_the_name_and_not_the_content() -> None:
    Path("a.ebt").write_text("precious")
    os.chmod("a.ebt", 0o644)
    os.link("a.ebt", "other-name")
    with open("a.ebt") as reader:
        create("a.ebt", force=True)
        assert reader.read() == "precious"
    assert Path("other-name").read_text() == "precious"
    assert sorted(os.listdir()) == ["a.ebt", "other-name"]
    create("new.ebt", force=True)


def test_symbolic_links_are_not_followed() -> None:
    Path("target").write_text("precious")
    os.symlink("target", "link")
    os.symlink("nowhere", "dangling")
    for force in (False, True):
        for link in ("link", "dangling"):
            assert refused(link, force=force).message == f"{link} is a symbolic link, which is not followed"
    assert Path("target").read_text() == "precious"
    assert not os.path.lexists("nowhere")


def test_what_is_no_file_is_never_replaced() -> None:
    os.mkfifo("pipe")
    os.mkdir("folder")
    for force in (False, True):
        assert refused("pipe", force=force).message == "pipe is not a regular file"
        assert refused("/dev/null", force=force).message == "/dev/null is not a regular file"
        assert refused("folder", force=force).message == "folder is a directory"
        assert refused("folder/", force=force).message == "folder/ names a directory"
        assert refused("new/", force=force).message == "new/ names a directory"


def test_folders_that_cannot_hold_it() -> None:
    Path("file").write_text("")
    assert refused("no/such/a.ebt").message == "the folder no/such does not exist"
    assert refused("file/a.ebt").message == "file is not a folder"
    assert refused("").message == "the name of the session file is empty"
    assert refused("x" * 300).message == f"'{'x' * 300}' cannot be created: file name too long"
    assert refused("a\0b").message == "'a\\x00b' cannot be created: invalid argument"


def test_a_folder_of_someone_else(nobody: Path) -> None:
    with pytest.raises(OutputError) as caught:
        create_output(str(nobody / "a.ebt"), "cat", 12, force=False)
    assert caught.value.message == f"no permission to create a.ebt in {nobody}"


def test_force_without_rights_leaves_the_old_file(nobody: Path) -> None:
    os.seteuid(0)
    (nobody / "a.ebt").write_text("precious")
    os.seteuid(65534)
    with pytest.raises(OutputError, match="no permission"):
        create_output(str(nobody / "a.ebt"), "cat", 12, force=True)
    os.seteuid(0)
    os.chmod(nobody, 0o1777)  # as in /tmp: a new file is allowed, another's may not be replaced
    os.seteuid(65534)
    with pytest.raises(OutputError, match="no permission"):
        create_output(str(nobody / "a.ebt"), "cat", 12, force=True)
    os.seteuid(0)
    assert [path.name for path in nobody.iterdir()] == ["a.ebt"]
    assert (nobody / "a.ebt").read_text() == "precious"


def test_the_file_belongs_to_whoever_calls(nobody: Path) -> None:
    os.seteuid(0)
    os.chmod(nobody, 0o777)
    os.seteuid(65534)
    fd, path = create_output(str(nobody / "a.ebt"), "cat", 12, force=False)
    os.close(fd)
    assert os.stat(path).st_uid == 65534


@pytest.mark.parametrize(("number", "sentence"), [
    (errno.EROFS, ". is on a read-only file system"), (errno.ENOSPC, "no room for a.ebt: no space left on device"),
    (errno.EDQUOT, "no room for a.ebt: disk quota exceeded"), (errno.EMFILE, "'a.ebt' cannot be created: too many open files"),
])
def test_other_refusals_of_the_kernel(monkeypatch: pytest.MonkeyPatch, number: int, sentence: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    assert refused("a.ebt").message == sentence
