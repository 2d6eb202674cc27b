"""What all test folders share: the traced C programs, compiled once per run."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "targets"


@pytest.fixture(scope="session")
def target() -> Iterator[Callable[[str], str]]:
    """Path of a compiled program of tests/targets, by its name; pytest's own folders are closed to other users, this one is not."""
    with tempfile.TemporaryDirectory(prefix="ebtrace-targets-") as folder:
        Path(folder).chmod(0o755)

        @cache
        def compiled(name: str) -> str:
            program = f"{folder}/{name}"
            subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", program, SOURCES / f"{name}.c"], check=True, timeout=60)
            return program

        yield compiled
