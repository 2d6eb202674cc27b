"""Follows a function's code from its entry: what it calls, how it ends, and which constants stand together before its calls."""

from __future__ import annotations

import re
from typing import NamedTuple

import capstone

from tracer.tls.elf import Elf
from tracer.tls.starts import Starts

__all__ = ("Flow", "Walker")

_ELSEWHERE = -1  # no address of this file
_MOST = 20000  # instructions of one function
_BLOCK = (64, 1024)  # bytes that are disassembled at a time: straight runs are mostly short
_NUMBER = re.compile(r"^#?(-?(?:0x)?[0-9a-f]+)$")
_RIP = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]$")
_READERS = {"cmp", "test", "nop", "push", "bt", "mul", "div", "imul", "idiv"}  # of x86-64: a first operand in memory is read only
_MOVES = {"mov", "movabs", "movz", "push"}


class Flow(NamedTuple):
    """A function as far as it could be followed: addresses and lengths of its instructions, addresses of what matters.

    ``leaves``: other functions that it jumps to. ``stores``: it writes to memory that is not its stack.
    ``unknown``: it jumps to where a register says, so that the rest may be missing.
    ``sites``: (addresses named, numbers loaded) of each straight run of instructions up to its call or jump.
    """

    visited: dict[int, int]
    returns: list[int]
    calls: list[int]
    leaves: list[int]
    sites: list[tuple[set[int], set[int]]]
    stores: bool
    unknown: bool


