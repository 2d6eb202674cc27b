"""What the readers of all protocols share: the connection that they read, and what they may do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tracer.http.bodies import Body
from tracer.http.budget import Budget
from tracer.session.exchanges import Exchange

__all__ = ("Connection", "Piece", "Talk", "note", "put_body")

_ERRORS = 20


class Piece(NamedTuple):
    """Bytes of one direction, or a gap in it."""

    sent: bool
    data: bytes
    gap: int  # bytes that were moved behind ``data`` and are not known
    at_ns: int


class Talk(Protocol):
    """A reader of one protocol on one connection."""

    def feed(self, piece: Piece) -> None:
        """Read on."""
        ...

    def ended(self, at_ns: int | None, why: str) -> None:
        """Nothing follows: complete what is unfinished. ``at_ns`` is None if the connection lives on, but the trace does not."""
        ...

    def held(self) -> int:
        """Bytes of memory that it takes, but for bodies."""
        ...


class Connection:
    """One connection as its reader sees it: whose bytes these are, where exchanges go, and how to hand over to another reader."""

    __slots__ = ("budget", "done", "fresh", "max_body", "next", "not_http", "number", "proc", "tid")

    def __init__(self, number: int, max_body: int, budget: Budget, fresh: Callable[[Connection], Talk]) -> None:
        self.number = number
        self.max_body = max_body
        self.budget = budget
        self.fresh = fresh  # makes a reader that finds out the protocol
        self.done: list[Exchange] = []
        self.next: tuple[Talk, list[Piece]] | None = None
        self.not_http = 0  # bytes that no reader could read
        self.proc = 0
        self.tid = 0

    def switch(self, talk: Talk, rest: list[Piece]) -> None:
        """From now on another reader reads, ``rest`` first."""
        self.next = talk, rest

    def exchange(self, at_ns: int) -> Exchange:
        """A new one that begins now."""
        return Exchange(connection=self.number, proc=self.proc, tid=self.tid, started_ns=at_ns)

    def body(self, encoding: str, content_type: str) -> Body:
        """A new body."""
        return Body(encoding, content_type, self.max_body, self.budget)


def note(exchange: Exchange, error: str) -> None:
    """Add an error, once, and not more of them than anyone reads."""
    if len(exchange.errors) < _ERRORS and error not in exchange.errors:
        exchange.errors.append(error)


def put_body(exchange: Exchange, body: Body | None, which: str, whole: bool) -> None:
    """Move a body into its exchange, none if there is none. ``which``: request or response; ``whole``: its end was seen."""
    if body is None:
        if whole:
            exchange.request_length, exchange.response_length = (0, exchange.response_length) if which == "request" else (exchange.request_length, 0)
        return
    kept = body.finish(whole)
    if which == "request":
        exchange.request_body, exchange.request_bytes, exchange.request_length = kept, body.wire, body.length
        exchange.request_cut, exchange.request_marks = body.cut, body.marks
    else:
        exchange.response_body, exchange.response_bytes, exchange.response_length = kept, body.wire, body.length
        exchange.response_cut, exchange.response_marks = body.cut, body.marks
    for error in body.errors:
        note(exchange, f"the {which} body: {error}")
