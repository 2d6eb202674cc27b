import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.support import need
from tracer.errors import HostError
from tracer.records import SYSNO_COMPAT, SYSNO_LIMIT, SYSNO_UNKNOWN
from tracer.syscalls.names import base_name, known, name, number, table_name, tables

ARCHES = ("x86_64", "aarch64")


def header(path: str, pattern: str) -> dict[str, int]:
    """Names and numbers that a header of the C library gives."""
    found = [file for file in (Path("/usr/include", path), Path("/usr/include/x86_64-linux-gnu", path)) if file.exists()]
    need(bool(found), f"there is no header {path}")
    return {name: int(number) for name, number in re.findall(pattern, found[0].read_text())}


@pytest.mark.parametrize(("file", "compat"), [("asm/unistd_64.h", False), ("asm/unistd_32.h", True)])
def test_x86_names_are_those_of_the_c_headers(file: str, compat: bool) -> None:
    given = header(file, r"#define __NR_(\w+) (\d+)\n")
    assert len(given) > 300
    calls = tables("x86_64")[compat]
    assert {name: calls.get(name) for name in given} == given


def test_arm64_names_are_those_of_the_generic_header() -> None:
    given = header("asm-generic/unistd.h", r"#define __NR_(\w+) (\d+)\n(?!__SC_3264)")
    calls = tables("aarch64")[0]
    native64 = {"prlimit64", "getdents64", "pread64", "pwrite64"}
    strangers = {name for name in given if name.endswith("64") and name not in native64} | {"arch_specific_syscall", "syscalls", "sync_file_range2"}
    assert len(given) > 250
    assert {name: calls.get(name) for name in given if name not in strangers} == {name: at for name, at in given.items() if name not in strangers}


@pytest.mark.parametrize("arch", ARCHES)
def test_numbers_and_names_are_each_others_inverse(arch: str) -> None:
    for sysno in range(SYSNO_LIMIT):
        if sysno in known(arch):
            assert number(arch, name(arch, sysno)) == sysno
        else:
            assert base_name(arch, sysno) is None
            assert number(arch, name(arch, sysno)) is None


def test_shown_names() -> None:
    assert name("x86_64", 257) == "openat"
    assert name("x86_64", SYSNO_COMPAT + 295) == "openat (32-bit)"
    assert base_name("x86_64", SYSNO_COMPAT + 295) == "openat"
    assert name("aarch64", 56) == name("arm64", 56) == "openat"
    assert name("aarch64", SYSNO_COMPAT + 322) == "openat (32-bit)"
    assert name("x86_64", 509) == "syscall_509"
    assert name("x86_64", SYSNO_COMPAT + 500) == "syscall_500 (32-bit)"
    assert name("x86_64", SYSNO_UNKNOWN) == "unknown"
    assert number("x86_64", "opnat") is None
    assert number("aarch64", "open") is None
    assert number("aarch64", "open (32-bit)") == SYSNO_COMPAT + 5


def test_calls_that_only_older_kernels_have_keep_their_names() -> None:
    assert name("x86_64", 134) == "uselib"
    assert name("x86_64", SYSNO_COMPAT + 86) == "uselib (32-bit)"
    assert name("aarch64", 42) == "nfsservctl"


@pytest.mark.parametrize("arch", ARCHES)
def test_no_number_is_out_of_the_plans_reach(arch: str) -> None:
    for calls in tables(arch):
        assert len(set(calls.values())) == len(calls)
        assert max(calls.values()) < SYSNO_UNKNOWN
    assert "set_tls" not in tables(arch)[1]  # one of arm's private calls, from 0xf0000


def test_unknown_machine() -> None:
    assert (table_name("x86_64"), table_name("aarch64"), table_name("arm64", compat=True)) == ("x86_64", "arm64", "arm")
    with pytest.raises(HostError, match="not of riscv64"):
        tables("riscv64")


def test_the_tables_are_loaded_without_slow_imports() -> None:
    """The plans are made before the target starts."""
    script = "import sys; old = {*sys.modules}; from tracer.syscalls.plans import plans; plans('x86_64', '%file', 1); print(*{*sys.modules} - old)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout.split()
    assert not {"system_calls", "typing", "dataclasses", "inspect", "numpy", "difflib"} & set(loaded)
