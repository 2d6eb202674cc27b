"""The head of an HTTP/1 message: its first line, its fields, and how long the body is by them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tracer.http.limits import FIELDS
from tracer.session.exchanges import Headers

__all__ = ("Framing", "Head", "field_value", "framing", "parse_fields", "parse_head", "text")

_LENGTH = re.compile(r"[0-9]{1,18}")


@dataclass(slots=True)
class Head:
    """A head as it was sent. ``errors``: what is wrong with it."""

    version: str = "http/1.1"
    method: str = ""
    target: str = ""
    status: int = 0
    reason: str = ""
    headers: Headers = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Framing:
    """How a body ends: ``chunked``, after ``length`` bytes, or, if that is None, with the connection. ``encoding`` of the transfer.

    ``doubtful``: the request was not seen, and if it was HEAD, there is no body.
    """

    chunked: bool = False
    length: int | None = 0
    encoding: str = ""
    doubtful: bool = False


def text(data: bytes | bytearray) -> str:
    """UTF-8, else Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def field_value(headers: Headers, name: str) -> str:
    """The values of all headers of this name, joined by commas."""
    return ", ".join(value for key, value in headers if key.lower() == name)


def parse_fields(data: bytes, errors: list[str]) -> Headers:
    """Header or trailer fields, one a line."""
    fields: Headers = []
    if b"\0" in data:
        errors.append("there are NUL bytes in the headers")
    for line in data.split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            continue
        if line[0] in b" \t" and fields:  # a folded line, as old programs send
            name, value = fields[-1]
            fields[-1] = name, f"{value} {text(line.strip())}" if len(value) < FIELDS else value
            continue
        key, colon, rest = line.partition(b":")
        if not colon:
            errors.append(f"a header has no colon: {text(line[:40])}")
        elif len(fields) >= FIELDS:
            errors.append(f"there are more than {FIELDS} headers")
            break
        else:
            fields.append((text(key.strip()), text(rest.strip(b" \t"))))
    return fields


def parse_head(data: bytes, of_request: bool) -> Head:
    """A whole head, or what there is of it."""
    first, _, rest = data.partition(b"\n")
    head = Head()
    words = first.rstrip(b"\r").split(b" ")
    if of_request:
        if len(words) > 1 and words[-1].startswith(b"HTTP/"):
            head.version = text(words.pop()).lower()
        else:
            head.errors.append("the request line has no version")
        if len(words) > 2:
            head.errors.append("there are blanks in the target")
        head.method, head.target = text(words[0]), text(b" ".join(words[1:]))
    else:
        head.version = text(words[0]).lower()
        if len(words) > 1 and len(words[1]) == 3 and words[1].isdigit():
            head.status = int(words[1])
            head.reason = text(b" ".join(words[2:]))
        else:
            head.errors.append("the response has no status")
    head.version = head.version if head.version in ("http/1.0", "http/1.1") else "http/1.1"
    head.headers = parse_fields(rest, head.errors)
    return head


def framing(head: Head, method: str) -> Framing:
    """How the body of a message ends, by RFC 9112, 6.3. ``method``: of the request that a response answers; "" for a request."""
    if head.status and (head.status < 200 or head.status in (204, 304) or method == "HEAD"):
        return Framing()
    codings = [part.strip().lower() for part in field_value(head.headers, "transfer-encoding").split(",") if part.strip()]
    lengths = [part.strip() for key, value in head.headers if key.lower() == "content-length" for part in value.split(",")]
    if codings:
        if lengths:
            head.errors.append("both a length and a transfer encoding are given")
        encoding = ", ".join(coding for coding in codings if coding != "chunked")
        if codings[-1] == "chunked":
            return Framing(chunked=True, encoding=encoding)
        head.errors.append("the transfer encoding does not end in chunked")
        return Framing(length=None if head.status else 0, encoding=encoding)
    if lengths:
        valid = [length for length in lengths if _LENGTH.fullmatch(length)]
        if len(valid) < len(lengths):
            head.errors.append("the length is no number")
        if len(set(valid)) > 1:
            head.errors.append("there are several lengths")
        if valid:
            return Framing(length=int(valid[0]))
    return Framing(length=None if head.status or method else 0)
