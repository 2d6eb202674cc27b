"""Kernel tests need root, BTF, BCC and a few tools; what is missing is a skip that says so, or a failure on request."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import Lab
from tests.kernel.support import EBTRACE, cli, need
from tests.kernel.web.certificate import Certificate, certificate
from tests.kernel.web.server import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kernel)


def _bcc_somewhere() -> bool:
    """BCC belongs to the distribution's Python, which need not be the one that runs the tests."""
    if importlib.util.find_spec("bcc"):
        return True
    return subprocess.run(["/usr/bin/python3", "-c", "import bcc"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session", autouse=True)
def _able(tmp_path_factory: pytest.TempPathFactory) -> None:
    """This machine can run kernel tests, and the probes are compiled: no test waits for a compiler."""
    need(os.geteuid() == 0, "needs root: sudo make test-kernel")
    need(Path("/sys/kernel/btf/vmlinux").exists(), "needs a kernel with BTF")
    need(_bcc_somewhere(), "needs BCC: apt install python3-bpfcc")
    for tool in ("cc", "strace"):
        need(shutil.which(tool) is not None, f"needs {tool}")
    need(EBTRACE.exists(), "needs .venv/bin/ebtrace: make setup")
    session = tmp_path_factory.mktemp("first") / "first.ebt"
    first = cli("run", "-o", session, "--", "/bin/true", timeout=100)
    assert first.returncode == 0, first.stderr


@pytest.fixture
def lab(tmp_path: Path, target: Callable[[str], str]) -> Iterator[Lab]:
    """Starts and traces programs in a folder of its own; whatever is still running at the end is killed."""
    with Lab(tmp_path, target) as lab:
        yield lab


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost; made once."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def web(trust: Certificate) -> Iterator[Server]:
    """A server with TLS, for HTTP/1, HTTP/2 and WebSocket."""
    with Server(trust.context("h2", "http/1.1")) as server:
        yield server


@pytest.fixture
def clear_web() -> Iterator[Server]:
    """The same in plain text, without HTTP/2."""
    with Server(None) as server:
        yield server
