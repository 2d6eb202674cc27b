"""What ebtrace itself puts on the terminal, and how it shares job control with the target."""

from __future__ import annotations

import os
import sys

from tracer.bare import signal

__all__ = ("ProgressLine", "foreground", "say", "suspend")


def say(text: str) -> None:
    """Writes lines to stderr; a closed stderr is no reason to fail."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # AttributeError: started with stderr closed, Python has none
        pass


class ProgressLine:
    """One line on stderr that is rewritten in place, only while stderr is a terminal and ours to draw on."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False

    def show(self, text: str) -> None:
        """Draws ``text``, cut to the terminal's width as it is now. In the background nothing is drawn."""
        if not self._wanted or not foreground():
            return
        # One column stays free: a line that fills the last one wraps on some terminals, and then scrolls at each rewrite.
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        self._write("\r" + text[:max(columns - 1, 0)] + "\x1b[K")
        self._drawn = True

    def clear(self) -> None:
        """Takes the line away."""
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone: stop drawing, go on tracing
            self._wanted = False


def foreground(target: int = 0) -> bool:
    """True when this process group, or that of the process ``target``, owns the controlling terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) in (os.getpgrp(), os.getpgid(target))
    except OSError:
        return False
    finally:
        os.close(terminal)


def suspend() -> None:
    """Stops this process as Ctrl-Z would, until it is continued (``fg``).

    SIGTSTP with its default action, not SIGSTOP: the kernel leaves it out when no shell is there that could continue us.
    """
    # Sent while still blocked: it merges with the one that Ctrl-Z may have left pending. Two would stop us again at `fg`.
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
