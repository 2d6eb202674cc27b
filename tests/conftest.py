"""What all test folders share: the traced C programs, compiled once per run, and signals that are not ignored."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "targets"
OPENSSL = ("-lssl", "-lcrypto")
BUILDS = {  # how a program is compiled, where that is not as usual
    "tlscalls": ("tlscalls.c", OPENSSL),
    "tlscalls-static": ("tlscalls.c", ("-static", "-s", *OPENSSL)),
}


@pytest.fixture(scope="session", autouse=True)
def signals_as_at_a_terminal() -> None:
    """A shell has what it starts in the background ignore both of these, and a program passes that on to its children."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session")
def target() -> Iterator[Callable[[str], str]]:
    """Path of a compiled program of tests/targets, by its name; pytest's own folders are closed to other users, this one is not."""
    with tempfile.TemporaryDirectory(prefix="ebtrace-targets-") as folder:
        Path(folder).chmod(0o755)

        @cache
        def compiled(name: str) -> str:
            program = f"{folder}/{name}"
            source, libraries = BUILDS.get(name, (f"{name}.c", ()))
            flags = ("-O1", "-Wall", "-Wextra", "-Werror", "-pthread")
            subprocess.run(["cc", *flags, "-o", program, SOURCES / source, *libraries], check=True, timeout=60)
            return program

        yield compiled
