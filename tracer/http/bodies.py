"""The body of a message: counted to its end, decoded and kept up to a limit, with the time of each arrival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracer.http.budget import Budget
from tracer.http.encodings import FAILURES, Decoder, decoders
from tracer.http.limits import MARKS, READABLE
from tracer.session.exchanges import Mark

__all__ = ("Body", "body_limit")

_MARK_BYTES = 120  # a tuple with two numbers
_WORK = 16 << 20  # bytes between stacked encodings that are suffered besides what is kept
_SLICE = 1 << 10  # bytes that are unpacked at a time: behind a mistake, what was unpacked of a slice is lost
_RAW = 1 << 10  # bytes that are remembered for it
_BOMB = 100  # times larger than what was sent: no text is packed so well


def body_limit(content_type: str, max_body: int) -> int:
    """How many bytes of a body of this type are kept: more of what people read."""
    kind = content_type.lower()
    return max_body * READABLE if "json" in kind or "event-stream" in kind else max_body


class Body:
    """A body under way. ``wire`` counts its bytes without chunks and padding; ``errors`` says what is wrong with it."""

    __slots__ = (
        "_budget", "_decoders", "_encoding", "_hole", "_limit", "_lost", "_open", "_output", "_raw", "_trusted", "_work",
        "charge", "cut", "errors", "kept", "length", "marks", "wire",
    )

    def __init__(self, encoding: str, content_type: str, max_body: int, budget: Budget) -> None:
        self.wire = 0
        self.length: int | None = 0
        self.cut = False
        self.kept = bytearray()
        self.marks: list[Mark] = []
        self.errors: list[str] = []
        self.charge = 0
        self._budget = budget
        self._limit = body_limit(content_type, max_body)
        self._trusted = max_body  # bytes that are unpacked, however well they are packed
        self._open = True  # more is kept
        self._lost = 0  # bytes that were not seen and would have been kept
        self._hole = 0  # where the first of them was, in ``kept``
        self._work = 0
        self._output = 0
        self._encoding = encoding[:80]
        self._raw = b""  # what came while nothing was unpacked: it may turn out not to be compressed
        self._decoders: list[Decoder] = []
        if encoding:
            self._decoders, unknown = decoders(encoding)
            if unknown:
                self.errors.append(f"its content encoding is not known: {unknown}")
            elif self._decoders:
                self._budget.grow(self, sum(decoder.cost for decoder in self._decoders))

    def add(self, data: bytes, at_ns: int) -> None:
        """The next bytes as they were sent, without framing."""
        size = len(data)
        self.wire += size
        if self._decoders:
            self._decode(data, at_ns)
            return
        if self.length is not None:
            self.length += size
        if self._open:
            self._keep(data, at_ns)

    def skip(self, length: int) -> None:
        """So many bytes were sent and are not known."""
        self.wire += length
        if not length:
            return
        if len(self.kept) >= self._limit:  # behind the limit nothing is missed
            self.cut, self._open = True, False
        elif self._open:
            self._hole = self._hole if self._lost else len(self.kept)
            self._lost += length
        if self._decoders:
            self._give_up()
        elif self.length is not None:
            self.length += length  # what follows is kept: half an answer is better than none

    def tear(self, length: int) -> None:
        """Of ``length`` bytes that are missing nobody knows how many are of the body, and how many frame it."""
        if self._open:
            self._hole = self._hole if self._lost else len(self.kept)
            self._lost += length
        if self._decoders:
            self._give_up()
        self.length, self.cut = None, True

    def finish(self, whole: bool) -> bytes:
        """The end, and what was kept. ``whole``: all bytes were sent."""
        if self._decoders and whole and self.wire and not all(decoder.whole() for decoder in self._decoders):
            self.errors.append(f"what is compressed ends early ({self._encoding})")
            self._give_up()
        self.cut = self.cut or self._lost > 0
        if self._lost:
            self.errors.append(f"{self._lost} bytes are missing at {self._hole}")
        self._decoders = []
        self._budget.release(self)  # what is kept belongs to whoever reads exchanges now
        return bytes(self.kept)

    def halve(self) -> None:
        """Keep less, because all bodies together take too much."""
        if self._decoders:
            self._give_up()
        self.cut, self._open = True, False
        del self.kept[len(self.kept) // 2:]
        while self.marks and self.marks[-1][0] >= len(self.kept):
            self.marks.pop()
        self.charge = len(self.kept) + _MARK_BYTES * len(self.marks)
        if "cut, because too much was under way at once" not in self.errors:
            self.errors.append("cut, because too much was under way at once")

    def _keep(self, data: bytes, at_ns: int) -> None:
        at, room = len(self.kept), self._limit - len(self.kept)
        if room < len(data):
            self.cut, self._open = True, False
            data = data[:room]
        if not data:
            return
        self.kept += data
        size = len(data)
        if not self.marks or (self.marks[-1][1] != at_ns and len(self.marks) < MARKS):
            self.marks.append((at, at_ns))
            size += _MARK_BYTES
        self._budget.grow(self, size)

    def _decode(self, data: bytes, at_ns: int) -> None:
        if not self._limit:
            self._give_up()
            return
        size = len(data)
        try:
            for at in range(0, size, _SLICE):
                read = self.wire - size + min(size, at + _SLICE)
                for piece in self._pieces(data[at:at + _SLICE], self._decoders):
                    self._output += len(piece)
                    self._keep(piece, at_ns)
                    if not self._open or self._output > max(self._trusted, _BOMB * read):
                        break
                if not self._open or self._output > max(self._trusted, _BOMB * read) or self._work > _WORK + 4 * self._limit:
                    self._stop(read)
                    return
            self.length = self._output
        except FAILURES:
            raw = self._raw + data
            lies = not self._output and len(raw) == self.wire  # many servers name an encoding that they do not use
            self.errors.append(f"cannot be decompressed ({self._encoding})" + (", kept as it is" if lies else ""))
            if lies:
                self._decoders, self.length = [], self.wire
                self._keep(raw, at_ns)
            else:
                self._give_up()
        else:
            if not self._output and len(self._raw) < _RAW:
                self._raw += data[:_RAW]

    def _pieces(self, data: bytes, stages: Sequence[Decoder]) -> Iterator[bytes]:
        for piece in stages[0].pieces(data):
            if len(stages) == 1:
                yield piece
                continue
            self._work += len(piece)
            if self._work > _WORK + 4 * self._limit:
                return
            yield from self._pieces(piece, stages[1:])

    def _stop(self, read: int) -> None:
        if max(self._output, self._work) > _BOMB * read:
            self.errors.append(f"compressed more than {_BOMB} times: it is not read to its end")
        self._give_up()

    def _give_up(self) -> None:
        self._decoders = []
        self.length = None
        self.cut, self._open = True, False
