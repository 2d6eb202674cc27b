"""A program under the benchmark's control: it is given bytes, and answers in lines."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from tracer.errors import EbtraceError

__all__ = ("PATIENCE_S", "Program")

PATIENCE_S = 60.0  # a program that says nothing for so long has hung


class Program:
    """A started program that answers in lines. It is gone when its `with` block ends."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.words = words
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment)
        self.pid = self._process.pid
        self._unread = b""

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._errors.close()

    @property
    def errors(self) -> str:
        """What it has written to stderr."""
        return os.pread(self._errors.fileno(), 1 << 16, 0).decode(errors="replace").strip()

    def line(self) -> str:
        """Its next line of output. Raises EbtraceError when it ends, or says nothing, instead."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                more = os.read(self._process.stdout.fileno(), 65536) if selector.select(PATIENCE_S) else b""
                if not more:
                    raise EbtraceError(f"{self._name} gave no answer: {self.errors or 'it has ended'}")
                self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode(errors="replace")

    def round(self) -> str:
        """Gives the byte that a storm waits for; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self.line()

    def ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ctrl-C, and wait. Raises EbtraceError when it ends badly or not at all."""
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise EbtraceError(f"{self._name} does not end") from None
        if status not in (0, 128 + signal.SIGINT, -signal.SIGINT):
            raise EbtraceError(f"{self._name} failed with status {status}: {self.errors}")

    @property
    def _name(self) -> str:
        return " ".join(os.path.basename(word) for word in self.words[:2])
