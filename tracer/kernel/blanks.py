"""What is filled into a program when it is loaded: the descriptors of its maps, and the number that a program for uprobes is given.

Where these belong is looked for once, when the image is made (tracer/kernel/image.py): to walk all instructions would take each start 3 ms.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("blanks", "calling", "filled")

_WIDE = 0x18  # ld_imm64, an instruction of 16 bytes: its number is 4 bytes at 4 and 4 bytes at 12
_MAP_FD = 1  # BPF_PSEUDO_MAP_FD, the source register of one that names a map
_CALL, _KFUNC_CALL = 0x85, 2  # BPF_PSEUDO_KFUNC_CALL, the source register of a call of one of the kernel's functions
_HALVES = struct.Struct("<I4xI")
_GIVEN = 0x65627472616365AB  # the number in whose place another one is put (bpf/tls.c)


def blanks(code: bytes) -> tuple[list[int], list[int]]:
    """Byte offsets of the numbers of maps, and of those that stand for what the program is given."""
    maps, numbers, at = [], [], 0
    while at < len(code):
        if code[at] == _WIDE:
            if code[at + 1] >> 4 == _MAP_FD:
                maps.append(at + 4)
            elif _HALVES.unpack_from(code, at + 4) == (_GIVEN & 0xFFFFFFFF, _GIVEN >> 32):
                numbers.append(at + 4)
            at += 8
        at += 8
    return maps, numbers


def calling(code: bytes, function: int) -> bytes:
    """The code with calls of a kernel function, by its BTF id, where the compiler has put calls of a helper of that number."""
    ready, call = bytearray(code), struct.pack("<BBhi", _CALL, 0, 0, function)
    for at in range(0, len(code), 8):
        if code.startswith(call, at):
            ready[at + 1] = _KFUNC_CALL << 4
    return bytes(ready)


def filled(code: bytes, places: Sequence[Sequence[int]], fds: Mapping[int, int], given: int = 0) -> bytes:
    """The code to load; ``places`` are its `blanks`, ``fds`` the descriptors by the numbers of maps."""
    ready = bytearray(code)
    maps, numbers = places
    for at in maps:
        struct.pack_into("<i", ready, at, fds[struct.unpack_from("<i", code, at)[0]])
    for at in numbers:
        _HALVES.pack_into(ready, at, given & 0xFFFFFFFF, given >> 32)
    return bytes(ready)
