"""What verifiers of older kernels refuse, looked for in the programs as they are compiled for them."""

from __future__ import annotations

import struct

import pytest

from tracer.kernel.btf import KernelBtf
from tracer.kernel.build import flags
from tracer.kernel.compile import Compilation
from tracer.kernel.shapes import shapes
from tracer.kernel.sys import arch, possible_cpus

_JUMPS, _CALL, _EXIT, _ALWAYS = (5, 6), 0x80, 0x90, 0x00
_VARYING = ("task_storage", "task_regs", "uring", "uring_cqe")
_FEATURES = {"6.8": dict.fromkeys(_VARYING, True), "5.10": dict.fromkeys(_VARYING, False)}


def back_edges(code: bytes) -> list[tuple[int, int]]:
    """Ways back that are no jumps: Linux 5.10 takes loops that a jump closes, and no others (kernel/bpf/verifier.c, check_cfg)."""
    steps = [struct.unpack_from("<BBhi", code, at) for at in range(0, len(code), 8)]

    def ways(at: int) -> list[tuple[int, bool]]:
        """Where it goes on, and whether that may lead back."""
        opcode, _, offset, _ = steps[at]
        kind = opcode & 0xF0
        if opcode & 7 not in _JUMPS or kind == _CALL:
            return [(at + 1, False)]  # the second half of a wide instruction is a step, too
        if kind == _EXIT:
            return []
        return [(at + 1 + offset, True)] if kind == _ALWAYS else [(at + 1, True), (at + 1 + offset, True)]

    open_steps, done, found = {0}, set(), []
    path = [(0, iter(ways(0)))]
    while path:
        at, rest = path[-1]
        for to, may_lead_back in rest:
            if to in open_steps and not may_lead_back:
                found.append((at, to))
            elif to not in open_steps and to not in done:
                open_steps.add(to)
                path.append((to, iter(ways(to))))
                break
        else:
            path.pop()
            open_steps.discard(at)
            done.add(at)
    return found


def test_the_search_finds_them() -> None:
    into_the_middle = ((0x05, 1), (0xB7, 0), (0x55, -2), (0x95, 0))  # goto 2; 1: r0 = 0; 2: if r0 != 0 goto 1; exit
    closed_by_a_jump = ((0xB7, 0), (0xB7, 0), (0x55, -2), (0x95, 0))
    assert [back_edges(b"".join(struct.pack("<BBhi", code, 0, offset, 0) for code, offset in program))
            for program in (into_the_middle, closed_by_a_jump)] == [[(1, 2)], []]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # BCC's
@pytest.mark.parametrize("kernel", _FEATURES)
@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_only_jumps_lead_back(kernel: str, transport: str) -> None:
    """Kernels that know may_goto take any way back."""
    btf = KernelBtf()
    running = Compilation()
    running.begin(flags("full", transport, _FEATURES[kernel] | {"may_goto": False, "uprobe_multi": False}, possible_cpus()), shapes(btf, arch()))
    programs = running.programs()
    assert "on_data" in programs
    assert {name: edges for name, code in programs.items() if (edges := back_edges(code))} == {}
