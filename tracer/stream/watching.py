"""The worker's side of the TLS watch (tracer/tls/watch.py): passes on what it says, takes it down."""

from __future__ import annotations

import os
from _socket import socket

from tracer.bare import signal
from tracer.link import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("WatchLink",)

_PATIENCE_S = 10.0
_DEAD = "The process that looks for TLS libraries has died: those that appear later are not read."


class WatchLink:
    """One watch. ``images``, ``delivered`` and ``problems`` are as it told them last; ``ready``: it has looked at what ran at the beginning."""

    def __init__(self, pid: int, connection: int) -> None:
        """It has been forked."""
        self._pid, self._link = pid, Link(socket(fileno=connection))
        self.ready = False
        self.images: list[dict[str, Any]] = []
        self.delivered = 0
        self.problems: list[str] = []
        self.usage: dict[str, float] = {}
        self._prepared = False
        self._judged: dict[int, bool] = {}
        self._dead = False

    def end(self) -> None:
        """Takes it down; its probes go with it."""
        self._link.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def fileno(self) -> int:
        """Readable when it has said something."""
        return self._link.fileno()

    def warm_up(self) -> None:
        """Tells it that a target is about to run."""
        self._link.send({"do": "warm up"})

    def await_prepared(self) -> None:
        """Waits until it can attach at once: a program that runs before has said something before."""
        while not self._prepared and (message := self._link.wait(_PATIENCE_S)) is not None:
            self._prepared = message["is"] == "prepared"

    def look(self, pids: list[int]) -> None:
        """Has it look at what these processes run already."""
        self._link.send({"do": "look", "pids": pids})

    def judge(self, verdicts: dict[int, bool | None]) -> None:
        """Which libraries to believe: what was decided is passed on once."""
        fresh = {number: verdict for number, verdict in verdicts.items() if verdict is not None and number not in self._judged and number > 0}
        if fresh:
            self._judged |= fresh
            self._link.send({"do": "judge", "verdicts": fresh})

    def step(self, library: Callable[[int, str], None]) -> None:
        """Takes in what it has said; ``library`` is given the number and the name of each one that it attached to."""
        for message in self._link.poll():
            self._take(message, library)
        if self._link.ended:
            self._bury()

    def _bury(self) -> None:
        """It has died, or does not answer."""
        if not self._dead:
            self._dead = self.ready = True
            self.problems.append(_DEAD)

    def _take(self, message: dict[str, Any], library: Callable[[int, str], None]) -> None:
        match message["is"]:
            case "library":
                library(message["number"], message["name"])
            case "ready":
                self.ready = True
            case "images" | "last":
                self.images, self.delivered, self.problems = message["images"], message["delivered"], message["problems"]
                self.usage = message.get("usage", {})

    def stop(self, library: Callable[[int, str], None]) -> None:
        """After the trace: waits for its last word. Taking its probes off takes it a while longer; they do nothing any more."""
        self._link.send({"do": "stop"})
        while (message := self._link.wait(_PATIENCE_S)) is not None:
            self._take(message, library)
            if message["is"] == "last":
                break
        else:
            self._bury()
        self._link.close()

