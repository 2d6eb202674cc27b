"""Asks what this kernel can do, by trying."""

from __future__ import annotations

import os
import struct

from tracer.kernel.loading import ITER, RAW_TRACEPOINT, prog_load

__all__ = ("LEAVE", "instructions", "load_one", "may_cast", "probe_features")


def load_one(name: str, code: bytes, iterator: int = 0) -> int:
    """Loads one program that uses no maps, for raw tracepoints or for an iterator, by the BTF id of its function. Raises OSError."""
    return prog_load(name, code, iterator, ITER) if iterator else prog_load(name, code, kind=RAW_TRACEPOINT)


def instructions(*parts: tuple[int, int, int]) -> bytes:
    """Code from (opcode, registers, immediate value); the registers are source << 4 | destination."""
    return b"".join(struct.pack("<BBhi", code, registers, 0, value) for code, registers, value in parts)


LEAVE = ((0xB7, 0, 0), (0x95, 0, 0))  # r0 = 0; exit: the smallest program there is
_CURRENT_TASK = ((0x85, 0, 158),)
_MAY_GOTO = (0xE5, 0, 0)


def _loads(*parts: tuple[int, int, int]) -> bool:
    try:
        os.close(load_one("feature", instructions(*parts)))
    except OSError:
        return False
    return True


def may_cast(function: int, structure: int) -> bool:
    """Whether a probe may make a typed pointer of its first argument; both are BTF ids."""
    # r1 = ((u64 *)ctx)[0]; r2 = structure; call function; r0 = *(u64 *)r0
    return _loads((0x79, 0x11, 0), (0xB7, 2, structure), (0x85, 0x20, function), (0x79, 0x00, 0), *LEAVE)


def probe_features(storage_map: int | None) -> dict[str, bool]:
    """Loads tiny programs to learn which helpers a probe may call here; nothing is attached."""
    storage = storage_map is not None and _loads(
        *_CURRENT_TASK, (0xBF, 0x02, 0), (0x18, 0x11, storage_map), (0, 0, 0), (0xB7, 3, 0), (0xB7, 4, 0), (0x85, 0, 156), *LEAVE
    )
    registers = _loads(*_CURRENT_TASK, (0xBF, 0x01, 0), (0x85, 0, 175), *LEAVE)
    return {"task_storage": storage, "task_regs": registers, "may_goto": _loads(_MAY_GOTO, *LEAVE)}
