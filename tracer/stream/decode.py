"""Records to columns: one NumPy operation per column and batch, whatever the number of records."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from tracer.records import (
    CALL_SHIFT,
    DURATION_MASK,
    FLAGS_SHIFT,
    LIFECYCLE_FIELDS,
    PAYLOAD_FIELDS,
    SOCKET_FIELDS,
    SOCKET_RECORD,
    STRING_HEAD,
    SYSCALL_FIELDS,
    SYSNO_MASK,
)

__all__ = ("Columns", "lifecycle", "payload", "sockets", "strings", "syscalls")

Columns = dict[str, np.ndarray]

_HEADER = ("header", "<u8")
_SYSCALL = np.dtype(SYSCALL_FIELDS)
_LIFECYCLE = np.dtype(LIFECYCLE_FIELDS)
_SYSCALL_SLOT = np.dtype([_HEADER, *SYSCALL_FIELDS])
_LIFECYCLE_SLOT = np.dtype([_HEADER, *LIFECYCLE_FIELDS])
_SOCKET = np.dtype([*SOCKET_FIELDS, ("pad", f"V{SOCKET_RECORD - np.dtype(SOCKET_FIELDS).itemsize}")])
_SOCKET_SLOT = np.dtype([_HEADER, ("record", _SOCKET)])
_STRING_HEAD = struct.Struct(STRING_HEAD)
_PAYLOAD = np.dtype(PAYLOAD_FIELDS)


def syscalls(data: bytes | bytearray | memoryview, count: int = -1, *, slots: bool = True) -> Columns:
    """Columns of ``count`` syscall records; ``slots``: each still has its ring header before it. Durations in ns."""
    rows = np.frombuffer(data, _SYSCALL_SLOT if slots else _SYSCALL, count)
    packed = rows["packed"]
    return {
        "start_ns": np.ascontiguousarray(rows["start_ns"]),
        "duration_ns": packed & np.uint64(DURATION_MASK),
        "sysno": ((packed >> np.uint64(CALL_SHIFT)) & np.uint64(SYSNO_MASK)).astype(np.uint16),
        "flags": (packed >> np.uint64(FLAGS_SHIFT)).astype(np.uint8),
        **{name: np.ascontiguousarray(rows[name]) for name in ("proc", "tid", "ret", "a0", "a1", "a2")},
    }


def lifecycle(data: bytes | bytearray | memoryview, count: int = -1, *, slots: bool = True) -> Columns:
    """Columns of ``count`` lifecycle records."""
    rows = np.frombuffer(data, _LIFECYCLE_SLOT if slots else _LIFECYCLE, count)
    return {name: np.ascontiguousarray(rows[name]) for name, *_ in LIFECYCLE_FIELDS}


def strings(records: Sequence[bytes]) -> Columns:
    """Columns of string records; ``data`` holds all kept bytes, one string after the other."""
    heads = [_STRING_HEAD.unpack_from(record) for record in records]
    size = _STRING_HEAD.size
    bodies = [record[size : size + head[2]] for record, head in zip(records, heads)]
    return {
        "id": np.array([head[0] for head in heads], np.uint64),
        "length": np.array([head[1] for head in heads], np.uint32),
        "flags": np.array([head[3] for head in heads], np.uint8),
        "kept": np.array([len(body) for body in bodies], np.uint32),
        "data": np.frombuffer(b"".join(bodies), np.uint8),
    }


def sockets(data: bytes | bytearray | memoryview, count: int = -1, *, slots: bool = True) -> Columns:
    """Columns of ``count`` socket records."""
    rows = np.frombuffer(data, _SOCKET_SLOT, count)["record"] if slots else np.frombuffer(data, _SOCKET, count)
    return {name: np.ascontiguousarray(rows[name]) for name, *_ in SOCKET_FIELDS}


def payload(records: Sequence[bytes]) -> Columns:
    """Columns of payload records; ``data`` holds all kept bytes, one message after the other."""
    size = _PAYLOAD.itemsize
    rows = np.frombuffer(b"".join(record[:size] for record in records), _PAYLOAD)
    bodies = [record[size : size + kept] for record, kept in zip(records, rows["kept"].tolist())]
    return {
        **{name: np.ascontiguousarray(rows[name]) for name, *_ in PAYLOAD_FIELDS},
        "kept": np.array([len(body) for body in bodies], np.uint16),
        "data": np.frombuffer(b"".join(bodies), np.uint8),
    }
