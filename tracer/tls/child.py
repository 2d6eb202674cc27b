"""Runs a search as a child process, without waiting for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from tracer.tls.cache import keep
from tracer.tls.found import Found, nothing

__all__ = ("Search",)

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# A search takes a CPU for a while, so it is no longer as urgent as the watch, before anything of the file is read.
_START = (
    "import os, sys; os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)); "
    f"sys.path.insert(0, {_ROOT!r}); from tracer.tls.search import main; sys.exit(main())"
)
_SECONDS = 30
_MOST = 1 << 20  # bytes of an answer


class Search:
    """One file being searched. ``fd`` stays the caller's; it must be open until `result`. Poll `fileno` for reading, then call `result`."""

    def __init__(self, fd: int, folder: str | None = None) -> None:
        self.fd, self.folder = fd, folder
        self._answer = b""
        self._until = time.monotonic() + _SECONDS
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, f"/dev/fd/{fd}"],  # -I: nothing is imported from the folder that the target runs in
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=(fd,), start_new_session=True,
            env={"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},  # NumPy would start a thread for every core, and multiplies nothing here
        )  # fmt: skip
        assert self._child.stdout is not None
        self._out = self._child.stdout
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        """Readable when there is something to do."""
        return self._out.fileno()

    def result(self) -> Found | None:
        """What was found, which is kept in the cache, too; None while the child is still at it. Never blocks for long."""
        ended = False
        while True:
            try:
                data = os.read(self.fileno(), 65536)
            except BlockingIOError:
                break
            self._answer += data
            if not data or len(self._answer) > _MOST:
                ended = True
                break
        if not ended and time.monotonic() < self._until:
            return None
        self.stop()
        return self._read()

    def stop(self) -> None:
        """End the child, whether it is done or not."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        self._out.close()

    def _read(self) -> Found:
        try:
            what = Found.unpacked(json.loads(self._answer))
        except ValueError:
            what = None
        if what is None:
            return nothing("the search for TLS functions failed")
        keep(self.fd, what, self.folder)
        return what
