"""strace itself is asked: what its classes hold, how many arguments it shows, and what its -e chooses."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.support import need
from tracer.records import SYSNO_COMPAT
from tracer.syscalls.classes import CLASSES, select
from tracer.syscalls.names import base_name, table_name, tables
from tracer.syscalls.signatures import descriptions, parse

ARCH = os.uname().machine
PERSONALITIES = (False, True) if ARCH == "x86_64" else (False,)

Ask = Callable[..., dict[str, int]]


@pytest.fixture
def ask(target: Callable[[str], str], tmp_path: Path) -> Ask:
    """Names of the calls that strace shows with these options when every call is made once, and the number of their arguments."""
    need(shutil.which("strace") is not None, "strace is not installed")

    def answer(*options: str, compat: bool = False) -> dict[str, int]:
        shown = tmp_path / "strace"
        shown.unlink(missing_ok=True)
        command = ["strace", "-o", shown, *options, target("every"), *(["32"] if compat else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        need(done.returncode == 0, f"strace or seccomp does not work here: {done.stderr[-200:]}")
        calls = re.findall(r"^(\w+)\((.*?)\)? += .*EDOM", shown.read_text(), re.MULTILINE)
        return {name: len(arguments.split(",")) if arguments.strip() else 0 for name, arguments in calls if not name.startswith("syscall_0x")}

    return answer


@pytest.mark.parametrize("compat", PERSONALITIES)
def test_classes_hold_what_they_hold_in_strace(ask: Ask, compat: bool) -> None:
    known_to_strace = ask(compat=compat)
    assert len(known_to_strace) > 300
    for group in set(CLASSES) - {"io_uring"}:  # which strace does not know
        ours = {base_name(ARCH, sysno) for sysno in select(f"%{group}@{32 if compat else 64}", ARCH)}
        theirs = set(ask("-e", f"trace=%{group}", compat=compat))
        if group in ("net", "network"):
            ours -= {"socketcall"}  # strace takes it apart, and looks at the call inside
        assert ours & set(known_to_strace) == theirs, group


@pytest.mark.parametrize("compat", PERSONALITIES)
def test_calls_have_as_many_arguments_as_in_strace(ask: Ask, compat: bool) -> None:
    lines = descriptions(table_name(ARCH, compat))
    theirs = ask("-e", "raw=all", compat=compat)
    ours = {name: len(parse(lines[name])[0]) for name in theirs if name in lines}
    assert len(ours) > 300
    if "vm86" in ours:
        ours["vm86"] = 5  # it has two on i386: strace shows five registers
    assert ours == {name: theirs[name] for name in ours}


def test_names_are_those_of_strace(ask: Ask) -> None:
    assert set(ask()) <= set(tables(ARCH)[0])


@pytest.mark.parametrize("expressions", [
    ["trace=read,openat"], ["read"], ["!read"], ["!!read"], ["!%file"], ["%file,read"], ["/^p.*64$"], ["!/a"], ["?nosuch,read"], ["0"], ["read@32"],
    ["read@64,%process@32"], ["all"], ["none"], ["!none"], ["!all"], ["t=desc"], ["read,,write"], ["read", "openat"], ["read", "!openat"],
    ["!%file", "%file"],
])
def test_expressions_choose_what_they_choose_in_strace(ask: Ask, expressions: list[str]) -> None:
    known_to_strace = set(ask())
    chosen = {base_name(ARCH, sysno) for sysno in select(";".join(expressions), ARCH) if sysno < SYSNO_COMPAT}
    assert chosen & known_to_strace == set(ask(*(word for expression in expressions for word in ("-e", expression))))
