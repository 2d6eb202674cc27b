"""Look-ups on byte streams: DNS over TCP, and the two services that ask name servers in a program's place.

    tcp        two bytes of length, then the message (RFC 1035, 4.2.2)
    nscd       glibc's cache (dns_nscd.py)
    resolved   systemd's, by varlink (dns_varlink.py)

A conversation is fed with what each call moved, which may be any part of a message. ``missing`` says how many bytes after these were
moved and not kept. Where it cannot tell any more what is what, it is ``lost``: answers that do not come after that mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from report.dns_messages import MESSAGE_LIMIT, Message, decode
from report.dns_nscd import NSCD_VERSION, Nscd
from report.dns_varlink import Varlink

__all__ = ("Conversation", "Tcp", "local")

_SMALLEST = 12  # bytes of a DNS message: its header


class Conversation(Protocol):
    """What is said on one socket."""

    via: str
    lost: bool  # once and for all, even if what comes later can be told again

    @property
    def midway(self) -> bool:
        """Whether an answer has begun and not ended."""

    def feed(self, sent: bool, data: bytes, missing: int) -> Iterator[Message]:
        """The messages that these bytes complete. To be used up before the next bytes come."""


def local(sent: bool, data: bytes) -> Conversation | None:
    """The conversation on a Unix socket that begins like this; None if it cannot be told."""
    if data.startswith(b"{"):
        return Varlink()
    if sent and data.startswith(NSCD_VERSION):
        return Nscd()
    return None


class Tcp:
    """DNS over TCP."""

    via = "tcp"

    def __init__(self) -> None:
        self.lost = False
        self._sides = _Frames(), _Frames()

    @property
    def midway(self) -> bool:
        """Whether an answer has begun and not ended."""
        return self._sides[False].midway

    def feed(self, sent: bool, data: bytes, missing: int) -> Iterator[Message]:
        """The messages that these bytes complete."""
        side = self._sides[sent]
        if (side.midway or side.astray) and not missing and _is_one(data, sent):
            self.lost |= side.midway
            side.begin()
        for wire, cut in side.feed(data, missing):
            message = decode(wire, cut)
            if message is None or message.is_answer == sent:
                side.astray = True
                break
            yield message
        self.lost |= side.astray


def _is_one(data: bytes, sent: bool) -> bool:
    """Whether these bytes are one whole message: most programs move them so, and no part of another message looks like that by chance."""
    if len(data) < 2 + _SMALLEST or int.from_bytes(data[:2], "big") != len(data) - 2:
        return False
    message = decode(data[2:], cut=False)
    return message is not None and message.is_answer != sent


class _Frames:
    """One direction: cuts the bytes into messages."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """What comes next is the start of a message."""
        self.astray = False
        self._prefix = b""
        self._left = 0  # bytes of the message that are still to come
        self._kept = bytearray()
        self._cut = False

    @property
    def midway(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._prefix)

    def feed(self, data: bytes, missing: int) -> Iterator[tuple[bytes, bool]]:
        """Messages, and whether something of each is missing."""
        at = 0
        while at < len(data) and not self.astray:
            if not self._left:
                part = data[at:at + 2 - len(self._prefix)]
                self._prefix += part
                at += len(part)
                if len(self._prefix) == 2:
                    self._left = int.from_bytes(self._prefix, "big")
                    self.astray = self._left < _SMALLEST
                continue
            part = data[at:at + self._left]
            at += len(part)
            yield from self._took(len(part), part)
        if missing and not self.astray:
            if missing > self._left:
                self.astray = True
            else:
                yield from self._took(missing, b"")

    def _took(self, count: int, part: bytes) -> Iterator[tuple[bytes, bool]]:
        if not self._cut:  # what follows after a gap stands at another place
            self._kept += part[:MESSAGE_LIMIT - len(self._kept)]
            self._cut = len(part) < count or len(self._kept) == MESSAGE_LIMIT
        self._left -= count
        if not self._left:
            done = bytes(self._kept), self._cut
            self.begin()
            yield done
