"""What verifiers of older kernels refuse, looked for in the programs as they are compiled for them."""

from __future__ import annotations

import ssl
import struct

import pytest

from tracer.kernel.blanks import blanks
from tracer.kernel.btf import KernelBtf
from tracer.kernel.build import flags
from tracer.kernel.compile import Compilation
from tracer.kernel.image import image
from tracer.kernel.shapes import shapes
from tracer.kernel.sizes import ring_bytes
from tracer.kernel.sys import arch, possible_cpus
from tracer.kernel.tracing import Tracing
from tracer.tls.attach import Attachments
from tracer.tls.quick import quick

_JUMPS, _CALL, _EXIT, _ALWAYS = (5, 6), 0x80, 0x90, 0x00
_VARYING = ("task_storage", "task_regs", "uring", "uring_cqe")
_NEWER = {"may_goto": False, "uprobe_multi": False}
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


def compiled(kernel: str, transport: str) -> dict[str, bytes]:
    running = Compilation()
    running.begin(flags("full", transport, _FEATURES[kernel] | _NEWER, possible_cpus()), shapes(KernelBtf(), arch()))
    return running.programs()


@pytest.mark.parametrize("kernel", _FEATURES)
@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_only_jumps_lead_back(kernel: str, transport: str) -> None:
    """Kernels that know may_goto take any way back."""
    programs = compiled(kernel, transport)
    assert "on_data" in programs
    assert {name: edges for name, code in programs.items() if (edges := back_edges(code))} == {}


def test_they_load_and_attach_without_what_is_new() -> None:
    """Loops that the verifier walks round for round, and perf events with a program for each role and library."""
    usual = image("full", "ring")[0]
    programs = {name: code for name, code in compiled("6.8", "ring").items() if name in usual["programs"]}
    places = {name: blanks(code) for name, code in programs.items()}
    tracing = Tracing(usual | {"programs": programs, "blanks": places, "features": usual["features"] | _NEWER}, ring_bytes("ring", 1))
    tracing.load()
    attachments = Attachments(tracing, uretprobes=True)
    with open(_openssl(), "rb") as file:
        functions = quick(file.fileno()).functions
        roles = {function.role for function in functions}
        assert len(roles) >= 3
        for number in (1, 2):
            assert attachments.put_on(file.fileno(), functions, number) == []
    assert len(attachments._programs) == 2 * len(roles - {"free"}) + 2 * len(roles)  # enter and more for all, return and free for each library
    assert attachments.take_off(2)
    attachments.take_all_off()
    tracing.close()


def test_they_load_without_helpers_of_newer_kernels() -> None:
    """Registers are copied, the state of threads is found by tid: what Linux 5.10 gets, as far as this kernel can tell."""
    usual = image("full", "ring")[0]
    programs = {name: code for name, code in compiled("5.10", "ring").items() if name in usual["programs"]}
    assert {"on_sys_exit", "on_slots", "on_one", "on_tcp"} <= programs.keys()
    assert "on_uring_submit" not in programs
    older = usual["features"] | dict.fromkeys(_VARYING, False) | _NEWER
    places = {name: blanks(code) for name, code in programs.items()}
    tracing = Tracing(usual | {"programs": programs, "blanks": places, "features": older}, ring_bytes("ring", 1))
    tracing.load()
    tracing.close()


def _openssl() -> str:
    """The library that this very Python speaks TLS with."""
    assert ssl.OPENSSL_VERSION
    with open("/proc/self/maps") as maps:
        return next(line.split()[-1] for line in maps if "/libssl" in line)
