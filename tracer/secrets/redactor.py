"""Takes the secrets out of everything that will be written: see `Redactor`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from tracer.digest import blake2b
from tracer.secrets.arguments import argument_spans, suspicious, suspicious_paths
from tracer.secrets.bodies import body_spans, cut_spans, is_binary
from tracer.secrets.headers import header_spans, worth_learning
from tracer.secrets.named import named_spans
from tracer.secrets.shapes import shape_places, shape_spans
from tracer.secrets.spans import Edit, Span, merged, shifted
from tracer.secrets.texts import userinfo_spans
from tracer.secrets.values import Known
from tracer.secrets.variables import secret_values

if TYPE_CHECKING:
    from tracer.session.exchanges import Exchange, Headers, Mark  # the process that drains redacts strings alone, and spares dataclasses

__all__ = ("KINDS", "Redactor")

KINDS = ("header", "url", "body", "shape", "environment", "argument")
_PASSES = 4  # with something taken out a command line may read differently: until nothing more is found
_Detector = Callable[[bytes], Iterable[Span]]


class Redactor:
    """Puts `[redacted:XXXXXXXX]` in the place of each secret: 8 hex digits of a hash with a key, equal for equal secrets.

    The order is: secrets that are known by value, then by name, then by shape. ``counts`` says how many were taken out, by kind.
    Used by one thread.
    """

    def __init__(self, key: bytes, *, enabled: bool = True) -> None:
        """``key``: the session's own, 32 random bytes; who has it can try out guesses for short secrets, so it is written nowhere."""
        hashed = blake2b(digest_size=4, key=blake2b(key).digest())
        self.enabled = enabled
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._known = Known()

        @lru_cache(1024)
        def tag(secret: bytes) -> bytes:
            one = hashed.copy()
            one.update(secret)
            return b"[redacted:%s]" % one.hexdigest().encode()

        self._tag = tag

    def learn(self, variables: Mapping[str, str]) -> int:
        """How many secrets of a traced process's environment are new; from now on they are found by value everywhere."""
        if not self.enabled:
            return 0
        values = [secret for name, value in variables.items() for secret in secret_values(name, value)]
        return sum(self._known.add(_bytes(value), "environment") for value in values)

    def text(self, text: str) -> str:
        """Any text that has no form of its own."""
        return self._string(text, lambda data: body_spans(data, "body"))

    def words(self, words: Sequence[str]) -> list[str]:
        """A command line."""
        if not self.enabled or any("\0" in word for word in words):
            return [self.text(word) for word in words]
        data = "\0".join(words)
        return self._string(data, lambda data: argument_spans(data, "argument")).split("\0") if words else []

    def strings(self, data: bytes, kept: Sequence[int]) -> list[bytes] | None:
        """Many paths and blocks of NUL-separated arguments, one after the other in ``data``, with their lengths: what they become.

        None if there is nothing in them, which is found out for all of them at once.
        """
        if not self.enabled or not data:
            return None
        places = self._suspicious(data)
        if not places:
            return None
        starts = list(accumulate(kept, initial=0))
        pieces = [data[start:end] for start, end in pairwise(starts)]
        suspects = {number for first, last in places for number in range(bisect_right(starts, first) - 1, bisect_right(starts, last - 1))}
        changed = False
        for number in sorted(suspects & set(range(len(pieces)))):
            for _ in range(_PASSES):
                piece = self._whole(pieces[number], lambda data: argument_spans(data, "argument"))
                if piece == pieces[number]:
                    break
                changed, pieces[number] = True, piece
        return pieces if changed else None

    def _suspicious(self, data: bytes) -> list[tuple[int, int]]:
        """Where a secret may be; strings stand there without anything between them, so that a place may reach over several."""
        blocks = b"\0" in data
        places = [(span.start, span.end) for value in self._known for span in self._known.of(value, data, hidden=blocks)]
        places += shape_places(data)
        places += [(place, place + 1) for place in (suspicious(data) if blocks else suspicious_paths(data))]
        return places

    def exchange(self, exchange: Exchange) -> None:
        """In place: all that a peer or the program has written. What its headers and its URL call secrets is learned first."""
        if not self.enabled:
            return
        before = sum(self.counts.values())
        parts = (exchange.request_headers, exchange.response_headers, exchange.request_trailers, exchange.response_trailers)
        for headers in parts:
            self._learn_headers(headers)
        for span in _url(_bytes(exchange.target)):
            if len(span.value) >= 12:
                self._known.add(span.value, "url")
        for headers in parts:
            headers[:] = [(self._string(name, _nothing), self._header(name, value)) for name, value in headers]
        exchange.target = self._string(exchange.target, _url)
        exchange.authority = self._authority(exchange.authority)
        for name in ("method", "scheme", "protocol"):
            setattr(exchange, name, self._string(getattr(exchange, name), _nothing))
        exchange.reason = self.text(exchange.reason)
        exchange.errors = [self.text(error) for error in exchange.errors]
        kind = exchange.header("content-type", of_request=True).lower()
        exchange.request_body, exchange.request_marks = self._body(exchange.request_body, kind, exchange.request_cut, exchange.request_marks)
        kind = exchange.header("content-type").lower()
        exchange.response_body, exchange.response_marks = self._body(exchange.response_body, kind, exchange.response_cut, exchange.response_marks)
        for message in exchange.messages:
            message.data, _ = self._body(message.data, "", message.length > len(message.data), [])
        exchange.redacted += sum(self.counts.values()) - before

    def _learn_headers(self, headers: Headers) -> None:
        for name, value in headers:
            for span in header_spans(name, _bytes(value), "header"):
                for secret in worth_learning(name, span.value):
                    self._known.add(secret, "header")

    def _header(self, name: str, value: str) -> str:
        def found(data: bytes) -> Iterator[Span]:
            yield from header_spans(name, data, "header")
            if name.lower() != "cookie":  # all values of which are gone
                yield from _url(data)

        return self._string(value, found)

    def _authority(self, authority: str) -> str:
        def found(data: bytes) -> Iterator[Span]:
            yield from (span._replace(start=span.start - 3, end=span.end - 3) for span in userinfo_spans(b"://" + data, "url"))

        return self._string(authority, found)

    def _body(self, data: bytes, content_type: str, cut: bool, marks: list[Mark]) -> tuple[bytes, list[Mark]]:
        if not data:
            return data, marks
        edits: list[list[Edit]] = []
        multipart = content_type.startswith("multipart/")
        if is_binary(data) and not multipart:
            data = self._values(data, edits)
        else:
            data = self._whole(data, lambda data: body_spans(data, "body", content_type), edits)
        if cut:
            data = self._replaced(data, cut_spans(data, self._known), edits)
        for made in edits:
            marks = shifted(marks, made)
        return data, marks

    def _string(self, text: str, named: _Detector) -> str:
        if not self.enabled or not text:
            return text
        data = _bytes(text)
        clean = self._whole(data, named)
        return text if clean == data else clean.decode("utf-8", "surrogateescape")

    def _whole(self, data: bytes, named: _Detector, edits: list[list[Edit]] | None = None) -> bytes:
        data = self._values(data, edits)
        for _ in range(3):  # a tag where a secret was may be the value of a name, now
            data = self._replaced(data, named(data), edits)
            shapes = list(shape_spans(data))
            if not shapes:
                break
            data = self._replaced(data, shapes, edits)
        return data

    def _values(self, data: bytes, edits: list[list[Edit]] | None) -> bytes:
        for value in self._known:
            data = self._replaced(data, self._known.of(value, data), edits)
        return data

    def _replaced(self, data: bytes, spans: Iterable[Span], edits: list[list[Edit]] | None) -> bytes:
        found = merged(spans)
        if not found:
            return data
        parts: list[bytes] = []
        made: list[Edit] = []
        at = 0
        for span in found:
            tag = self._tag(span.value)
            tag = b'"' + tag + b'"' if span.bare else tag
            parts += data[at:span.start], tag
            made.append(Edit(span.start, span.end, len(tag)))
            at = span.end
            self.counts[span.kind] += 1
        if edits is not None:
            edits.append(made)
        return b"".join((*parts, data[at:]))


def _url(data: bytes) -> Iterator[Span]:
    yield from userinfo_spans(data, "url")
    yield from named_spans(data, "url")


def _nothing(_: bytes) -> Iterable[Span]:
    return ()


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair, out of a JSON string; nothing that the kernel told has one
        return text.encode("utf-8", "replace")
