"""Places where an uprobe costs least, with the same arguments as at a function's entry.

The kernel carries out some instructions by itself when it comes to an uprobe: on x86-64 pushes and jumps, among others (arch/x86/kernel/uprobes.c).
Any other one it lets the program execute elsewhere, as a single step, which ends in an exception more: measured in a virtual machine,
an entry and a return take 1.4 us at a push and 5 us at a `sub rsp`.
"""

from __future__ import annotations

from tracer.tls.elf import Elf
from tracer.tls.symbols import Symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("inner", "nearest")

_HARMLESS = (b"\xf3\x0f\x1e\xfa", b"\x48\x85\xff")  # they leave the stack and the arguments alone: endbr64; test rdi, rdi
_MOST = 512  # bytes of a function that does little but call another
# lea or mov of a place on the stack to a register that is the fourth or fifth argument
_POINTERS = {
    "fourth": (b"\x48\x8d\x4c\x24", b"\x48\x8d\x4d", b"\x48\x89\xe1"),
    "fifth": (b"\x4c\x8d\x44\x24", b"\x4c\x8d\x45", b"\x49\x89\xe0"),
}


def nearest(elf: Elf, entry: int) -> int:
    """The function's entry, or a place right behind it that is better."""
    return entry + (_good(elf.at(entry, 16)) or 0) if elf.machine == "x86_64" else entry


def _good(code: bytes) -> int | None:
    """Where code has a push or a conditional jump, at its beginning or right behind what is harmless; None if it has none there."""
    at = 0
    for harmless in _HARMLESS:
        if code.startswith(harmless, at):
            at += len(harmless)
    first, second = [*code[at : at + 2], 0, 0][:2]
    push = 0x50 <= first <= 0x57 or (first == 0x41 and 0x50 <= second <= 0x57)
    jump = 0x70 <= first <= 0x7F or (first == 0x0F and 0x80 <= second <= 0x8F)
    return at if push or jump else None


def inner(elf: Elf, symbols: Mapping[str, Symbol], plain: str, others: tuple[str, ...]) -> tuple[int, str] | None:
    """Of OpenSSL's pairs, such as SSL_read and SSL_read_ex: the function that both call, if an uprobe costs less there.

    It is ``int f(object, buffer, size_t length, [flags,] size_t *moved)``, and returns 1, 0 at the end of the connection, or -1.
    The answer is its address, and which argument is the last: "fourth" or "fifth".
    """
    if elf.machine != "x86_64" or plain not in symbols or _good(elf.at(symbols[plain].address, 16)) is not None:
        return None
    stubs = [(section.address, section.address + section.size) for section in elf.sections if section.name.startswith(".plt")]
    ways = {target: before for target, before in _calls(elf, symbols[plain]).items() if not any(low <= target < high for low, high in stubs)}
    shared = ways.keys() & {target for name in others if name in symbols for target in _calls(elf, symbols[name])}
    found = []
    for target in shared:
        last = [which for which, pointers in _POINTERS.items() if any(pointer in ways[target] for pointer in pointers)]
        if len(last) == 1 and _good(elf.at(target, 16)) is not None:
            found.append((target, last[0]))
    return found[0] if len(found) == 1 else None


def _calls(elf: Elf, function: Symbol) -> dict[int, bytes]:
    """Where the function may call directly; and the code from its entry, or the call before, to the first such call."""
    code = elf.at(function.address, min(function.size, _MOST))
    found: dict[int, bytes] = {}
    at, before = code.find(b"\xe8"), 0
    while 0 <= at <= len(code) - 5:
        target = function.address + at + 5 + int.from_bytes(code[at + 1:at + 5], "little", signed=True)
        if elf.executable(target):
            found.setdefault(target, code[before:at])
            before = at + 5
        at = code.find(b"\xe8", at + 1)
    return found
