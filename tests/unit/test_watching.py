"""The worker's side of the TLS watch: what it makes of a watch that says its last word, and of one that dies at any moment."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tracer.fork import fork
from tracer.link import Link
from tracer.stream.watching import WatchLink

LAST = {"is": "last", "images": [{"path": "/lib/libssl.so.3"}], "delivered": 7, "problems": ["one thing"], "usage": {"cpu_s": 0.5}}

started: list[int] = []


@pytest.fixture(autouse=True)
def reaped() -> Iterator[None]:
    yield
    while started:
        os.waitpid(started.pop(), 0)


def watch(*messages: dict[str, Any], hears: int) -> WatchLink:
    """A process that waits for ``hears`` messages, says these, and ends."""
    def live(connection: int) -> int:
        link = Link(socket.socket(fileno=connection))
        for _ in range(hears):
            link.wait()
        for message in messages:
            link.send(message)
        link.close()
        return 0

    pid, connection = fork(live)
    started.append(pid)
    return WatchLink(pid, connection)


def stopped(link: WatchLink) -> list[tuple[int, str]]:
    told: list[tuple[int, str]] = []
    link.stop(lambda number, name: told.append((number, name)))
    return told


def test_the_last_word_is_heard() -> None:
    link = watch({"is": "library", "number": 3, "name": "GnuTLS"}, LAST, hears=1)
    assert stopped(link) == [(3, "GnuTLS")]
    assert (link.images, link.delivered, link.problems, link.usage) == (LAST["images"], 7, ["one thing"], {"cpu_s": 0.5})


def test_a_death_that_is_noticed_only_at_the_end_is_told() -> None:
    link = watch(hears=0)
    assert stopped(link) == []
    assert [problem for problem in link.problems if "has died" in problem] == link.problems != []


def test_a_death_without_a_last_word_is_told() -> None:
    link = watch({**LAST, "is": "images"}, hears=1)
    assert stopped(link) == []
    assert (link.delivered, link.images) == (7, LAST["images"])
    assert len(link.problems) == 2


def test_a_death_is_told_once() -> None:
    link = watch(hears=1)
    link.look([])  # it dies of that
    while not link.ready:
        link.step(lambda number, name: None)
    link.step(lambda number, name: None)
    assert stopped(link) == []
    assert len(link.problems) == 1
