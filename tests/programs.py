"""A program that is started for a test and does nothing."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

_DEADLINE = 20.0


def sleeping(program: str | Path = "sleep", seconds: int = 1000, **options: Any) -> subprocess.Popen[bytes]:
    """A ``sleep`` that sleeps. Popen comes back in the middle of exec, when close-on-exec has closed its pipe: the process has no environment
    then, and its libraries are not mapped yet."""
    process = subprocess.Popen([program, str(seconds)], **options)
    end = time.monotonic() + _DEADLINE
    while _state(process.pid) != "S":
        assert process.poll() is None, f"{program} ended: {process.returncode}"
        assert time.monotonic() < end, f"{program} did not come to sleep within {_DEADLINE} s"
        time.sleep(0.001)
    return process


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2][:1]
