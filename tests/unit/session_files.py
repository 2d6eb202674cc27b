"""Session files for the tests: a small one of every kind of block, tables of any length, and a block written by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from zlib import crc32

import msgpack
import numpy as np
import zstandard

from tracer.records import HISTOGRAM_BUCKETS, LIFECYCLE_FIELDS
from tracer.session import format as layout
from tracer.session.format import BlockHeader, BlockKind
from tracer.session.reader import Session
from tracer.session.writer import SessionWriter

META = {
    "command": ["cat", "a\udcffb"], "kind": "run", "pid": 4321, "started_unix_ns": 1_790_000_000_000_000_000, "started_ns": 10**15,
    "kernel": "6.18.5", "version": "0.1.0", "arch": "x86_64", "mode": "full", "expression": "trace=%file", "sample": 1,
    "transport": "ring", "hostname": "here", "user": "someone", "cwd": "/home/someone", "children": True,
}
LEDGER = {"at_ns": 10**15 + 5, "lanes": {"syscalls": {"counted": 7, "delivered": 7, "sampled_out": 0, "lost": 0}}, "missed_tasks": 0}
END = {"ended_ns": 10**15 + 9, "exit_status": 3, "reason": "target ended"}
HEADER, BLOCK, TRAILER = layout.FILE_HEADER_BYTES, layout.BLOCK_HEADER_BYTES, layout.TRAILER_BYTES


def syscalls(rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Calls of two threads, in the order of delivery."""
    random = np.random.default_rng(seed)
    return {
        "start_ns": (10**15 + np.cumsum(random.integers(-900, 2000, rows))).astype("<u8"),
        "duration_ns": random.integers(100, 70_000, rows).astype("<u8"),
        "sysno": random.choice([0, 1, 257, 1023], rows).astype("<u2"),
        "flags": random.integers(0, 2, rows).astype("u1"),
        "proc": np.full(rows, 7, "<u4"),
        "tid": random.choice([4321, 4322], rows).astype("<u4"),
        "ret": random.choice([-2, 0, 3, 4096], rows).astype("<i8"),
        "a0": random.integers(0, 2**64, rows, "<u8", endpoint=False),
        "a1": np.arange(rows, dtype="<u8") * 4096 + 0x7FFF_0000_0000,
        "a2": random.choice(np.array([1, 2**63, 2**64 - 1], "<u8"), rows),
    }


def lifecycle(rows: int) -> dict[str, np.ndarray]:
    """Every field filled, with numbers that differ from row to row."""
    table = {name: (np.arange(rows) * 3 + place).astype(dtype) for place, (name, dtype) in enumerate(LIFECYCLE_FIELDS) if name != "comm"}
    return table | {"comm": np.array([b"sh", b"a\0b", b"sixteen bytes long"[:16]] * rows, "S16")[:rows]}


def strings(*texts: bytes, first_id: int = 2**63) -> dict[str, np.ndarray]:
    """Interned strings, numbered from ``first_id``; the true length is one more than what was kept."""
    return {
        "id": np.arange(len(texts), dtype="<u8") + np.uint64(first_id), "length": np.array([len(text) + 1 for text in texts], "<u4"),
        "flags": np.arange(len(texts), dtype="u1"), "kept": np.array([len(text) for text in texts], "<u4"),
        "data": np.frombuffer(b"".join(texts), "u1"),
    }


def totals(rows: int) -> dict[str, np.ndarray]:
    """Totals whose every number can be told from every other."""
    names = ("calls", "errors", "unfinished", "bytes", "total_ns", "max_ns")
    return {
        "proc": np.arange(rows, dtype="<u4"), "sysno": np.arange(rows, dtype="<u2"),
        **{name: np.arange(rows, dtype="<u8") * 1000 + place for place, name in enumerate(names)},
        "histogram": np.arange(rows * HISTOGRAM_BUCKETS, dtype="<u8").reshape(rows, HISTOGRAM_BUCKETS),
    }


CONTENT: list[tuple[BlockKind, dict[str, Any]]] = [
    (BlockKind.META, META), (BlockKind.LIFECYCLE, lifecycle(3)), (BlockKind.SYSCALLS, syscalls(40)),
    (BlockKind.STRINGS, strings(b"/etc/passwd", b"")),
    (BlockKind.TOTALS, totals(2)), (BlockKind.LEDGER, LEDGER), (BlockKind.SYSCALLS, syscalls(5, seed=2)),
    (BlockKind.SNAPSHOT, {"files": [{"pid": 1, "fd": 3, "path": "/a", "flags": 0}], "connections": [], "processes": []}),
    (BlockKind.TRACER, {"startup_ms": 12.5, "cpu_s": 0.25}),
]
# For tests that read it thousands of times.
SMALL: list[tuple[BlockKind, dict[str, Any]]] = [
    (BlockKind.META, {"command": ["true"], "pid": 4321}), (BlockKind.SYSCALLS, syscalls(2)), (BlockKind.LEDGER, LEDGER),
    (BlockKind.STRINGS, strings(b"/etc/passwd", b"")),
]


def write_session(path: Path, content: list[tuple[BlockKind, dict[str, Any]]] = CONTENT, end: dict[str, Any] | None = END) -> bytes:
    """Write a session file and return its bytes; without an ``end`` it is left as a killed tracer leaves it."""
    with open(path, "wb", buffering=0) as file:
        writer = SessionWriter(file)
        for kind, value in content:
            (writer.write_table if layout.is_table(kind) else writer.write_map)(kind, value)
        if end is not None:
            writer.close(end)
        assert writer.written == os.path.getsize(path)
    return path.read_bytes()


def block_offsets(data: bytes) -> list[int]:
    """Where the blocks of an undamaged file start, the index included."""
    offsets, offset = [], HEADER
    while (header := layout.unpack_block_header(data[offset:offset + BLOCK])) is not None:
        offsets.append(offset)
        offset += header.whole
    return offsets


def forge(kind: int, number: int, raw: bytes, session: int, /, **changes: int | bytes) -> bytes:
    """One block around any bytes, with right checksums; ``changes`` replace header fields, or the ``frame``."""
    frame = changes.pop("frame", None)
    stored = frame if isinstance(frame, bytes) else zstandard.ZstdCompressor(level=1).compress(raw)
    header = BlockHeader(session, kind, 0, number, len(stored), len(raw), crc32(stored))._replace(**changes)
    return layout.pack_block_header(header) + stored


def forge_file(path: Path, *blocks: tuple[int, bytes], **changes: int | bytes) -> Path:
    """A file of a META block and then these, (kind, raw bytes), without an index; ``changes`` are for the last."""
    session = 0x5E5510
    parts = [layout.pack_file_header(session), forge(BlockKind.META, 0, msgpack.packb(META, unicode_errors="surrogateescape"), session)]
    for number, (kind, raw) in enumerate(blocks, 1):
        parts.append(forge(kind, number, raw, session, **(changes if number == len(blocks) else {})))
    path.write_bytes(b"".join(parts))
    return path


def read_all(session: Session) -> list[tuple[BlockKind, dict[str, Any]]]:
    """Everything in a session, kind by kind."""
    return [(kind, value) for kind in BlockKind for value in (session.tables(kind) if layout.is_table(kind) else session.maps(kind))]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two blocks hold the same, dtypes and shapes included."""
    if one.keys() != other.keys():
        return False
    return all(
        value.dtype == other[name].dtype and np.array_equal(value, other[name]) if isinstance(value, np.ndarray) else value == other[name]
        for name, value in one.items()
    )
