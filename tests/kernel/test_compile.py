"""The compiler's processes: what they make, and what is told when they cannot."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tracer.errors import CompilerMissing, HostError
from tracer.kernel import compile as compiling

HEAD = '#define PROBE(name) __attribute__((section(".bpf.fn." #name), used)) int name\n'  # BCC takes only what comes of a macro for its own
PROGRAM = "PROBE(%s)(void *ctx) { return %s; }\n"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has these be the parts that are compiled: by name, what each of their programs returns."""
    monkeypatch.setattr(compiling, "_SOURCES", tmp_path)
    monkeypatch.setattr(compiling, "_PARTS", (("first.c",), ("second.c",)))
    (tmp_path / "kernel.h").write_text(HEAD)

    def write(first: str, second: str) -> None:
        for name, value in (("first", first), ("second", second)):
            (tmp_path / f"{name}.c").write_text(PROGRAM % (f"on_{name}", value))

    return write


def compiled() -> dict[str, bytes]:
    running = compiling.Compilation()
    running.begin(["-DFROM_THE_BUILD=7"], "#define FROM_SHAPES 211\n")
    try:
        return running.programs()
    finally:
        assert os.waitpid(running._pid, 0)[0] == running._pid


def returning(value: int) -> bytes:
    return struct.pack("<BBhiBBhi", 0xB7, 0, 0, value, 0x95, 0, 0, 0)  # r0 = value; exit


def test_both_parts_are_compiled_with_what_the_build_has_found_out(sources: Callable[..., None]) -> None:
    sources("101", "FROM_THE_BUILD * 103")
    assert compiled() == {"on_first": returning(101), "on_second": returning(721)}


@pytest.mark.parametrize("parts", [("101", "nowhere"), ("nowhere", "103"), ("nowhere", "nowhere")])
def test_code_that_does_not_compile_is_told(sources: Callable[..., None], parts: tuple[str, str]) -> None:
    sources(*parts)
    with pytest.raises(HostError, match="the probes do not compile for this kernel"):
        compiled()


def test_a_compiler_that_is_not_there_is_told(sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise CompilerMissing("BCC is not installed")

    monkeypatch.setattr(compiling, "bcc_module", missing)
    sources("101", "103")
    with pytest.raises(HostError, match="BCC is not installed"):
        compiled()


def test_a_compiler_that_is_killed_is_told(sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "bcc_module", lambda: os.kill(os.getpid(), signal.SIGKILL))
    sources("101", "103")
    with pytest.raises(HostError, match="ended without a word"):
        compiled()


def test_compilers_that_nobody_asks_end() -> None:
    running = compiling.Compilation()
    for fd in (*running._asks, *running._answers):
        os.close(fd)
    assert os.waitpid(running._pid, 0)[0] == running._pid
