"""Which records of TLS on the wire carried which bytes of plaintext: by their lengths, which encryption changes by a known amount.

The records of a direction are decrypted in their order, so one that was passed over was none of the application: TLS 1.3 sends
parts of the handshake, tickets and alerts as application data. What is left behind the last match was not read in clear.
"""

from __future__ import annotations

from collections import deque

__all__ = ("Matching", "overheads")

_RECORD = 16384  # bytes of plaintext in one record at most
_AHEAD = 16      # records that are looked through for one that fits exactly
_WAITING = 4096  # records, and pieces of plaintext, that wait for each other
_ALERT = 2       # bytes: TLS 1.3 encrypts them like data

_GCM_12, _CHACHA_12, _TLS_13 = 24, 16, 17
_CHACHAS = range(0xCCA8, 0xCCAF)
_GCMS = frozenset((*range(0x009C, 0x00A8), *range(0xC02B, 0xC033), *range(0xC09C, 0xC0A0), *range(0xC0AC, 0xC0AE)))


def overheads(version: int, cipher: int) -> tuple[int, ...]:
    """What a record is longer than its plaintext, in bytes; all that may be, where it is not known; none where it varies (CBC)."""
    if version >= 0x0304:
        return (_TLS_13,)
    if not version:
        return (_TLS_13, _GCM_12, _CHACHA_12)
    if cipher in _CHACHAS:
        return (_CHACHA_12,)
    return (_GCM_12,) if cipher in _GCMS else ()


class Matching:
    """One direction of one connection. Bytes of plaintext:

    ``matched``   that were seen and stand in records of the right lengths
    ``strange``   that were seen and fit no record
    ``records``   counts matches
    """

    def __init__(self) -> None:
        self.matched = self.strange = self.records = 0
        self._overheads: tuple[int, ...] = overheads(0, 0)
        self._lengths: deque[int] = deque()  # of records, encrypted
        self._touched = 0  # bytes of the first one that were matched
        self._pieces: deque[int] = deque()
        self._dropped = 0

    @property
    def known(self) -> bool:
        """Whether lengths tell anything."""
        return bool(self._overheads)

    @property
    def unseen(self) -> int:
        """Bytes of application data, as far as can be told, that nobody saw in clear."""
        overhead = self._overheads[0] if self._overheads else 0
        rest = sum(max(length - overhead, 0) for length in self._lengths if length - overhead > _ALERT)
        return max(rest - self._touched, 0) + self._dropped

    def encrypted(self, possible: tuple[int, ...]) -> None:
        """How much longer records are than what they carry."""
        self._overheads = possible

    def record(self, length: int) -> None:
        """A record of application data passed on the wire."""
        self._lengths.append(length)
        if len(self._lengths) > _WAITING:
            self._dropped += max(self._lengths.popleft() - (self._overheads[0] if self._overheads else 0) - self._touched, 0)
            self._touched = 0
        if self._pieces:
            self._match()

    def piece(self, length: int, sent: bool) -> None:
        """Plaintext was given to the library, which cuts it into records, or came from it."""
        while sent and length > _RECORD:
            self._pieces.append(_RECORD)
            length -= _RECORD
        self._pieces.append(length)
        while len(self._pieces) > _WAITING:
            self.strange += self._pieces.popleft()
        self._match()

    def _match(self) -> None:
        while self._pieces and self._lengths and self._overheads:
            wanted = self._pieces[0]
            if len(self._overheads) > 1:
                self._guess(wanted)
            overhead = self._overheads[0]
            if not self._touched:
                exact = next((at for at, length in zip(range(_AHEAD), self._lengths) if length - overhead == wanted), None)
                skipped = exact if exact is not None else next(
                    (at for at, length in zip(range(_AHEAD), self._lengths) if length - overhead > wanted), None)
                if skipped is None:
                    return  # it may be on its way
                for _ in range(skipped):
                    self._lengths.popleft()
            left = self._lengths[0] - overhead - self._touched
            taken = min(left, wanted)
            self.matched += taken
            self.records += 1
            self._touched += taken
            if taken == left:
                self._lengths.popleft()
                self._touched = 0
            self._pieces[0] -= taken
            if not self._pieces[0]:
                self._pieces.popleft()

    def _guess(self, wanted: int) -> None:
        """Nobody saw the handshake: the first lengths that fit tell."""
        for overhead in self._overheads:
            if any(length - overhead == wanted for length in list(self._lengths)[:_AHEAD]):
                self._overheads = (overhead,)
                return
        if len(self._lengths) >= _AHEAD:
            self._overheads = self._overheads[:1]

    def rest(self) -> None:
        """The end: pieces that still wait fit nothing."""
        self.strange += sum(self._pieces)
        self._pieces.clear()
