"""Files that processes run, found through /proc; the process is this one, and children of it."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.front_support import sleeping
from tracer.tls.elf import Elf
from tracer.tls.images import Image, mapped_files, places

PROGRAM = shutil.which("sleep") or "/bin/sleep"


def device(path: str | Path) -> int:
    """As the kernel numbers devices: that of mappings, which on some file systems is not that of stat(2)."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[5].removesuffix(" (deleted)") == str(path):
            major, minor = words[3].split(":")
            return int(major, 16) << 20 | int(minor, 16)
    raise AssertionError(f"{path} is not mapped")


def open_image(tgid: int, inode: int, number: int) -> Image | None:
    place = places(tgid, {(inode, number), (1, 1)}).get((inode, number))
    return place.open() if place else None


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A process that runs a program which is only here."""
    program = tmp_path / "a name with blanks"
    shutil.copy(PROGRAM, program)
    process = sleeping(program)
    yield program, process
    process.kill()
    process.wait()


def test_ones_own_files() -> None:
    images = list(mapped_files(os.getpid()))
    try:
        paths = [image.path for image in images]
        assert os.path.realpath(sys.executable) in paths
        assert any("libc" in path for path in paths)
        assert len({(image.inode, image.device) for image in images}) == len(images)
        assert all(path.startswith("/") for path in paths)
        for image in images:
            assert os.fstat(image.fd).st_ino == image.inode
            assert os.get_inheritable(image.fd) is False
            assert image.device == device(image.path)
            assert image.build_id() == Elf(image.fd).build_id()
    finally:
        for image in images:
            os.close(image.fd)


def test_what_is_mapped_to_be_read_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(bytes(5000))
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ):
        images = list(mapped_files(os.getpid()))
    for image in images:
        os.close(image.fd)
    assert str(file) not in [image.path for image in images]


def test_a_file_that_is_mapped_and_not_elf(tmp_path: Path) -> None:
    file = tmp_path / "code"
    file.write_bytes(b"no ELF" * 1000)
    try:
        with file.open("rb") as stream:
            memory = mmap.mmap(stream.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
    except PermissionError:
        pytest.skip("files here may not be run")
    with memory:
        [image] = [one for one in mapped_files(os.getpid()) if one.path == str(file) or os.close(one.fd)]
    assert image.build_id() == ""
    os.close(image.fd)


def test_by_its_numbers() -> None:
    library = next(line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if "libc" in line)
    for path in (os.path.realpath(sys.executable), library):
        image = open_image(os.getpid(), os.stat(path).st_ino, device(path))
        assert image is not None
        assert (image.path, os.fstat(image.fd).st_ino) == (path, os.stat(path).st_ino)
        os.close(image.fd)


def test_numbers_of_no_file() -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert open_image(os.getpid(), 1, 1) is None
    assert open_image(os.getpid(), os.stat(os.path.realpath(sys.executable)).st_ino + 1, 1) is None
    assert open_image(2**22 + 1, 1, 1) is None
    assert list(mapped_files(2**22 + 1)) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_that_was_deleted(copied: tuple[Path, subprocess.Popen[bytes]]) -> None:
    program, process = copied
    there = program.stat()
    code = program.read_bytes()
    program.unlink()
    image = open_image(process.pid, there.st_ino, 77)
    assert image is not None
    assert (image.path, image.inode, os.pread(image.fd, len(code), 0)) == (str(program), there.st_ino, code)
    os.close(image.fd)


def test_a_library_that_was_deleted(tmp_path: Path) -> None:
    """Updates delete what still runs. Its map_files entry takes CAP_CHECKPOINT_RESTORE; without, nothing else may be opened in its place."""
    library = tmp_path / "libgone.so"
    source = tmp_path / "gone.c"
    source.write_text("int gone(void) { return 7; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    code = library.read_bytes()
    assert ctypes.CDLL(str(library)).gone() == 7
    inode, number = library.stat().st_ino, device(library)
    library.unlink()
    library.write_bytes(b"another one")
    image = open_image(os.getpid(), inode, number)
    if os.geteuid() == 0:
        assert image is not None
        assert (image.path, os.pread(image.fd, len(code) + 1, 0)) == (str(library), code)
    else:
        assert image is None or image.inode == inode
    if image is not None:
        os.close(image.fd)


def test_a_process_that_has_ended(copied: tuple[Path, subprocess.Popen[bytes]]) -> None:
    program, process = copied
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert open_image(process.pid, program.stat().st_ino, 1) is None
    assert list(mapped_files(process.pid)) == []
