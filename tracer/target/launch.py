"""Starts the target so that nothing of it is missed: found first, forked, held before exec, released when the probes are live.

The child waits on a pipe. If the front dies, the pipe ends and the child leaves without exec; nothing runs untraced.
A failed exec comes back through a second pipe, which a successful exec closes.
"""

from __future__ import annotations

import errno
import os
import stat

from tracer.bare import signal
from tracer.errors import TargetError
from tracer.target.privilege import Identity, assume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set
    from typing import NoReturn

__all__ = ("CannotStart", "Target", "launch", "resolve")

_ERRNO_BYTES = 4
_SHELL = "/bin/sh"  # runs scripts without a #! line, as execvp(3) says


class CannotStart(TargetError):
    """The command cannot be run: status 127 when it is not there, 126 when it is but will not start, as in a shell."""

    def __init__(self, name: str, number: int, remedy: str | None = None) -> None:
        super().__init__(f"cannot run {name!r}: {os.strerror(number)}", remedy)
        self.status = 127 if number == errno.ENOENT else 126


class Target:
    """A child process, held before exec until `release`."""

    def __init__(self, pid: int, hold: int, refusal: int) -> None:
        self.pid = pid
        self._hold = hold
        self._refusal = refusal
        self._reaped = False

    def release(self) -> None:
        """Lets it exec."""
        os.write(self._hold, b"x")
        os.close(self._hold)

    def change(self) -> int | None:
        """What waitpid(2) says if the target has stopped, gone on or ended since the last call; else None. Does not wait."""
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if not pid:
            return None
        self._reaped = os.WIFEXITED(status) or os.WIFSIGNALED(status)
        return status

    def signal(self, number: int) -> None:
        """Sends a signal, unless the target has ended: its process id may be another's by now."""
        if not self._reaped:
            os.kill(self.pid, number)

    def refused(self) -> int:
        """After its end: the errno with which exec failed, 0 when it did not."""
        try:
            return int.from_bytes(os.read(self._refusal, _ERRNO_BYTES), "little")
        except BlockingIOError:
            return 0

    def discard(self) -> None:
        """Ends a target that was never released. It has run nothing of the user's yet."""
        if not self._reaped:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._reaped = True


def resolve(name: str, path: str | None) -> str:
    """The file that execvp(3) would start for ``name``, with ``path`` as PATH. Raises CannotStart."""
    if "/" in name:
        problem = _unfit(name)
        if problem:
            raise CannotStart(name, problem)
        return name
    worst = errno.ENOENT
    for directory in (os.defpath if path is None else path).split(os.pathsep) if name else ():
        candidate = os.path.join(directory or ".", name)
        if not _unfit(candidate):
            return candidate
        if os.path.isfile(candidate):
            worst = errno.EACCES
    raise CannotStart(name, worst)


def launch(file: str, command: Sequence[str], variables: Mapping[str, str], identity: Identity | None) -> Target:
    """Forks the target and holds it before exec.

    It shares the terminal, process group, working directory and open files with which ebtrace was started, and runs as
    ``identity``. Raises OSError when there can be no further process.
    """
    held, hold = os.pipe()
    refusal, refuse = os.pipe()
    os.set_blocking(refusal, False)
    pid = os.fork()
    if pid == 0:
        _hold(file, command, variables, identity, held, refuse)
    os.close(held)
    os.close(refuse)
    return Target(pid, hold, refusal)


def _hold(file: str, command: Sequence[str], variables: Mapping[str, str], identity: Identity | None, held: int, refuse: int) -> NoReturn:
    arguments = list(command)
    try:
        _close_ours({held, refuse})
        _reset_signals()
        assume(identity)
        # This exec fails (no file has an empty name). The next one then finds the memory for its lists already there, so that
        # the first call that the target is seen to make is execve, not the brk or mmap of this Python.
        try:
            os.execve(b"", arguments, variables)
        except FileNotFoundError:
            pass
        if os.read(held, 1):
            _execute(file, arguments, variables)
    except OSError as error:
        os.write(refuse, (error.errno or errno.EIO).to_bytes(_ERRNO_BYTES, "little"))
    finally:
        os._exit(127)


def _close_ours(needed: Set[int]) -> None:
    """Closes what exec would close: the front's own pipes and sockets. Their other ends must see when the front dies, even while we are held."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if fd not in needed and not os.get_inheritable(fd):
                os.close(fd)
        except OSError:  # the descriptor with which the folder itself was read
            pass


def _execute(file: str, arguments: list[str], variables: Mapping[str, str]) -> NoReturn:
    try:
        os.execve(file, arguments, variables)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        os.execve(_SHELL, [_SHELL, file, *arguments[1:]], variables)


def _reset_signals() -> None:
    """Undoes what Python and the front did. Signals ignored from outside (nohup, a shell's &) stay ignored, as a shell leaves them."""
    for number in range(1, signal.NSIG):
        ignored_by_python = number in (signal.SIGPIPE, signal.SIGXFSZ)
        if ignored_by_python or signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _unfit(path: str) -> int:
    """0 when the effective user may run this file, else the errno that says why not."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return error.errno or errno.EIO
    if stat.S_ISDIR(mode) or not os.access(path, os.X_OK, effective_ids=True):
        return errno.EACCES
    return 0
