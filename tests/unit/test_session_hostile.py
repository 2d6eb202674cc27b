"""A session file from a stranger can waste neither memory nor time, and raises nothing but the documented errors."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zstandard

from tests.unit.session_files import META, block_offsets, forge, forge_file, read_all, same, strings, syscalls, totals, write_session
from tracer.errors import SessionError
from tracer.session import format as layout
from tracer.session.columns import encode
from tracer.session.format import MODELS, BlockKind
from tracer.session.reader import open_session

SYSCALLS = encode(syscalls(3), MODELS[BlockKind.SYSCALLS])
ROOT = Path(__file__).resolve().parents[2]


def problem(path: Path) -> str:
    """What is said about the one bad block of a forged file."""
    with open_session(str(path)) as session:
        assert session.meta == META
        assert read_all(session) == [(BlockKind.META, META)]
        assert not session.complete
        [found] = [sentence for sentence in session.problems if sentence.startswith("Block ")]
        return found


def test_a_forged_block_without_faults_is_read(tmp_path: Path) -> None:
    with open_session(str(forge_file(tmp_path / "s.ebt", (BlockKind.SYSCALLS, msgpack.packb(SYSCALLS))))) as session:
        assert same(next(session.tables(BlockKind.SYSCALLS)), syscalls(3))


@pytest.mark.parametrize(("kind", "raw"), [
    (BlockKind.SYSCALLS, layout.RAW_LIMIT + 1), (BlockKind.LEDGER, layout.MAP_LIMIT + 1), (BlockKind.LEDGER, 2**32 - 1),
])
def test_a_block_that_claims_to_be_large(tmp_path: Path, kind: BlockKind, raw: int) -> None:
    path = forge_file(tmp_path / "s.ebt", (kind, b"\x80"), raw=raw)
    assert "is damaged (larger than any real one) and was skipped." in problem(path)


def bomb(size: int) -> bytes:
    frame = zstandard.ZstdCompressor(level=1).compressobj(size=size)
    return b"".join(frame.compress(bytes(min(size - start, 1 << 20))) for start in range(0, size, 1 << 20)) + frame.flush()


def without_size(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_content_size=False).compress(data)


def lying(data: bytes, says: int) -> bytes:
    """A frame whose header says another size than it has: between 256 and 65791 bytes it stands in two bytes after the descriptor."""
    frame = bytearray(zstandard.ZstdCompressor(level=1).compress(data))
    assert frame[4] == 0x60
    frame[5:7] = (says - 256).to_bytes(2, "little")
    return bytes(frame)


@pytest.mark.parametrize(("frame", "raw"), [
    (bomb(1 << 28), 1000), (without_size(bytes(1000)), 1000), (without_size(bytes(1 << 24)), 1000), (lying(bytes(60_000), 1000), 1000),
    (lying(bytes(1000), 60_000), 60_000), (bomb(10) * 2, 10), (bomb(10) + b"more", 10), (b"", 0), (b"no frame", 8),
    (bytes.fromhex("502a4d18 04000000 00000000"), 0), (bomb(10)[:-3], 10), (bomb(0), 0),
], ids=range(12))
def test_frames_that_expand_to_something_else(tmp_path: Path, frame: bytes, raw: int) -> None:
    for kind in (BlockKind.SYSCALLS, BlockKind.LEDGER):
        found = problem(forge_file(tmp_path / "s.ebt", (kind, b""), frame=frame, raw=raw))
        assert "(another length than it says)" in found or "(content)" in found


@pytest.mark.parametrize("raw", [
    b"", b"\xc0", b"\x01", b"\x93\x01\x02\x03", b"\x80\x80", b"\x81\xa1a", b"\xc1", b"\x81\x01\x02", b"\x81\x91\x01\x02",
    b"\x81\xa1a\xc7\x01\x05x", b"\x81\xa1a\xd6\xff\0\0\0\0", b"\xdf\xff\xff\xff\xff", b"\x81\xa1a\xdd\xff\xff\xff\xff",
    b"\x81\xa1a\xc6\xff\xff\xff\xff", b"\x81\xa1a" + b"\x91" * 100_000, b"\x81\xa1a" * 100_000,
    b"\x81\xa1a" + b"\xdd\x00\x04\x00\x00" * 500 + b"\xc0", b"\x81\xa1a\xdd" + (1 << 19).to_bytes(4, "big") + b"\x90" * (1 << 19),
    b"\x81\xa1a\x9a" + (b"\xdd" + (1 << 17).to_bytes(4, "big") + b"\x80" * (1 << 17)) * 10,
], ids=range(19))
def test_msgpack_that_is_none_or_too_much(tmp_path: Path, raw: bytes) -> None:
    for kind in (BlockKind.SYSCALLS, BlockKind.LEDGER, BlockKind.STRINGS, BlockKind.SNAPSHOT):
        found = problem(forge_file(tmp_path / "s.ebt", (kind, raw)))
        assert "(content)" in found or "(columns)" in found


@pytest.mark.parametrize("changes", [
    {"ret": None}, {"ret": ["i8", [4], None, None, 0, bytes(8)]}, {"ret": ["i4", [3], None, None, 0, bytes(4)]}, {"more": SYSCALLS["ret"]},
    {"tid": ["u4", [3, 1], None, None, 0, bytes(4)]}, {"a0": ["u8", [2**24], None, None, 0, bytes(8)]}, {"a0": ["u8", [3], "a1", None, 2, 0, b"abc"]},
    {name: [parts[0], [2**21], None, None, 0, bytes(int(parts[0][1]))] for name, parts in SYSCALLS.items()},
], ids=range(8))
def test_columns_that_lie(tmp_path: Path, changes: dict[str, Any]) -> None:
    table = {name: parts for name, parts in (SYSCALLS | changes).items() if parts is not None}
    assert problem(forge_file(tmp_path / "s.ebt", (BlockKind.SYSCALLS, msgpack.packb(table)))).endswith("is damaged (columns) and was skipped.")


def test_strings_whose_lengths_lie(tmp_path: Path) -> None:
    table = strings(b"a", b"bc") | {"kept": np.array([2**32 - 1, 4], "<u4")}  # 3 modulo 2**32
    raw = msgpack.packb(encode(table))
    with open_session(str(forge_file(tmp_path / "s.ebt", (BlockKind.STRINGS, raw)))) as session:
        assert len(session.strings()) == 0
        assert "Block 1 (STRINGS), at byte " in session.problems[-1]


def test_flags_and_kinds_of_a_later_ebtrace(tmp_path: Path) -> None:
    assert "(made by a newer ebtrace)" in problem(forge_file(tmp_path / "s.ebt", (BlockKind.LEDGER, b"\x80"), flags=2))
    for kind in (0, 60, 65535):
        with open_session(str(forge_file(tmp_path / "s.ebt", (kind, b"\x80")))) as session:
            assert "Blocks of a kind that this ebtrace does not know were skipped: 1." in session.problems


def test_meta_and_end_of_other_types(tmp_path: Path) -> None:
    meta = {"command": [1, 2], "pid": "x", "children": 1, "arch": None, "sample": 2, "extra": [[]]}
    path = tmp_path / "s.ebt"
    blocks = forge(BlockKind.META, 0, msgpack.packb(meta), 5) + forge(BlockKind.END, 1, b"\x81\xa6reason\x01", 5)
    path.write_bytes(layout.pack_file_header(5) + blocks)
    with open_session(str(path)) as session:
        assert (session.meta["command"], session.meta["pid"], session.meta["children"], session.meta["arch"]) == ([], 0, True, "")
        assert (session.meta["sample"], session.meta["extra"], session.meta["cwd"]) == (2, [[]], "")
        assert session.end == {"ended_ns": 0, "exit_status": None, "reason": ""}
        assert "The META block is not what it should be: command, pid, arch, children." in session.problems
        assert not session.complete


@pytest.mark.parametrize("lie", ["offsets", "order", "kinds", "short", "long", "overlap", "empty", "columns", "bomb"])
def test_an_index_that_lies(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "s.ebt"
    data = write_session(path)
    offsets = block_offsets(data)
    session, index = int.from_bytes(data[12:16], "little"), offsets.pop()
    kinds = [int.from_bytes(data[offset + 8:offset + 10], "little") for offset in offsets]
    if lie == "offsets":
        offsets = [offset + 1 for offset in offsets]
    elif lie == "order":
        offsets[2:4] = reversed(offsets[2:4])
    elif lie == "kinds":
        kinds[2] = BlockKind.TOTALS
    elif lie in ("short", "long"):
        offsets, kinds = (offsets[:-1], kinds[:-1]) if lie == "short" else ([*offsets, index - 1], [*kinds, 2])
    elif lie == "overlap":
        offsets[3] = offsets[2] + 1
    elif lie == "empty":
        offsets, kinds = [], []
    table = {"kind": np.array(kinds, "<u2"), "offset": np.array(offsets, "<u8")}
    spoiled = {"columns": b"\x81\xa4kind\x90", "bomb": msgpack.packb({"kind": ["u2", [2**26], None, None, 0, b"12"]})}
    raw = spoiled.get(lie, msgpack.packb(encode(table)))
    path.write_bytes(data[:index] + forge(BlockKind.INDEX, len(block_offsets(data)) - 1, raw, session) + layout.pack_trailer(index, session))
    with open_session(str(path)) as found:
        count = len(read_all(found))
        found.check()
        assert found.problems
        assert count == len(block_offsets(data)) - 1 or (not found.complete and lie in ("kinds", "overlap"))


def test_blocks_inside_each_other_are_not_read_over_and_over(tmp_path: Path) -> None:
    # Each block's stored bytes are all blocks after it: reading them all would take time with the square of their number.
    nested, session, count = b"", 5, 4000
    for number in reversed(range(count)):
        nested = forge(BlockKind.LEDGER, number, b"", session, frame=nested, raw=8)
    path = tmp_path / "s.ebt"
    offsets = np.arange(count, dtype="<u8") * 32 + 20
    index = forge(BlockKind.INDEX, count, msgpack.packb(encode({"kind": np.full(count, BlockKind.LEDGER, "<u2"), "offset": offsets})), session)
    path.write_bytes(layout.pack_file_header(session) + nested + index + layout.pack_trailer(20 + len(nested), session))
    began = time.monotonic()
    with open_session(str(path)) as found:
        assert list(found.maps(BlockKind.LEDGER)) == []
        assert any("longer than its place" in sentence for sentence in found.problems)
    assert time.monotonic() - began < 5


def test_endless_problems_are_not_all_listed(tmp_path: Path) -> None:
    path = tmp_path / "s.ebt"
    parts = [layout.pack_file_header(5), forge(BlockKind.META, 0, msgpack.packb({}), 5)]
    for number in range(1, 30_000):
        parts += [forge(BlockKind.LEDGER, 2 * number, b"", 5, frame=b"x"), b"junk"]
    path.write_bytes(b"".join(parts))
    began = time.monotonic()
    with open_session(str(path)) as session:
        session.check()
        assert len(session.problems) == 101
        assert session.problems[-1] == "There are more problems than are listed here."
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("filling", [b"\xebBLK", b"\xebBLK\x05\0\0\0", b"\0", b"EBT-END\n", "trailers"])
def test_megabytes_of_almost_blocks(tmp_path: Path, filling: bytes | str) -> None:
    path = tmp_path / "s.ebt"
    junk = layout.pack_trailer(20, 5) if isinstance(filling, str) else filling
    path.write_bytes(layout.pack_file_header(5) + forge(BlockKind.META, 0, msgpack.packb({}), 5) + junk * (2_000_000 // len(junk)))
    began = time.monotonic()
    with open_session(str(path)) as session:
        assert not session.complete
    assert time.monotonic() - began < 20


def test_bombs_take_bounded_memory(tmp_path: Path) -> None:
    limit = layout.RAW_LIMIT
    bombs = {
        "lists": (BlockKind.LEDGER, b"\x81\xa1a\xdd" + (1 << 18).to_bytes(4, "big") + b"\x90" * (1 << 18) + bytes(7_000_000)),
        "floats": (BlockKind.LEDGER, b"\x9f" + b"\xcb" + bytes(8_000_000)),
        "table lists": (BlockKind.SYSCALLS, b"\x81\xa1a\x9a" + b"\x9a" * 60_000_000),
        "columns": (BlockKind.SYSCALLS, msgpack.packb({"a": ["u8", [2**23], None, None, 2, 0, bytes(2**23)]})),
        "text": (BlockKind.STRINGS, b"\x81\xdb" + (limit - 10).to_bytes(4, "big") + b"a" * (limit - 10)),
        "totals": (BlockKind.TOTALS, msgpack.packb(encode(totals(2)) | {"histogram": ["u8", [2**18, 32], None, None, 0, bytes(8)]})),
    }
    for name, block in bombs.items():
        forge_file(tmp_path / f"{name}.ebt", block)
    program = """
