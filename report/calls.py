"""System calls by name, and the arguments of many records of one call at once: what signatures.decode does for a single one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from report.types import Columns
from tracer.errors import HostError
from tracer.session.reader import Session
from tracer.syscalls import names, signatures

__all__ = ("Argument", "arch_of", "argument", "arguments", "call_name")


@dataclass(frozen=True)
class Argument:
    """One argument that the records of a call keep, and where: these bits of one of the slots."""

    name: str
    kind: str  # tracer/syscalls/signatures.py
    slot: str  # a0, a1, a2
    shift: int
    bits: int
    signed: bool

    def of(self, columns: Columns) -> NDArray[Any]:
        """Its values: int64 where the kind is signed, else uint64."""
        values: NDArray[np.uint64] = columns[self.slot] >> np.uint64(self.shift)
        if self.bits == 64:
            return values.view(np.int64) if self.signed else values
        narrow = values.astype(np.uint32)
        return narrow.view(np.int32).astype(np.int64) if self.signed else narrow.astype(np.uint64)


def arch_of(session: Session) -> str:
    """The machine whose system calls the session numbers; empty if that was lost or is none that ebtrace knows."""
    arch = str(session.meta["arch"])
    try:
        names.table_name(arch)
    except HostError:
        return ""
    return arch


def call_name(arch: str, sysno: int) -> str:
    """What to call it, on an unknown machine too."""
    return names.name(arch, sysno) if arch else f"syscall_{sysno}"


@cache
def arguments(arch: str, sysno: int) -> tuple[Argument, ...]:
    """What records of this call keep, in the order of the call's own arguments."""
    steps = signatures.recipe(arch, sysno) if arch else [(f"arg{slot}", "word", slot, 0, 64, False) for slot in range(signatures.STRING_SLOTS)]
    return tuple(Argument(name, kind, f"a{slot}", shift, bits, signed) for name, kind, slot, shift, bits, signed in steps)


def argument(arch: str, sysno: int, name: str) -> Argument | None:
    """The argument of this name, if records keep it."""
    return next((found for found in arguments(arch, sysno) if found.name == name), None)
