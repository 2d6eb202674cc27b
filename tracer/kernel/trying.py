"""Asks what this kernel can do, by trying."""

from __future__ import annotations

import os
import struct

from tracer.kernel.loading import BTF_TP, ITER, prog_load

__all__ = ("LEAVE", "instructions", "load_one", "probe_features")


def load_one(name: str, code: bytes, btf_id: int, *, iterator: bool = False) -> int:
    """Loads one program that uses no maps, for a BTF-typed tracepoint or an iterator. Raises OSError."""
    return prog_load(name, code, btf_id, ITER if iterator else BTF_TP)


def instructions(*parts: tuple[int, int, int]) -> bytes:
    """Code from (opcode, registers, immediate value); the registers are source << 4 | destination."""
    return b"".join(struct.pack("<BBhi", code, registers, 0, value) for code, registers, value in parts)


LEAVE = ((0xB7, 0, 0), (0x95, 0, 0))  # r0 = 0; exit: the smallest program there is
_CURRENT_TASK = ((0x85, 0, 158),)
_MAY_GOTO = (0xE5, 0, 0)


def probe_features(sys_enter_btf_id: int, storage_map: int | None) -> dict[str, bool]:
    """Loads tiny programs to learn which helpers a tracing program may call here; nothing is attached."""

    def works(*parts: tuple[int, int, int]) -> bool:
        try:
            os.close(prog_load("feature", instructions(*parts), sys_enter_btf_id, BTF_TP))
        except OSError:
            return False
        return True

    storage = storage_map is not None and works(
        *_CURRENT_TASK, (0xBF, 0x02, 0), (0x18, 0x11, storage_map), (0, 0, 0), (0xB7, 3, 0), (0xB7, 4, 0), (0x85, 0, 156), *LEAVE
    )
    registers = works(*_CURRENT_TASK, (0xBF, 0x01, 0), (0x85, 0, 175), *LEAVE)
    return {"task_storage": storage, "task_regs": registers, "may_goto": works(_MAY_GOTO, *LEAVE)}
