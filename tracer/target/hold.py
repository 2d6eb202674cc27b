"""Holds a process still for a moment, without a signal that it or its parent could see: ptrace(2), PTRACE_SEIZE and PTRACE_INTERRUPT.

If the tracer dies meanwhile, the kernel lets go of the process. Used by one thread: what holds a process has to let it go.
"""

from __future__ import annotations

import os
import time

from tracer.kernel.sys import function

__all__ = ("Hold",)

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000
_EVENT_STOP = 128
_PATIENCE_S = 0.05  # for a thread to stop: one in an uninterruptible sleep does not
_TICK_S = 0.0005
_THREADS = 64  # more than that were not started a moment ago

_call = function("ptrace")


def _ptrace(request: int, tid: int, data: int = 0) -> bool:
    return _call(request, tid, 0, data) == 0


class Hold:
    """The threads of one process, stopped. One that is traced already (a debugger) goes on running."""

    def __init__(self, tgid: int) -> None:
        self._stopped: dict[int, int] = {}  # and the signal that was about to be delivered
        try:
            tids = [int(name) for name in os.listdir(f"/proc/{tgid}/task")][:_THREADS]
        except OSError:
            return
        seized = [tid for tid in tids if _ptrace(_SEIZE, tid)]
        deadline = time.monotonic() + _PATIENCE_S
        for tid in seized:
            _ptrace(_INTERRUPT, tid)
        for tid in seized:
            self._await(tid, deadline)

    def _await(self, tid: int, deadline: float) -> None:
        while True:
            try:
                pid, status = os.waitpid(tid, os.WNOHANG | _WALL)
            except ChildProcessError:
                return
            if pid and os.WIFSTOPPED(status):
                self._stopped[tid] = 0 if status >> 16 == _EVENT_STOP else os.WSTOPSIG(status)
                return
            if pid:
                return  # it has ended
            if time.monotonic() > deadline:
                self._stopped[tid] = 0
                return
            time.sleep(_TICK_S)

    def release(self) -> None:
        """Lets them run on. A thread that had not stopped yet does so now, to be let go."""
        for tid, number in self._stopped.items():
            if not _ptrace(_DETACH, tid, number):
                self._late(tid)
        self._stopped.clear()

    def _late(self, tid: int) -> None:
        for _ in range(round(_PATIENCE_S / _TICK_S)):
            try:
                pid, status = os.waitpid(tid, os.WNOHANG | _WALL)
            except ChildProcessError:
                return
            if pid and not os.WIFSTOPPED(status):
                return
            if pid and _ptrace(_DETACH, tid, 0 if status >> 16 == _EVENT_STOP else os.WSTOPSIG(status)):
                return
            time.sleep(_TICK_S)
