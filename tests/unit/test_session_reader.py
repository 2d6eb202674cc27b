"""A session file that was cut off or damaged gives what can be read of it, and says what cannot."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.session_files import (
    BLOCK,
    CONTENT,
    END,
    HEADER,
    META,
    SMALL,
    TRAILER,
    block_offsets,
    read_all,
    same,
    strings,
    syscalls,
    write_session,
)
from tracer.errors import DamagedSession, NewerSession, NotASession, SessionError
from tracer.session import format as layout
from tracer.session import strings as strings_module
from tracer.session.format import BlockKind
from tracer.session.reader import open_session
from tracer.session.writer import SessionWriter

NO_INDEX = "The file has no index: its blocks were found by scanning."
NO_END = "There is no END block: the tracer was stopped in mid-session, or is still at work."
BLOCKS = len(CONTENT) + 1


def assert_blocks(path: Path, expected: list[int], content: list[tuple[BlockKind, dict[str, Any]]] = CONTENT) -> list[str]:
    """The file holds these of the blocks that were written, and nothing else; returns the problems after reading it all."""
    ordered = [*content, (BlockKind.END, END)]
    with open_session(str(path)) as session:
        found = read_all(session)
        in_order = sorted((ordered[number] for number in expected), key=lambda block: block[0])
        assert [kind for kind, _ in found] == [kind for kind, _ in in_order]
        assert all(same(value, other) for (_, value), (_, other) in zip(found, in_order, strict=True))
        session.check()
        assert session.complete == (expected == list(range(len(ordered))))
        return session.problems


def test_truncation_at_every_byte(tmp_path: Path) -> None:
    data, path = write_session(tmp_path / "whole.ebt", SMALL), tmp_path / "s.ebt"
    offsets, blocks = [*block_offsets(data), len(data) - TRAILER], len(SMALL) + 1
    for size in range(len(data)):
        path.write_bytes(data[:size])
        if size < offsets[1]:
            with pytest.raises(DamagedSession) as caught:
                open_session(str(path))
            assert str(path) in caught.value.message
            continue
        whole = sum(offset <= size for offset in offsets) - 1
        problems = assert_blocks(path, list(range(min(whole, blocks))), SMALL)
        assert NO_INDEX in problems
        assert (NO_END in problems) == (whole < blocks)
        if size not in offsets:
            inside = f"The file is truncated at byte {size}, inside "
            after = f"Bytes {offsets[whole]} to {size - 1}, after the END block, are not part of the session, or damaged."
            assert problems[0].startswith(inside) or (problems[0] == after and whole >= blocks)


def test_every_flipped_bit_is_noticed_and_costs_one_block_at_most(tmp_path: Path) -> None:
    data, path = write_session(tmp_path / "whole.ebt", SMALL), tmp_path / "s.ebt"
    offsets = [*block_offsets(data), len(data) - TRAILER]
    kinds = [kind.name for kind, _ in SMALL] + ["END"]
    for place in range(8 * len(data)):
        spoiled = bytearray(data)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        if place < 8 * len(layout.MAGIC):
            with pytest.raises(NotASession):
                open_session(str(path))
            continue
        block = sum(8 * offset <= place for offset in offsets) - 1
        if place % 8 == place // 8 % 8:
            problems = assert_blocks(path, [number for number in range(len(kinds)) if number != block], SMALL)
        else:
            with open_session(str(path)) as session:
                session.check()
                problems = session.problems
        if place < 8 * HEADER:
            assert problems == ["The file's header is damaged."]
        elif block < len(kinds):
            assert f"Block {block} ({kinds[block]}), at byte {offsets[block]}, is damaged (" in problems[0]
        else:
            assert "index" in problems[-1]


def test_every_flipped_bit_of_a_file_without_index_costs_one_block_at_most(tmp_path: Path) -> None:
    data, path = write_session(tmp_path / "whole.ebt", SMALL, end=None), tmp_path / "s.ebt"
    offsets = block_offsets(data)
    for place in range(HEADER, len(data)):
        spoiled = bytearray(data)
        spoiled[place] ^= 128 >> place % 8
        path.write_bytes(spoiled)
        block = sum(offset <= place for offset in offsets) - 1
        problems = assert_blocks(path, [number for number in range(len(SMALL)) if number != block], SMALL)
        if place >= offsets[block] + BLOCK:
            assert f"Block {block} ({SMALL[block][0].name}), at byte {offsets[block]}, is damaged (checksum) and was skipped." in problems
        elif block + 1 < len(offsets):
            assert problems[:2] == [
                f"Bytes {offsets[block]} to {offsets[block + 1] - 1} are damaged and were skipped.", f"Block {block} is missing.",
            ]
        else:
            assert problems[0] == f"Bytes {offsets[block]} to {len(data) - 1}, the end of the file, hold no whole block."


@pytest.mark.parametrize("first", range(len(CONTENT)))
def test_a_hole_in_the_file_costs_the_blocks_in_it(tmp_path: Path, first: int) -> None:
    data = write_session(tmp_path / "s.ebt", end=None)
    offsets = [*block_offsets(data), len(data)]
    start, end = offsets[first] + 3, offsets[min(first + 2, len(CONTENT))] - 3
    for filling in (b"\0", b"\xff", layout.MARK):
        path = tmp_path / "s.ebt"
        path.write_bytes(data[:start] + (filling * (end - start))[:end - start] + data[end:])
        if first + 2 > len(CONTENT):
            continue
        problems = assert_blocks(path, [number for number in range(len(CONTENT)) if not first <= number < first + 2])
        assert f"Bytes {offsets[first]} to " in problems[0]


def test_bytes_lost_and_bytes_added_in_the_middle(tmp_path: Path) -> None:
    data, path = write_session(tmp_path / "whole.ebt"), tmp_path / "s.ebt"
    offsets = block_offsets(data)
    path.write_bytes(data[:offsets[2]] + data[offsets[4]:])
    assert "Blocks 2 to 3 are missing." in assert_blocks(path, [0, 1, *range(4, BLOCKS)])
    path.write_bytes(data[:offsets[2]] + data[offsets[3]:])
    assert "Block 2 is missing." in assert_blocks(path, [0, 1, *range(3, BLOCKS)])
    path.write_bytes(data[:offsets[2]] + os.urandom(3_000_000) + data[offsets[2]:])
    with open_session(str(path)) as session:
        assert len(read_all(session)) == BLOCKS
        assert f"Bytes {offsets[2]} to {offsets[2] + 3_000_000 - 1} are damaged and were skipped." in session.problems
    path.write_bytes(data[:offsets[3]] + data[offsets[2]:offsets[3]] + data[offsets[3]:])  # a block twice is counted once
    with open_session(str(path)) as session:
        assert len(read_all(session)) == BLOCKS


def test_bytes_after_the_end(tmp_path: Path) -> None:
    data, path = write_session(tmp_path / "whole.ebt"), tmp_path / "s.ebt"
    path.write_bytes(data + b"junk")
    assert assert_blocks(path, list(range(BLOCKS))) == [
        f"Bytes {len(data)} to {len(data) + 3}, after the END block, are not part of the session, or damaged.", NO_INDEX,
    ]


def test_blocks_of_another_session_are_not_taken_for_ours(tmp_path: Path) -> None:
    data, other, path = write_session(tmp_path / "a.ebt"), write_session(tmp_path / "b.ebt"), tmp_path / "s.ebt"
    offsets = block_offsets(data)
    path.write_bytes(data[:offsets[2]] + other + data[offsets[3]:])
    problems = assert_blocks(path, [0, 1, *range(3, BLOCKS)])
    assert "Block 2 is missing." in problems


def test_a_damaged_header_and_no_trailer(tmp_path: Path) -> None:
    data, path = bytearray(write_session(tmp_path / "whole.ebt", end=None)), tmp_path / "s.ebt"
    data[13] ^= 1
    path.write_bytes(data)
    assert assert_blocks(path, list(range(len(CONTENT))))[0] == "The file's header is damaged."
    offsets = block_offsets(bytes(data))
    data[offsets[0]] ^= 1
    path.write_bytes(data)
    assert "Block 0 is missing." in assert_blocks(path, list(range(1, len(CONTENT))))


def test_power_loss_leaves_zeros_at_the_end(tmp_path: Path) -> None:
    data, path = write_session(tmp_path / "whole.ebt", end=None), tmp_path / "s.ebt"
    offsets = block_offsets(data)
    path.write_bytes(data[:offsets[-1]] + bytes(len(data) - offsets[-1]))
    problems = assert_blocks(path, list(range(len(CONTENT) - 1)))
    assert problems[0] == f"Bytes {offsets[-1]} to {len(data) - 1}, the end of the file, hold no whole block."


def test_a_reader_beside_the_writer_sees_whole_blocks(tmp_path: Path) -> None:
    path, tables, seen = tmp_path / "s.ebt", [syscalls(2000, seed) for seed in range(40)], []
    with open(path, "wb", buffering=0) as file:
        writer = SessionWriter(file)
        writer.write_map(BlockKind.META, META)

        def write() -> None:
            for table in tables:
                writer.write_table(BlockKind.SYSCALLS, table)
            writer.close(END)

        thread = threading.Thread(target=write)
        thread.start()
        while not seen or seen[-1] < len(tables):
            alive = thread.is_alive()
            with open_session(str(path)) as session:
                found = list(session.tables(BlockKind.SYSCALLS))
                assert all(map(same, found, tables))
                assert session.complete or NO_END in session.problems
                seen.append(len(found))
            assert alive or seen[-1] == len(tables)
        thread.join()
    assert seen == sorted(seen)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    data = write_session(tmp_path / "s.ebt")
    with open_session(str(tmp_path / "s.ebt")) as session:
        os.truncate(tmp_path / "s.ebt", block_offsets(data)[3])
        assert len(list(session.tables(BlockKind.SYSCALLS))) == 1
        assert [problem.split(",")[0] for problem in session.problems] == ["Block 6 (SYSCALLS)"]
        assert not session.complete


def test_reading_twice_names_a_damage_once(tmp_path: Path) -> None:
    data = bytearray(write_session(tmp_path / "s.ebt"))
    data[block_offsets(bytes(data))[2] + BLOCK] ^= 1
    (tmp_path / "s.ebt").write_bytes(data)
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert session.complete  # as far as it has been read
        for _ in range(2):
            assert len(list(session.tables(BlockKind.SYSCALLS))) == 1
        session.check()
        assert len(session.problems) == 1
        assert not session.complete


def test_tables_and_maps_are_not_mixed_up(tmp_path: Path) -> None:
    write_session(tmp_path / "s.ebt")
    with open_session(str(tmp_path / "s.ebt")) as session:
        with pytest.raises(ValueError, match="LEDGER blocks are no tables"):
            session.tables(BlockKind.LEDGER)
        with pytest.raises(ValueError, match="SYSCALLS blocks are tables"):
            session.maps(BlockKind.SYSCALLS)


def test_strings_by_id(tmp_path: Path) -> None:
    content = [
        (BlockKind.META, META), (BlockKind.STRINGS, strings(b"/a", b"", b"\xff\n", first_id=2**64 - 3)),
        (BlockKind.STRINGS, strings(b"again", b"/b", first_id=2**64 - 1) | {"id": np.array([2**64 - 1, 0], "<u8")}),
    ]
    write_session(tmp_path / "s.ebt", content)
    with open_session(str(tmp_path / "s.ebt")) as session:
        found = session.strings()
        assert session.strings() is found
    assert dict(found) == {0: (b"/b", 3, 1), 2**64 - 3: (b"/a", 3, 0), 2**64 - 2: (b"", 1, 1), 2**64 - 1: (b"\xff\n", 3, 2)}
    assert found[np.uint64(2**64 - 3)].data == b"/a"
    assert (np.uint64(0) in found, 1 in found, -1 in found, 2**64 in found, "x" in found) == (True, False, False, False, False)
    with pytest.raises(KeyError):
        found[1]
    assert found.many(np.array([2**64 - 2, 1, 0, 0, 2**64 - 1], "<u8")) == [(b"", 1, 1), None, (b"/b", 3, 1), (b"/b", 3, 1), (b"\xff\n", 3, 2)]
    assert found.many(np.array([], "<u8")) == []


def test_no_strings_at_all(tmp_path: Path) -> None:
    write_session(tmp_path / "s.ebt", [(BlockKind.META, META)])
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert session.strings().many(np.array([5, 6], "<u8")) == [None, None]


def test_hundreds_of_thousands_of_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings_module, "_PENDING", 100_000)  # so that they are taken in in many steps
    random, texts = np.random.default_rng(1), {}
    content = [(BlockKind.META, META)]
    for block in range(30):
        table = strings(*(b"/%d/%d" % (block, row) for row in range(7000)))
        table["id"] = random.integers(0, 100_000, 7000, "<u8") << np.uint64(40)
        for row, key in enumerate(table["id"].tolist()):
            texts.setdefault(key, b"/%d/%d" % (block, row))
        content.append((BlockKind.STRINGS, table))
    write_session(tmp_path / "s.ebt", content)
    with open_session(str(tmp_path / "s.ebt")) as session:
        found = session.strings()
    assert len(found) == len(texts)
    assert all(found[key].data == text for key, text in texts.items())


def test_more_strings_than_memory_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strings_module, "_PENDING", 1000)
    monkeypatch.setattr(strings_module, "STRINGS_LIMIT", 5000)
    blocks = [(BlockKind.STRINGS, strings(b"x" * 2000, first_id=number)) for number in range(9)]
    write_session(tmp_path / "s.ebt", [(BlockKind.META, META), *blocks])
    with open_session(str(tmp_path / "s.ebt")) as session:
        assert list(session.strings()) == [0, 1, 2]
        assert "the rest was left out" in session.problems[0]
        assert not session.complete


@pytest.mark.parametrize(("content", "error", "sentence"), [
    (b"", DamagedSession, "{} is empty: the tracer was stopped before it wrote anything"),
    (layout.MAGIC, DamagedSession, "{} is truncated at byte 8, inside its header: nothing in it can be read"),
    (layout.pack_file_header(1), DamagedSession, "{} holds no whole block: nothing in it can be read"),
    (b"#!/bin/sh\n", NotASession, "{} is not an ebtrace session"),
    (b"\x89PNG\r\n\x1a\n" + b"x" * 99, NotASession, "{} is not an ebtrace session"),
    (layout._sealed(layout._FILE_HEADER.pack(layout.MAGIC, 7, 1)), NewerSession, "{} was written in format 7; this ebtrace reads formats up to 1"),
])
def test_files_that_are_no_sessions(tmp_path: Path, content: bytes, error: type[SessionError], sentence: str) -> None:
    (tmp_path / "s.ebt").write_bytes(content)
    with pytest.raises(error) as caught:
        open_session(str(tmp_path / "s.ebt"))
    assert caught.value.message == sentence.format(tmp_path / "s.ebt")
    assert caught.value.remedy
    assert caught.value.status == 4


def test_things_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer for ever
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    os.symlink("loop", tmp_path / "loop")
    for path, error, sentence in [
        (tmp_path, NotASession, "{} is a directory, not an ebtrace session"),
        (tmp_path / "pipe", NotASession, "{} is a named pipe, not an ebtrace session: sessions are read from files"),
        (tmp_path / "socket", NotASession, "{} is a socket, not an ebtrace session: sessions are read from files"),
        (Path("/dev/null"), NotASession, "{} is a device, not an ebtrace session: sessions are read from files"),
        (tmp_path / "nothing", SessionError, "{} does not exist"),
        (tmp_path / "loop", SessionError, "'{}' cannot be read: too many levels of symbolic links"),
    ]:
        with pytest.raises(error) as caught:
            open_session(str(path))
        assert caught.value.message == sentence.format(path)
        assert caught.value.remedy
    with pytest.raises(SessionError, match="null byte"):
        open_session("a\0b")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_session(tmp_path / "s.ebt")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # since root may read everything
    with pytest.raises(SessionError) as caught:
        open_session(str(tmp_path / "s.ebt"))
    assert caught.value.message == f"no permission to read {tmp_path / 's.ebt'}"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    data = write_session(tmp_path / "s.ebt")
    before = len(os.listdir("/proc/self/fd"))
    for size in range(0, len(data), 40):
        (tmp_path / "t.ebt").write_bytes(data[:size])
        try:
            open_session(str(tmp_path / "t.ebt")).close()
        except SessionError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before
