"""What a connection speaks, by its bytes."""

from __future__ import annotations

import re
from enum import Enum

from tracer.http.limits import LINE

__all__ = ("PREFACE", "Guess", "frame_length", "frames_plausible", "guess", "message_start", "starts_message")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_METHODS = (
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"QUERY",
    b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"REPORT", b"SEARCH", b"PURGE", b"NOTIFY", b"SUBSCRIBE", b"M-SEARCH",
)
_LINE = re.compile(rb"[A-Za-z][A-Za-z_-]{0,31} [^\r\n]{1,65536} HTTP/1\.[01][ \t]*\r?\n")
_TOKEN = re.compile(rb"[A-Z][A-Z_-]{0,31} ?")
_STATUS = re.compile(rb"HTTP/1\.[01] [1-9][0-9][0-9](?:[ \r\n]|$)")
_LATER = {  # a message start behind other bytes: with a field behind its first line, since bodies may speak of HTTP
    True: re.compile(rb"(?:" + b"|".join(_METHODS) + rb") [^ \r\n\0]{1,8192} HTTP/1\.[01]\r?\n(?:[\w-]+:|\r?\n)"),
    False: re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9][^\r\n\0]{0,200}\r?\n(?:[\w-]+:|\r?\n)"),
}
_FRAME_MAX = 1 << 20  # bytes; few peers allow frames as large as this
_FLAGS = (0x09, 0x2D, 0x00, 0x00, 0x01, 0x0C, 0x01, 0x00, 0x00, 0x04)  # that each type of frame may have, DATA first
_FIXED = {2: 5, 3: 4, 6: 8, 8: 4}  # lengths of frames that have always the same


class Guess(Enum):
    """What the bytes of one direction begin with."""

    REQUEST = 1
    RESPONSE = 2
    PREFACE = 3
    FRAMES = 4  # of HTTP/2, without its preface
    MORE = 5  # too few bytes to tell
    OTHER = 6


def guess(data: bytes) -> Guess:
    """Tell what begins here."""
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")
    if not data or (len(data) < len(PREFACE) and PREFACE.startswith(data)):
        return Guess.MORE
    if data.startswith(PREFACE):
        return Guess.PREFACE
    if data[0] == 0x48 and (_STATUS.match(data) or (len(data) < 13 and starts_message(data, of_request=False))):  # H
        return Guess.RESPONSE if len(data) >= 12 else Guess.MORE
    if token := _TOKEN.match(data):
        if b"\n" in data:
            return Guess.REQUEST if _LINE.match(data) else Guess.OTHER
        if token.end() == len(data):
            return Guess.MORE
        if not token[0].endswith(b" "):
            return Guess.OTHER
        if len(data) > LINE:
            return Guess.REQUEST if token[0][:-1] in _METHODS else Guess.OTHER
        return Guess.MORE
    return _frames(data)


def starts_message(data: bytes, *, of_request: bool) -> bool:
    """Whether a message of HTTP/1 may begin so; ``data`` may be short."""
    if of_request:
        token = _TOKEN.match(data[:64].upper())
        return token is not None and (token.end() == min(len(data), 64) or token[0].endswith(b" "))
    prefix = b"HTTP/1."
    return data[:7] == prefix[:len(data)]


def message_start(data: bytes, *, of_request: bool) -> int:
    """Where the first message begins that surely is one, with bytes of something else before it; -1 if there is none."""
    if b"HTTP/1." not in data:
        return -1
    found = _LATER[of_request].search(data)
    return found.start() if found else -1


def frame_length(data: bytes, at: int) -> int:
    """Length of the frame whose head, all 9 bytes of it, is at ``at``; -1 if no peer would accept it."""
    length = data[at] << 16 | data[at + 1] << 8 | data[at + 2]
    kind, stream = data[at + 3], int.from_bytes(data[at + 5:at + 9], "big") & 0x7FFFFFFF
    if length > _FRAME_MAX or length != _FIXED.get(kind, length):
        return -1
    if (kind == 4 and length % 6) or (kind == 7 and length < 8):
        return -1
    if kind in (4, 6, 7):
        return -1 if stream else length
    return -1 if not stream and kind < 10 and kind != 8 else length


def _plausible(data: bytes, at: int) -> int:
    # What everyone really sends is narrower than what has to be accepted.
    kind, flags = data[at + 3], data[at + 4]
    if kind > 9 or flags & ~_FLAGS[kind] or data[at + 5] & 0x80:
        return -1
    length = frame_length(data, at)
    return -1 if kind == 4 and (length > 600 or (flags and length)) else length


def frames_plausible(data: bytes, at: int = 0) -> Guess:
    """FRAMES if the frame heads from here on are what HTTP/2 allows, and more than one agrees; else MORE or OTHER."""
    heads, size = 0, len(data)
    while size - at >= 9:
        length = _plausible(data, at)
        if length < 0:
            return Guess.OTHER
        heads += 1
        # Those with a fixed length, on the stream that they belong to, are as good as two.
        if heads > 1 or data[at + 3] in (3, 4, 6, 8) or at + 9 + length == size:
            return Guess.FRAMES
        at += 9 + length
    return Guess.MORE


def _frames(data: bytes) -> Guess:
    if len(data) < 9:
        return Guess.MORE if data[0] in (0, 1) else Guess.OTHER
    found = frames_plausible(data)
    return Guess.OTHER if found is Guess.MORE and len(data) > LINE else found
