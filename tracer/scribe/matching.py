"""Which records of TLS on the wire carried which bytes of plaintext: by their lengths, which encryption changes by a known amount.

The records of a direction are decrypted in their order, so one that was passed over was none of the application: TLS 1.3 sends
parts of the handshake, tickets and alerts as application data. What is left behind the last match was not read in clear.

What a library is given to send becomes whole records, one or several; what it gives is a record, or a part of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import accumulate, islice, takewhile

__all__ = ("Matching", "fit", "overheads")

_RECORD = 16384  # bytes of plaintext in one record at most
_AHEAD = 16      # records that are looked through for one that fits
_WAITING = 256   # records, and pieces of plaintext, that wait for each other
_TICKETS, _TICKET = 4, 1024  # how many a server sends at most, and the most bytes of one, as far as servers go
_ALERT = 2       # bytes: TLS 1.3 encrypts them like data

_ALL = _TLS_13, _GCM_12, _CHACHA_12 = 17, 24, 16
_CHACHAS = range(0xCCA8, 0xCCAF)
_GCMS = frozenset((*range(0x009C, 0x00A8), *range(0xC02B, 0xC033), *range(0xC09C, 0xC0A0), *range(0xC0AC, 0xC0AE)))


def overheads(version: int, cipher: int) -> tuple[int, ...]:
    """What a record is longer than its plaintext, in bytes; all that may be, where it is not known; none where it varies (CBC)."""
    if version >= 0x0304:
        return (_TLS_13,)
    if not version:
        return _ALL
    if cipher in _CHACHAS:
        return (_CHACHA_12,)
    return (_GCM_12,) if cipher in _GCMS else ()


def fit(lengths: Iterable[int], plain: int) -> bool:
    """Whether one of these records may carry so much plaintext, or the first part of it."""
    part = min(plain, _RECORD)
    return any(length - part in _ALL for length in lengths)


class Matching:
    """One direction of one connection. Bytes of plaintext:

    ``matched``   that were seen and stand in records of the right lengths
    ``strange``   that were seen and fit no record

    ``fits`` counts pieces that end where a record ends, ``misfits`` those that fit nothing.
    """

    def __init__(self, *, sent: bool) -> None:
        self.matched = self.fits = self.misfits = 0
        self._sent = sent
        self._strange = 0
        self._overheads: tuple[int, ...] = overheads(0, 0)
        self._lengths: deque[int] = deque()  # of records, encrypted
        self._greeting = 0  # of those: how many are the handshake's, most likely
        self._touched = 0  # bytes of the first one that were matched
        self._parts: list[int] = []  # the pieces that these were
        self._pieces: deque[int] = deque()  # that were sent, and whose records will be
        self._dropped = 0  # bytes in records that nobody can wait for any more

    @property
    def known(self) -> bool:
        """Whether lengths tell anything."""
        return bool(self._overheads)

    @property
    def strange(self) -> int:
        """As of now: what waits fits nothing so far."""
        return self._strange + sum(self._pieces)

    @property
    def unseen(self) -> int:
        """Bytes of application data, as far as can be told, that nobody saw in clear."""
        plain = map(self._plain, islice(self._lengths, self._greeting, None))
        return max(sum(length for length in plain if length > _ALERT) - self._touched, 0) + self._dropped

    @property
    def tickets(self) -> int:
        """Bytes that are a server's tickets, most likely: the first it sends after the handshake, two or more of one length."""
        plain = [self._plain(length) for length in islice(self._lengths, self._greeting, self._greeting + _TICKETS)]
        same = list(takewhile(lambda length: length == plain[0] <= _TICKET, plain))
        return sum(same) if len(same) > 1 and not self._touched else 0

    def encrypted(self, possible: tuple[int, ...]) -> None:
        """How much longer records are than what they carry."""
        self._overheads = possible
        if not possible:
            self._lengths.clear()
            self._pieces.clear()
            self._strange = self._dropped = self._touched = 0

    def greeted(self, records: int | None = None) -> None:
        """TLS 1.3: the first ``records``, or all so far, belong to the handshake, unless they fit exactly."""
        self._greeting = len(self._lengths) if records is None else records

    def records(self, lengths: list[int]) -> None:
        """Records of application data passed on the wire, in one call."""
        if not self._overheads:
            return
        for length in lengths:
            self._lengths.append(length)
            if len(self._lengths) > _WAITING:
                plain = self._plain(self._lengths[0])
                self._dropped += max(plain - self._touched, 0)
                self._pass(1)
        self._match()

    def piece(self, length: int) -> None:
        """Plaintext was given to the library, or came from it."""
        if not self._overheads:
            return
        if self._dropped:  # what was dropped is older than all that waits
            taken = min(self._dropped, length)
            self._dropped -= taken
            self.matched += taken
            length -= taken
        if length:
            self._pieces.append(length)
        if len(self._pieces) > _WAITING:
            self._give_up()
        self._match()

    def _plain(self, length: int) -> int:
        return max(length - self._overheads[0], 0) if self._overheads else 0

    def _pass(self, count: int) -> None:
        for _ in range(count):
            self._lengths.popleft()
        self._greeting = max(self._greeting - count, 0)
        self._touched = 0
        self._parts.clear()

    def _give_up(self) -> None:
        self._strange += self._pieces.popleft()
        self.misfits += 1

    def _match(self) -> None:
        while self._pieces:
            wanted = self._pieces[0]
            if self._touched:
                self._go_on(wanted)
            elif (place := self._exact(wanted)) is not None:
                self._pass(sum(place))
                self.matched += wanted
                self.fits += 1
                self._pieces.popleft()
            elif not self._sent and (at := self._longer(wanted)) is not None:
                self._pass(at)
                self._touched = wanted
                self._parts.append(wanted)
                self.matched += wanted
                self._pieces.popleft()
            elif self._sent and sum(map(self._plain, islice(self._lengths, _AHEAD - 1, None))) < wanted:
                return  # its records may be on their way
            else:
                self._give_up()

    def _go_on(self, wanted: int) -> None:
        """The record that was begun is read on. No read goes over the end of one: then it was another that was begun."""
        left = self._plain(self._lengths[0]) - self._touched
        if wanted > left and self._parts and len(self._lengths) > 1:
            self.matched -= self._touched
            self._pieces.extendleft(reversed(self._parts))
            self._pass(1)
            return
        taken = min(left, wanted)
        self.matched += taken
        if wanted > left:
            self.misfits += 1
            self._pieces[0] = wanted - left
        else:
            self.fits += wanted == left
            self._pieces.popleft()
        if taken == left:
            self._pass(1)
        else:
            self._touched += taken
            self._parts.append(taken)

    def _exact(self, wanted: int) -> tuple[int, int] | None:
        """How many records are to be passed over, and how many carry exactly so much."""
        if not self._greeting and len(self._overheads) == 1 and self._lengths and self._lengths[0] - self._overheads[0] == wanted:
            return 0, 1  # nearly always
        for overhead in self._overheads:
            plain = [max(length - overhead, 0) for length in self._lengths]
            places = range(min(self._greeting + _AHEAD, len(plain)))
            for at in (*places[self._greeting:], *places[:self._greeting]):
                for count, total in enumerate(accumulate(plain[at:]) if self._sent else plain[at:at + 1], 1):
                    if total == wanted:
                        self._overheads = (overhead,)  # if nobody saw the handshake, the first lengths that fit tell
                        return at, count
                    if total > wanted:
                        break
        return None

    def _longer(self, wanted: int) -> int | None:
        """How many records are to be passed over for one of which this can be the first part."""
        places = [at for at, length in enumerate(islice(self._lengths, self._greeting + _AHEAD)) if self._plain(length) > wanted]
        return next((at for at in places if at >= self._greeting), places[0] if places else None)