class Walker:
    """Follows functions of one file; each once. ``whole``: also code that nothing jumps to, such as what Go resumes at after a panic."""

    def __init__(self, elf: Elf, starts: Starts, *, whole: bool = False) -> None:
        self.elf, self.starts, self.whole = elf, starts, whole
        self.arm = elf.machine == "aarch64"
        self._engine = capstone.Cs(*((capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM) if self.arm else (capstone.CS_ARCH_X86, capstone.CS_MODE_64)))
        self._known: dict[int, Flow] = {}

    def walk(self, entry: int) -> Flow:
        """Everything that can be reached from ``entry`` without leaving the function."""
        if entry not in self._known:
            self._known[entry] = self._walk(entry)
        return self._known[entry]

    def exits(self, entry: int, depth: int = 3) -> tuple[list[int], str]:
        """The return instructions of a function, all of them, or none and why. Those of functions that it ends in a jump to count as its own."""
        flow = self.walk(entry)
        if flow.unknown:
            return [], "its ways out are not all known"
        found = set(flow.returns)
        for target in set(flow.leaves):
            if target in flow.visited:  # back from a cold part
                continue
            if not depth or target in flow.calls or not self.elf.executable(target):
                return [], "it ends in a jump to another function"
            returns, why = self.exits(target, depth - 1)
            if why:
                return [], why
            found.update(returns)
        return sorted(found), ""

    def _walk(self, entry: int) -> Flow:
        flow = Flow({}, [], [], [], [], False, False)
        todo, unknown, swept = [entry], False, entry
        self._stores = self._tables = self._framed = False
        while todo and len(flow.visited) < _MOST:
            unknown |= self._run(entry, todo.pop(), flow, todo)
            unknown |= not todo and swept > entry and swept not in flow.visited
            if not todo and (self._tables or self.whole) and not unknown:
                swept, todo = self._gap(swept, self.starts.end(entry) or entry, flow)
        flow.returns.sort()
        return flow._replace(stores=self._stores, unknown=unknown or bool(todo))

    def _run(self, entry: int, at: int, flow: Flow, todo: list[int]) -> bool:
        """One straight run from ``at``; places to go on from are added to ``todo``. True where it ends unknown."""
        named: set[int] = set()
        numbers: set[int] = set()
        pages: dict[str, int] = {}
        flow.sites.append((named, numbers))
        block, before, last = _BLOCK[0], "", ""
        limit = self.starts.end(at)
        while True:
            for address, size, name, operands in self._engine.disasm_lite(self.elf.at(at, block), at):
                if address in flow.visited or address == limit:
                    return False
                flow.visited[address] = size
                at = address + size
                kind = self._kind(name)
                before, last = last, f"{name} {operands}"
                if kind == "":
                    self._stores = self._stores or self._is_store(name, operands)
                    self._note(name, operands, at, named, numbers, pages)
                    continue
                target = self._target(operands)
                if kind == "call":
                    if target is not None:
                        flow.calls.append(target)
                    named, numbers = set(), set()
                    flow.sites.append((named, numbers))
                elif kind == "return":
                    flow.returns.append(address)
                    return False
                elif kind == "stop":
                    return False
                elif target is None and "[rip " in operands:  # through a pointer that the loader sets, as stubs for other libraries do
                    flow.leaves.append(_ELSEWHERE)
                    return False
                elif target is None:
                    if not (self.starts.exact and self._by_table(operands, before)):
                        return True
                    self._tables = True
                    return False
                elif target != entry and (target in self.starts or not self.elf.executable(target)):
                    flow.leaves.append(target)
                    if kind == "jump":
                        return False
                else:
                    todo.append(target)
                    if kind == "jump":
                        return False
                    named, numbers = set(named), set(numbers)
                    flow.sites.append((named, numbers))
                if len(flow.visited) >= _MOST:
                    return True
            if at not in flow.visited and not self._engine_reads(at):
                return True
            block = min(block * 2, _BLOCK[1])

    def _by_table(self, operands: str, before: str) -> bool:
        """Whether a jump goes by a table of a switch: its targets are then all in this function."""
        return before.startswith(f"add {operands}, ") or "*8" in operands

    @staticmethod
    def _gap(at: int, end: int, flow: Flow) -> tuple[int, list[int]]:
        """The first place from ``at`` on that no jump was seen to lead to, twice; nothing where there is none. Code has no data in it."""
        while at < end:
            if at not in flow.visited:
                return at, [at]
            at += flow.visited[at]
        return at, []

    def _engine_reads(self, at: int) -> bool:
        return next(self._engine.disasm_lite(self.elf.at(at, 16), at, 1), None) is not None

    def _kind(self, name: str) -> str:
        if self.arm:
            return _ARM.get(name, "branch" if name.startswith("b.") else "")
        words = name.split()
        name = words[-1] if words else ""
        return _X86.get(name, "branch" if name[:1] == "j" or name[:4] == "loop" else "")

    @staticmethod
    def _target(operands: str) -> int | None:
        number = _NUMBER.match(operands.rpartition(",")[2].strip())
        return int(number[1], 0) if number else None

    def _is_store(self, name: str, operands: str) -> bool:
        if self.arm:
            return name.startswith("st") and "[sp" not in operands and "[x29" not in operands
        first = operands.partition(",")[0]
        self._framed = self._framed or operands == "rbp, rsp"
        return first.endswith("]") and name not in _READERS and "[rsp" not in first and not (self._framed and "[rbp" in first)

    def _note(self, name: str, operands: str, end: int, named: set[int], numbers: set[int], pages: dict[str, int]) -> None:
        register, _, last = operands.rpartition(", ")
        rip = _RIP.search(operands) if name == "lea" else None
        number = _NUMBER.match(last) if rip is None else None
        if rip:
            named.add(end + int(rip[2], 0) * (-1 if rip[1] == "-" else 1))
        elif number is None:
            return
        elif name in _MOVES:
            numbers.add(int(number[1], 0))
            named.add(int(number[1], 0))
        elif name in ("adrp", "adr"):
            pages[register] = int(number[1], 0)
            named.add(pages[register])
        elif name == "add" and self.arm:
            target, _, base = register.partition(", ")
            if base in pages:  # once or twice: compilers share a base among what stands close together
                pages[target] = pages[base] + int(number[1], 0)
                named.add(pages[target])


_X86 = {
    "call": "call", "jmp": "jump", "ret": "return", "retf": "return",
    "ud2": "stop", "int3": "stop", "hlt": "stop",
}  # fmt: skip
_ARM = {
    "bl": "call", "blr": "call", "b": "jump", "br": "jump", "ret": "return", "retaa": "return", "retab": "return",
    "cbz": "branch", "cbnz": "branch", "tbz": "branch", "tbnz": "branch", "brk": "stop", "udf": "stop",
}  # fmt: skip
