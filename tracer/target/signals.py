"""How the front hears of everything, one event at a time: signals with their sender, its children, the worker's messages.

A Python signal handler does not learn who sent a signal, and that decides here: Ctrl-C reaches the target by itself, through the
terminal, while ``kill -INT`` of the front alone must be passed on. So the signals are blocked and taken with sigtimedwait(2),
and the worker's socket announces its messages with SIGIO.
"""

from __future__ import annotations

import fcntl
import os

from tracer.bare import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("ASKING_TO_END", "FORWARDED", "Interrupted", "Watch", "from_terminal", "sent_by")

ASKING_TO_END = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
FORWARDED = ASKING_TO_END | {signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTSTP}

_NEWS = frozenset({signal.SIGCHLD, signal.SIGIO})
_SI_KERNEL = 128  # include/uapi/asm-generic/siginfo.h: no process sent it, so for these signals the terminal did


class Interrupted(Exception):
    """A signal asked the front to end before the target ran; ``status`` is what a shell would show."""

    def __init__(self, number: int) -> None:
        from signal import Signals

        super().__init__(f"ended by {Signals(number).name}")
        self.status = 128 + number


class Watch:
    """Blocks the ``wanted`` signals for the rest of the process's life and hands them out.

    They stay blocked: one that arrives after the target's end must not change the exit status.
    """

    def __init__(self, wanted: Iterable[signal.Signals]) -> None:
        # A signal that ebtrace was started to ignore (nohup: SIGHUP) goes on being ignored.
        self._wanted = frozenset(number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored from outside, it would hide the children's exit statuses
        signal.pthread_sigmask(signal.SIG_BLOCK, self._wanted | _NEWS)

    def listen(self, fd: int) -> None:
        """From now on data (or the end) of this socket ends `wait`. What is there already does not: look first."""
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)

    def wait(self, timeout_s: float | None = None) -> signal.struct_siginfo | None:
        """The next wanted signal; None when there is other news (a child, a message) or ``timeout_s`` seconds have passed."""
        if timeout_s is None:
            info: signal.struct_siginfo | None = signal.sigwaitinfo(self._wanted | _NEWS)
        else:
            info = signal.sigtimedwait(self._wanted | _NEWS, timeout_s)
        return None if info is None or info.si_signo in _NEWS else info

    def forget(self) -> None:
        """Drops what has arrived: a Ctrl-C that ended the target was not meant for what follows."""
        while signal.sigtimedwait(self._wanted, 0) is not None:
            pass


def from_terminal(info: signal.struct_siginfo) -> bool:
    """True when the terminal sent the signal, as for Ctrl-C: then the whole foreground process group got it, the target too.

    One does not go to all: when the terminal is gone, SIGHUP goes to the leader of the session alone, who may be the front.
    """
    return info.si_code == _SI_KERNEL and not (info.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid())


def sent_by(info: signal.struct_siginfo, ancestor: int) -> bool:
    """True when the process ``ancestor`` or a descendant of it sent the signal.

    A target that signals its own process group (``kill 0`` in a shell) has got it itself; passing it on could go round forever.
    """
    pid = info.si_pid
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b") ")[2].split()[1])
        except OSError:
            return False
    return False
