"""Puts answers to questions: look-ups of names, from single messages in whichever protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from report.dns_messages import Message, address_text, decode
from report.dns_streams import Conversation, Tcp, local
from tracer.kinds import PayloadFlag

__all__ = ("Lookup", "Pairing", "Row")

_LOOKUPS_LIMIT = 1 << 18  # told one by one
_CONVERSATIONS_LIMIT = 4096  # streams that are followed at the same time
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10


@dataclass(slots=True)
class Lookup:
    """One question, with the answer if one came; or an answer whose question was not seen (``tries`` 0).

    ``status``: "ok", "no data" (the name exists, but nothing of this type), DNS's own words for a refusal ("NXDOMAIN", "SERVFAIL"),
    "truncated" (to be asked again over TCP), "cut" (the rest was not kept), "malformed", nscd's and resolved's words; without an answer
    "no answer", or "unknown" if it may have come and was lost.
    """

    question: str  # "unknown" if nothing says it
    type: str  # "A", "AAAA", "HTTPS"; "A+AAAA" if a service was asked for both at once
    via: str  # "udp", "tcp", "nscd" or "resolved"
    server: str | None  # "127.0.0.53:53"; None for services on this machine
    proc: int
    pid: int | None
    at_ns: int  # CLOCK_MONOTONIC
    tries: int = 1  # the question was sent so often
    status: str = ""
    answered_ns: int | None = None
    latency_ns: int | None = None
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(slots=True)
class Row:
    """One payload record."""

    at_ns: int
    sock: int
    proc: int
    length: int
    flags: int
    family: int
    port: int
    address: bytes
    data: bytes

    @property
    def server(self) -> str | None:
        """The other end, as far as it is known."""
        if self.family == _AF_UNIX or not self.port:
            return None
        if self.family == _AF_INET:
            return f"{address_text(self.address[:4])}:{self.port}"
        text = address_text(self.address)
        return None if self.family != _AF_INET6 or not text else f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"


class Pairing:
    """Takes the records in the order of time.

    ``unread``    messages that are no questions about names and no answers to one, or nothing that can be read
    ``left_out``  questions for which there was no room any more
    """

    def __init__(self, pids: Mapping[int, int]) -> None:
        self.unread = self.left_out = 0
        self._pids = pids
        self._told: list[tuple[int, Lookup]] = []  # with their sockets
        self._asked: dict[tuple[int, int, str, str], Lookup] = {}  # by socket, number, name and type: the last question
        self._latest: dict[tuple[int, int], Lookup] = {}  # by socket and number
        self._conversations: dict[int, Conversation] = {}
        self._broken: set[int] = set()  # sockets on which something was said that is not known

    def add(self, row: Row) -> None:
        """One record."""
        sent = bool(row.flags & PayloadFlag.SENT)
        missing = max(row.length - len(row.data), 0)
        if row.family != _AF_UNIX and not row.flags & PayloadFlag.STREAM:
            message = decode(row.data, missing > 0)
            if message and message.is_answer != sent:
                self._take(row, message, "udp")
            else:
                self.unread += 1
            return
        conversation = self._conversations.get(row.sock) or self._begun(row, sent)
        if conversation is None:
            self.unread += 1
            return
        for message in conversation.feed(sent, row.data, missing):
            self._take(row, message, conversation.via)
        if conversation.lost and row.sock not in self._broken:
            self._broken.add(row.sock)
            self.unread += 1

    def finished(self, whole: bool) -> tuple[Lookup, ...]:
        """All look-ups. ``whole``: no record is missing, so that what is not there did not happen."""
        self._broken |= {sock for sock, conversation in self._conversations.items() if conversation.midway}
        for sock, lookup in self._told:
            lookup.status = lookup.status or ("no answer" if whole and sock not in self._broken else "unknown")
        return tuple(lookup for _, lookup in self._told)

    def _begun(self, row: Row, sent: bool) -> Conversation | None:
        conversation = local(sent, row.data) if row.family == _AF_UNIX else Tcp()
        if conversation:
            if len(self._conversations) >= _CONVERSATIONS_LIMIT:
                oldest = next(iter(self._conversations))
                del self._conversations[oldest]
                self._broken.add(oldest)
            self._conversations[row.sock] = conversation
        return conversation

    def _take(self, row: Row, message: Message, via: str) -> None:
        key = row.sock, message.number, (message.question or "").lower(), message.type
        lookup = self._asked.get(key) if message.question is not None else self._latest.get(key[:2])
        if message.is_answer:
            self._answer(row, message, lookup or self._add(row, message, via, tries=0))
        elif lookup and lookup.answered_ns is None:
            lookup.tries += 1
            lookup.server = row.server or lookup.server
        elif asked := self._add(row, message, via, tries=1):
            self._asked[key] = self._latest[key[:2]] = asked
        else:
            self.left_out += 1

    def _answer(self, row: Row, message: Message, lookup: Lookup | None) -> None:
        if lookup is None or lookup.status not in ("", "cut"):  # read once more, after a look ahead (MSG_PEEK), or sent twice
            return
        lookup.status, lookup.addresses, lookup.aliases = message.status, message.addresses, message.aliases
        lookup.server = row.server or lookup.server
        lookup.answered_ns = row.at_ns
        if lookup.tries:
            lookup.latency_ns = max(row.at_ns - lookup.at_ns, 0)

    def _add(self, row: Row, message: Message, via: str, tries: int) -> Lookup | None:
        if len(self._told) >= _LOOKUPS_LIMIT:
            return None
        lookup = Lookup(message.question or "unknown", message.type, via, row.server, row.proc, self._pids.get(row.proc), row.at_ns, tries)
        self._told.append((row.sock, lookup))
        return lookup
