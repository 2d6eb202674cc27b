"""HTTP/2: many streams on one connection, also from its middle on."""

from __future__ import annotations

from collections import OrderedDict

from tracer.http.fields import FieldDecoder
from tracer.http.frames import Cutter, Kind
from tracer.http.limits import BLOCK, STREAMS
from tracer.http.sniff import PREFACE
from tracer.http.streams import Stream
from tracer.http.talk import Connection, Piece, note
from tracer.session.exchanges import Exchange, Headers

__all__ = ("Http2",)

_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20
_CODES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
    "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)
_REMEMBERED = 1024  # streams that have ended: frames that were under way may still come


class Http2:
    """Both directions. ``client_sent``: requests are what the traced process sends; None: not known yet.

    ``joined``: not from its beginning; ``torn``: the direction that begins within a frame, if one does; ``upgraded``: what asked for HTTP/2.
    """

    def __init__(
        self, connection: Connection, client_sent: bool | None, *, joined: bool, torn: bool | None = None, upgraded: Exchange | None = None,
    ) -> None:
        self._connection = connection
        self._client_sent = client_sent
        self._joined = joined
        # What may still come of the client's preface. The server may speak first, and then it is taken for a connection joined in the middle.
        self._openings = {sent: b"" if sent == torn else PREFACE for sent in (True, False)}
        self._cutters = {sent: Cutter(self, sent, sent == torn) for sent in (True, False)}
        self._decoders = {sent: FieldDecoder(not joined) for sent in (True, False)}
        self._blocks: dict[bool, tuple[int, int, bytes] | None] = {True: None, False: None}  # stream, flags, what came so far
        self._streams: OrderedDict[int, Stream] = OrderedDict()
        self._past: OrderedDict[int, None] = OrderedDict()
        self._size = 0
        if upgraded is not None and client_sent is not None:  # its response comes on stream 1
            stream = self._streams[1] = Stream(connection, 1, upgraded)
            request = stream.half(client_sent)
            request.began_ns, request.ended_ns = upgraded.started_ns, upgraded.sent_ns or upgraded.started_ns
            self._size += stream.size

    def held(self) -> int:
        """Bytes of memory, about, but for bodies."""
        blocks = sum(len(block[2]) for block in self._blocks.values() if block)
        return self._size + blocks + sum(self._cutters[sent].held + self._decoders[sent].held for sent in (True, False))

    def feed(self, piece: Piece) -> None:
        """Read on."""
        cutter, data = self._cutters[piece.sent], piece.data
        if data and self._openings[piece.sent]:
            data = self._opening(piece.sent, data)
        if data:
            cutter.feed(data, piece.at_ns)
        if piece.gap:
            self._openings[piece.sent] = b""
            cutter.gap(piece.gap, piece.at_ns)

    def ended(self, at_ns: int | None, why: str) -> None:
        """Complete what is unfinished."""
        for stream in list(self._streams.values()):
            self._break(stream, at_ns, why)

    def data(self, sent: bool, stream: int, data: bytes, gap: int, at_ns: int) -> None:
        """Bytes of a DATA frame, or a gap in it."""
        found = self._stream(stream, at_ns)
        if found is not None:
            found.data(sent, data, gap, at_ns)

    def frame(self, sent: bool, kind: int, flags: int, stream: int, payload: bytes, torn: bool, at_ns: int) -> None:
        """A frame is at its end."""
        if kind == Kind.DATA:
            if flags & _END_STREAM:
                self._end(sent, stream, at_ns)
        elif kind in (Kind.HEADERS, Kind.PUSH_PROMISE):
            self._begin_block(sent, kind, flags, stream, payload, torn, at_ns)
        elif kind == Kind.CONTINUATION:
            self._continue(sent, flags, stream, payload, torn, at_ns)
        elif kind == Kind.RST_STREAM and stream in self._streams:
            self._reset(self._streams[stream], sent, _code(payload), at_ns)
        elif kind == Kind.GOAWAY and not torn:
            self._go_away(sent, int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, _code(payload[4:8]))

    def lost(self, sent: bool, why: str, at_ns: int) -> None:
        """Frames were missed."""
        self._blocks[sent] = None
        self._decoders[sent].lose()
        for stream in self._streams.values():
            half = stream.half(sent)
            if half.ended_ns is not None:
                continue
            note(stream.exchange, f"{why} on the connection: parts of this may be missing")
            if half.body is not None:
                half.body.tear(0)
            if stream.sockets is not None:
                stream.sockets.lose(sent, at_ns)

    def _opening(self, sent: bool, data: bytes) -> bytes:
        awaited = self._openings[sent]
        head = data[:len(awaited)]
        if not awaited.startswith(head):
            self._openings[sent] = b""
            return PREFACE[:len(PREFACE) - len(awaited)] + data
        self._openings[sent] = awaited[len(head):]
        if len(head) == len(awaited) and self._client_sent in (None, sent):
            self._client_sent, self._joined = sent, False
            self._decoders[sent] = FieldDecoder(whole=True)
        return data[len(head):]

    def _stream(self, number: int, at_ns: int) -> Stream | None:
        found = self._streams.get(number)
        if found is None and number and number not in self._past:
            found = self._streams[number] = Stream(self._connection, number, self._connection.exchange(at_ns))
            self._size += found.size
            if len(self._streams) > STREAMS:
                self._break(next(iter(self._streams.values())), None, "too many streams were open")
        return found

    def _begin_block(self, sent: bool, kind: int, flags: int, stream: int, payload: bytes, torn: bool, at_ns: int) -> None:
        if self._blocks[sent] is not None:
            self._decoders[sent].lose()  # the block before has no end
        padding = payload[0] if flags & _PADDED and payload else 0
        start = (1 if flags & _PADDED else 0) + (5 if flags & _PRIORITY and kind == Kind.HEADERS else 0)
        if kind == Kind.PUSH_PROMISE:
            # Its headers are the request, which the server makes in the name of the client.
            stream = int.from_bytes(payload[start:start + 4], "big") & 0x7FFFFFFF
            start, flags = start + 4, flags & ~_END_STREAM | 0x100
        block = payload[start:max(start, len(payload) - padding)] if not torn else b""
        self._blocks[sent] = stream, flags | (0x200 if torn else 0), block
        if flags & _END_HEADERS:
            self._block(sent, at_ns)

    def _continue(self, sent: bool, flags: int, stream: int, payload: bytes, torn: bool, at_ns: int) -> None:
        begun = self._blocks[sent]
        if begun is None or (begun[0] != stream and not begun[1] & 0x100):
            self._decoders[sent].lose()
            return
        block = begun[2] + payload
        torn = torn or len(block) > BLOCK
        self._blocks[sent] = begun[0], begun[1] | (0x200 if torn else 0), b"" if begun[1] & 0x200 or torn else block
        if flags & _END_HEADERS:
            self._block(sent, at_ns)

    def _block(self, sent: bool, at_ns: int) -> None:
        begun, self._blocks[sent] = self._blocks[sent], None
        if begun is None:
            return
        number, flags, block = begun
        fields: Headers = []
        if flags & 0x200:
            self._decoders[sent].lose()
            errors = ["a header block is torn or too long"]
        else:
            fields, errors = self._decoders[sent].decode(block)
        pushed = bool(flags & 0x100)
        self._learn(sent != pushed, fields)
        stream = self._stream(number, at_ns)
        if stream is None:
            return
        for error in errors:
            note(stream.exchange, error)
        size = stream.size
        speaker = sent != pushed
        stream.fields(speaker, fields, at_ns)
        self._size += stream.size - size
        if self._client_sent is not None:
            stream.accept(self._client_sent)
        if flags & _END_STREAM or pushed:
            self._end(speaker, number, at_ns)

    def _learn(self, sent: bool, fields: Headers) -> None:
        if self._client_sent is None:
            names = {name for name, _ in fields[:8]}
            if ":method" in names or ":path" in names:
                self._client_sent = sent
            elif ":status" in names:
                self._client_sent = not sent

    def _end(self, sent: bool, number: int, at_ns: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        half, other = stream.half(sent), stream.half(not sent)
        half.began_ns = half.began_ns or at_ns
        half.ended_ns = half.ended_ns or at_ns
        unasked = self._joined and sent != self._client_sent and self._client_sent is not None and other.began_ns is None
        if other.ended_ns is not None or unasked:
            self._emit(stream, None)

    def _reset(self, stream: Stream, sent: bool, code: str, at_ns: int) -> None:
        client_sent = True if self._client_sent is None else self._client_sent
        response = stream.half(not client_sent)
        who = "client" if sent == client_sent else "server"
        if response.ended_ns is None or code != "NO_ERROR":
            note(stream.exchange, f"the {who} has reset the stream ({code})")
        elif stream.half(client_sent).ended_ns is None:
            note(stream.exchange, "the response came before the end of the request")
        self._emit(stream, at_ns)

    def _go_away(self, sent: bool, last: int, code: str) -> None:
        # Streams of the other side beyond the last that it names are not worked on. Its own are not meant.
        odd = self._client_sent is None or self._client_sent != sent
        for stream in self._streams.values():
            if stream.number > last and stream.number % 2 == odd:
                note(stream.exchange, f"not worked on: the other side is going away ({code})")
            elif code != "NO_ERROR":
                note(stream.exchange, f"the connection is given up ({code})")

    def _break(self, stream: Stream, at_ns: int | None, why: str) -> None:
        client_sent = True if self._client_sent is None else self._client_sent
        request, response = stream.half(client_sent), stream.half(not client_sent)
        if request.ended_ns is None and (request.began_ns is not None or not self._joined):
            note(stream.exchange, f"{why} before the end of the request")
        if response.ended_ns is None:
            note(stream.exchange, f"{why} before the response" if response.began_ns is None else f"{why} before the end of the response")
        self._emit(stream, at_ns)

    def _emit(self, stream: Stream, at_ns: int | None) -> None:
        del self._streams[stream.number]
        self._size -= stream.size
        self._past[stream.number] = None
        if len(self._past) > _REMEMBERED:
            self._past.popitem(last=False)
        self._connection.done.append(stream.finish(self._client_sent, at_ns))


def _code(payload: bytes) -> str:
    number = int.from_bytes(payload[:4], "big")
    return _CODES[number] if number < len(_CODES) else f"code {number}"