import resource, sys
from tests.unit.session_files import read_all
from tracer.session.reader import open_session
for path in sys.argv[1:]:
    with open_session(path) as session:
        assert len(read_all(session)) == 1 and len(session.strings()) == 0
        assert session.problems
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""
    paths = [str(tmp_path / f"{name}.ebt") for name in bombs]
    done = subprocess.run([sys.executable, "-c", program, *paths], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 700  # MB


def read_like_a_user(path: Path) -> None:
    try:
        with open_session(str(path)) as session:
            read_all(session)
            session.strings()
            session.check()
            assert session.complete in (True, False)
            assert all(sentence.endswith(".") for sentence in session.problems)
    except SessionError as error:
        assert str(path) in error.message  # noqa: PT017  # most files raise nothing


def test_random_bytes(tmp_path: Path) -> None:
    path, until = tmp_path / "s.ebt", time.monotonic() + 2
    while time.monotonic() < until:
        start = random.choice([b"", layout.MAGIC, layout.pack_file_header(5)])
        path.write_bytes(start + os.urandom(random.randrange(3000)))
        read_like_a_user(path)


def test_random_damage(tmp_path: Path) -> None:
    path, until = tmp_path / "s.ebt", time.monotonic() + 5
    whole = write_session(path)
    while time.monotonic() < until:
        data = bytearray(whole)
        for _ in range(random.randrange(1, 6)):
            start = random.randrange(len(data))
            end = start + random.choice([1, 4, 30, 300])
            match random.randrange(4):
                case 0:
                    data[start:end] = os.urandom(len(data[start:end]))
                case 1:
                    del data[start:end]
                case 2:
                    data[start:start] = data[start:end]
                case 3:
                    data[start:end] = bytes(len(data[start:end]))
        path.write_bytes(data)
        read_like_a_user(path)


def test_random_damage_behind_right_checksums(tmp_path: Path) -> None:
    """What only a forger does: spoil the msgpack value of a block and seal it anew."""
    path, until = tmp_path / "s.ebt", time.monotonic() + 8
    data = write_session(path)
    blocks = []
    for offset in block_offsets(data):
        header = layout.unpack_block_header(data[offset:offset + 32])
        assert header is not None
        blocks.append((header.kind, zstandard.decompress(data[offset + 32:offset + header.whole])))
    while time.monotonic() < until:
        kind, raw = random.choice(blocks[1:])
        spoiled = bytearray(raw)
        for _ in range(random.randrange(1, 4)):
            spoiled[random.randrange(len(spoiled))] = random.choice([0, 1, 0x7F, 0x80, 0x90, 0xC0, 0xCF, 0xDD, 0xFF, random.randrange(256)])
        read_like_a_user(forge_file(path, (kind, bytes(spoiled))))
