"""What is written can be read back, and a disk that fails leaves a readable file and one clear sentence."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit import session_files as files
from tests.unit.session_files import BLOCK, CONTENT, END, HEADER, META, TRAILER, block_offsets, read_all, strings, syscalls, write_session
from tracer.errors import OutputError
from tracer.session import format as layout
from tracer.session.format import BlockKind
from tracer.session.reader import open_session
from tracer.session.writer import SessionWriter


class FailingFile(io.RawIOBase):
    """A file on a disk that takes ``room`` bytes and no more, a few at a time."""

    def __init__(self, path: Path, room: int, failure: int, *, most: int = 1 << 30, can_cut: bool = True) -> None:
        self.name = str(path)
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115  # closed by close()
        self.room, self._failure, self._most, self._can_cut = room, failure, most, can_cut

    def write(self, data: Any) -> int:
        count = min(len(data), self.room, self._most)
        if not count:
            raise OSError(self._failure, os.strerror(self._failure))
        self.room -= count
        return self._file.write(data[:count])

    def truncate(self, size: int | None = None) -> int:
        if not self._can_cut:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._file.truncate(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def close(self) -> None:
        self._file.close()
        super().close()


def write_all(writer: SessionWriter) -> None:
    for kind, value in CONTENT:
        (writer.write_table if layout.is_table(kind) else writer.write_map)(kind, value)


def test_every_kind_of_block_comes_back(tmp_path: Path) -> None:
    write_session(tmp_path / "s.ebt")
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert (session.meta, session.end) == (META, END)
        for kind in BlockKind:
            written = [value for its_kind, value in [*CONTENT, (BlockKind.END, END)] if its_kind == kind]
            found = [value for its_kind, value in read_all(session) if its_kind == kind]
            assert len(found) == len(written)
            assert all(map(files.same, found, written))
        session.check()
        assert (session.problems, session.complete, session.size) == ([], True, os.path.getsize(tmp_path / "s.ebt"))


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    data = write_session(tmp_path / "s.ebt")
    assert data[:12] == bytes.fromhex("894542540d0a1a0a 01000000")
    assert (HEADER, BLOCK, TRAILER) == (20, 32, 24)
    offsets = block_offsets(data)
    assert len(offsets) == len(CONTENT) + 2
    for number, offset in enumerate(offsets):
        assert data[offset:offset + 4] == bytes.fromhex("eb424c4b")
        assert data[offset + 4:offset + 8] == data[12:16]
        assert int.from_bytes(data[offset + 12:offset + 16], "little") == number
    kinds = [int.from_bytes(data[offset + 8:offset + 10], "little") for offset in offsets]
    assert kinds == [kind for kind, _ in CONTENT] + [BlockKind.END, BlockKind.INDEX]
    assert data[-24:-16] == b"EBT-END\n"
    assert int.from_bytes(data[-16:-8], "little") == offsets[-1]


def test_two_sessions_bear_different_numbers(tmp_path: Path) -> None:
    assert write_session(tmp_path / "a.ebt")[12:16] != write_session(tmp_path / "b.ebt")[12:16]


def test_large_tables_become_several_blocks(tmp_path: Path) -> None:
    table = files.totals(60_000)  # 18 MB
    write_session(tmp_path / "s.ebt", [(BlockKind.META, META), (BlockKind.TOTALS, table)])
    with open_session(str(tmp_path / "s.ebt")) as session:
        parts = list(session.tables(BlockKind.TOTALS))
        assert [len(part["proc"]) for part in parts] == [27_060, 27_060, 5880]
        assert files.same({name: np.concatenate([part[name] for part in parts]) for name in table}, table)


def test_empty_tables_are_left_out(tmp_path: Path) -> None:
    empty = [(BlockKind.META, META), (BlockKind.SYSCALLS, syscalls(0)), (BlockKind.STRINGS, strings()), (BlockKind.LIFECYCLE, files.lifecycle(0))]
    assert len(block_offsets(write_session(tmp_path / "s.ebt", empty))) == 3
    one_empty_string = [(BlockKind.META, META), (BlockKind.STRINGS, strings(b""))]
    write_session(tmp_path / "t.ebt", one_empty_string)
    with open_session(str(tmp_path / "t.ebt")) as session:
        assert session.strings()[2**63] == (b"", 1, 0)


@pytest.mark.parametrize("spoil", [
    lambda table: table.pop("ret"), lambda table: table.update(more=table["ret"]), lambda table: table.update(ret=table["ret"].astype("<i4")),
    lambda table: table.update(ret=table["ret"][1:]), lambda table: table.update(ret=table["ret"].reshape(-1, 1)),
])
def test_tables_of_another_form_are_refused(spoil: Any) -> None:
    writer, table = SessionWriter(io.BytesIO()), syscalls(4)
    spoil(table)
    with pytest.raises(ValueError, match="no SYSCALLS table: "):
        writer.write_table(BlockKind.SYSCALLS, table)
    with pytest.raises(ValueError, match="not tables"):
        writer.write_table(BlockKind.META, syscalls(4))
    with pytest.raises(ValueError, match="kept bytes"):
        writer.write_table(BlockKind.STRINGS, strings(b"abc") | {"data": np.zeros(2, "u1")})
    with pytest.raises(ValueError, match="can be read back"):
        writer.write_map(BlockKind.META, {"command": ["x" * layout.MAP_LIMIT]})
    assert writer.written == HEADER


def test_short_writes_are_continued(tmp_path: Path) -> None:
    expected = write_session(tmp_path / "whole.ebt")
    with FailingFile(tmp_path / "s.ebt", 1 << 30, errno.EIO, most=7) as file:
        writer = SessionWriter(file)  # type: ignore[arg-type]
        write_all(writer)
        writer.close(END)
    assert len((tmp_path / "s.ebt").read_bytes()) == len(expected)
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert session.complete


def test_finished_blocks_are_in_the_file_at_once(tmp_path: Path) -> None:
    with open(tmp_path / "s.ebt", "wb") as file:  # buffered
        writer = SessionWriter(file)
        writer.write_map(BlockKind.META, META)
        assert os.path.getsize(tmp_path / "s.ebt") == writer.written
        with open_session(str(tmp_path / "s.ebt")) as session:
            assert session.meta == META


@pytest.mark.parametrize(("failure", "remedy"), [
    (errno.ENOSPC, "free some space"), (errno.EDQUOT, "disk quota"), (errno.EIO, "dmesg"), (errno.EFBIG, "ulimit -f"),
])
def test_a_failing_disk_leaves_whole_blocks(tmp_path: Path, failure: int, remedy: str) -> None:
    offsets = block_offsets(write_session(tmp_path / "whole.ebt"))
    path = tmp_path / "s.ebt"
    for room in range(offsets[0] + 1, offsets[3], 11):
        with FailingFile(path, room, failure, most=100) as file:
            writer = SessionWriter(file)  # type: ignore[arg-type]
            with pytest.raises(OutputError) as caught:
                write_all(writer)
        assert caught.value.message == f"{path} cannot be written: {os.strerror(failure).lower()}"
        assert remedy in caught.value.remedy
        whole = sum(offset <= room for offset in offsets) - 1
        assert os.path.getsize(path) == writer.written == offsets[whole]
        if whole:
            with open_session(str(path)) as session:
                assert len(read_all(session)) == whole
                assert session.problems == [
                    "The file has no index: its blocks were found by scanning.",
                    "There is no END block: the tracer was stopped in mid-session, or is still at work.",
                ]


def test_a_session_can_be_ended_on_a_disk_that_was_full(tmp_path: Path) -> None:
    with FailingFile(tmp_path / "s.ebt", 1500, errno.ENOSPC) as file:
        writer = SessionWriter(file)  # type: ignore[arg-type]
        writer.write_map(BlockKind.META, META)
        with pytest.raises(OutputError):
            writer.write_table(BlockKind.SYSCALLS, syscalls(5000))
        file.room = 1000  # what was cut off again
        writer.close(END)
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert (session.complete, session.problems, len(read_all(session))) == (True, [], 2)


def test_nothing_follows_a_partial_block_that_cannot_be_removed(tmp_path: Path) -> None:
    with FailingFile(tmp_path / "s.ebt", 1500, errno.ENOSPC, can_cut=False) as file:
        writer = SessionWriter(file)  # type: ignore[arg-type]
        writer.write_map(BlockKind.META, META)
        with pytest.raises(OutputError):
            writer.write_table(BlockKind.SYSCALLS, syscalls(5000))
        file.room = 1 << 20
        with pytest.raises(OutputError, match="ends in a partial block"):
            writer.close(END)
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert session.meta == META
        assert session.problems[0] == f"The file is truncated at byte 1500, inside block 1, which starts at byte {writer.written}."


def test_the_kernels_own_file_size_limit(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open(tmp_path / "s.ebt", "wb", buffering=0) as file:
        writer = SessionWriter(file)
        writer.write_map(BlockKind.META, META)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        try:
            with pytest.raises(OutputError, match="file too large") as caught:
                writer.write_table(BlockKind.SYSCALLS, syscalls(5000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "ulimit -f" in caught.value.remedy
    assert os.path.getsize(tmp_path / "s.ebt") == writer.written


def test_a_full_device_is_named_even_if_only_its_number_is_known() -> None:
    with open(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0) as file, pytest.raises(OutputError) as caught:
        SessionWriter(file)
    assert caught.value.message == "/dev/full cannot be written: no space left on device"


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    with open(tmp_path / "s.ebt", "wb", buffering=0) as file:
        writer = SessionWriter(file)
        writer.close(END)
        with pytest.raises(OutputError, match="the session is closed"):
            writer.write_map(BlockKind.META, META)


def test_importing_the_writer_loads_nothing_heavy() -> None:
    check = "import sys, tracer.session.writer, tracer.session.output; print([m for m in ('numpy', 'zstandard', 'msgpack') if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, capture_output=True, text=True, check=True).stdout == "[]\n"
