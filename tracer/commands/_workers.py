"""The privileged half as the front has it: a fork of this process when it may trace, else a process started through sudo."""

from __future__ import annotations

import _socket
import os
import select
import sys
import time

from tracer.bare import signal
from tracer.errors import PermissionMissing
from tracer.link import Link, peer
from tracer.target.signals import Interrupted
from tracer.target.terminal import suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    StartWorker = Callable[[], "Worker"]
    Prepare = Callable[[], StartWorker]

__all__ = ("Worker", "forked_worker", "sudo_worker")

_JOIN_LIMIT_S = 20.0  # from sudo's consent to the worker's connection; typing the password has no limit but sudo's own
_TICK_MS = 20  # how late sudo's end may be noticed
_ROOT_REMEDY = "run it as root, or give this user the rights that `ebtrace doctor` lists"


class Worker:
    """The privileged half: how to talk to it, its process id, and whether this process forked it and can then say how it died."""

    def __init__(self, link: Link, pid: int, child: bool) -> None:
        self.link, self.pid, self.child = link, pid, child

    def leave(self, patience_s: float) -> str:
        """Waits until the worker has ended, ``patience_s`` seconds at most. How it died, if that is known, as "was killed by ...", else ""."""
        deadline = time.monotonic() + patience_s
        while not self.link.ended and time.monotonic() < deadline:
            self.link.wait(deadline - time.monotonic())
        if not self.child or not self.link.ended:
            return ""
        status = os.waitpid(self.pid, 0)[1]
        self.child = False
        if os.WIFSIGNALED(status):
            from signal import Signals

            return f"was killed by {Signals(os.WTERMSIG(status)).name}"
        return f"ended with status {os.WEXITSTATUS(status)}" if status else ""


def forked_worker(pid: int, connection: int) -> Worker:
    """The worker that `fork` has forked."""
    return Worker(Link(_socket.socket(fileno=connection)), pid, child=True)


def sudo_worker(module: str = "tracer.worker", worker_uid: int = 0, patience_s: float = _JOIN_LIMIT_S) -> Worker:
    """Starts ``python -m module`` through sudo, which asks for the password on the terminal itself if it must.

    The worker connects to a socket in a folder that only this user can enter, and must run as ``worker_uid``. Raises PermissionMissing.
    """
    import socket  # slow, and needed by nobody else

    sudo = _find("sudo")
    if sudo is None:
        raise PermissionMissing("tracing needs root rights, and sudo is not installed", _ROOT_REMEDY)
    folder = os.path.join(_runtime_folder(), f"ebtrace-{os.urandom(8).hex()}")
    path = os.path.join(folder, "front")
    os.mkdir(folder, 0o700)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.setblocking(False)
            # -I: neither the working directory nor PYTHON* variables may choose the code that runs as root.
            pid = _spawn(sudo, ["sudo", "--", sys.executable, "-I", "-m", module, path])
            return _await_worker(listener, pid, worker_uid, patience_s)
    finally:
        if os.path.exists(path):
            os.unlink(path)
        os.rmdir(folder)


def _await_worker(listener: socket.socket, sudo: int, worker_uid: int, patience_s: float) -> Worker:
    """Waits for the worker's connection and for sudo's end: the worker has left it by then (see link.join), and the terminal is ours again."""
    connection: socket.socket | None = None
    running = True
    deadline = float("inf")
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while connection is None or running:
        if time.monotonic() > deadline:
            raise PermissionMissing(f"sudo ran, but the tracer did not answer within {patience_s:.0f} s", _ROOT_REMEDY)
        ending = signal.sigpending() & {signal.SIGTERM, signal.SIGHUP}  # blocked by now; a Ctrl-C ends sudo, which says so
        if ending:
            raise Interrupted(min(ending))
        if poll.poll(_TICK_MS):
            connection = listener.accept()[0]
            poll.unregister(listener)
            if peer(connection)[1] != worker_uid:
                raise PermissionMissing("sudo did not give the tracer root rights", _ROOT_REMEDY)
            deadline = time.monotonic() + patience_s
        pid, status = os.waitpid(sudo, os.WNOHANG | os.WUNTRACED) if running else (0, 0)
        if pid and os.WIFSTOPPED(status):  # Ctrl-Z at the password
            suspend()
        elif pid:
            _check_sudo(status)
            running = False
            deadline = time.monotonic() + patience_s
    return Worker(Link(connection), peer(connection)[0], child=False)


def _check_sudo(status: int) -> None:
    if status == 0:
        return
    if signal.SIGINT in signal.sigpending() or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT):
        raise PermissionMissing("cancelled: without root rights nothing can be traced", _ROOT_REMEDY)
    raise PermissionMissing("sudo refused to start the tracer, and tracing needs root rights", _ROOT_REMEDY)


def _spawn(program: str, command: list[str]) -> int:
    """Starts sudo with the terminal, but with an ended pipe for stdin, and stderr for stdout.

    With use_pty, the default of late, sudo feeds the terminal's input to its command, and so would swallow what is typed ahead for the
    target, unless stdin is a pipe. It reads the password from /dev/tty.
    """
    variables = {"SUDO_PROMPT": "[sudo] password for %p, to start the tracer: ", **os.environ}
    ended, end = os.pipe()
    os.close(end)
    try:
        return os.posix_spawn(
            program, command, variables, file_actions=[(os.POSIX_SPAWN_DUP2, ended, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
            setsigmask=[], setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
    finally:
        os.close(ended)


def _find(program: str) -> str | None:
    candidates = (os.path.join(folder, program) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep))
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def _runtime_folder() -> str:
    """Where a socket may live: a path longer than 108 bytes cannot be bound."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return folder if 0 < len(folder) < 60 and os.access(folder, os.W_OK | os.X_OK) else "/tmp"
