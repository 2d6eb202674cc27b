"""What the first messages of a TLS handshake tell: the name that was asked for, the protocol inside, version and cipher.

RFC 8446, 4.1.2 and 4.1.3; RFC 6066, 3 (server_name); RFC 7301 (application_layer_protocol_negotiation). Bytes come in any number of calls:
a part tells nothing that the whole would not.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("ClientHello", "ServerHello", "client_hello", "handshake", "server_hello")

_HANDSHAKE, _CLIENT_HELLO, _SERVER_HELLO = 22, 1, 2
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_NAME_LIMIT = 255


class ClientHello(NamedTuple):
    """What a client asks for."""

    name: str  # of the server; "" if none was given
    protocols: tuple[str, ...]
    whole: bool  # else the rest may tell more


class ServerHello(NamedTuple):
    """What the server chose."""

    version: int  # 0x0303: TLS 1.2, 0x0304: TLS 1.3
    cipher: int  # as registered with IANA
    protocol: str  # only before TLS 1.3, which encrypts it


def handshake(data: bytes) -> tuple[int, bytes, bool] | None:
    """Type and body of the first handshake message, whose records are taken apart, and whether it is whole; None if it is none."""
    body = b""
    at = 0
    while at + _RECORD_HEAD <= len(data) and data[at] == _HANDSHAKE:
        length = int.from_bytes(data[at + 3:at + 5], "big")
        body += data[at + _RECORD_HEAD:at + _RECORD_HEAD + length]
        at += _RECORD_HEAD + length
        if len(body) >= _MESSAGE_HEAD and len(body) - _MESSAGE_HEAD >= int.from_bytes(body[1:4], "big"):
            break
    if len(body) < _MESSAGE_HEAD:
        return None
    length = int.from_bytes(body[1:4], "big")
    return body[0], body[_MESSAGE_HEAD:_MESSAGE_HEAD + length], len(body) >= _MESSAGE_HEAD + length


def client_hello(data: bytes) -> ClientHello | None:
    """The first bytes of a client; None if they are no ClientHello."""
    message = handshake(data)
    if message is None or message[0] != _CLIENT_HELLO:
        return None
    body = message[1]
    at = _past(body, 34, 1)  # version, random, session id
    at = _past(body, at, 2)  # cipher suites
    at = _past(body, at, 1)  # compression methods
    extensions = _extensions(body, at)
    names = extensions.get(_SERVER_NAME, b"")
    name = names[5:5 + int.from_bytes(names[3:5], "big")] if len(names) > 5 and names[2] == 0 else b""
    return ClientHello(_text(name), _protocols(extensions.get(_ALPN, b"")), message[2])


def server_hello(data: bytes) -> ServerHello | None:
    """The first bytes of a server; None if they are no whole ServerHello."""
    message = handshake(data)
    if message is None or message[0] != _SERVER_HELLO or not message[2]:
        return None
    body = message[1]
    at = _past(body, 34, 1)
    if at + 3 > len(body):
        return None
    extensions = _extensions(body, at + 3)
    chosen = extensions.get(_SUPPORTED_VERSIONS, body[:2])
    protocols = _protocols(extensions.get(_ALPN, b""))
    return ServerHello(int.from_bytes(chosen[:2], "big"), int.from_bytes(body[at:at + 2], "big"), protocols[0] if protocols else "")


def _past(body: bytes, at: int, width: int) -> int:
    """The place behind a vector whose length takes ``width`` bytes."""
    return at + width + int.from_bytes(body[at:at + width], "big")


def _extensions(body: bytes, at: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at += 2  # the length of all of them
    while at + 4 <= len(body) and at + 4 + (length := int.from_bytes(body[at + 2:at + 4], "big")) <= len(body):
        found.setdefault(int.from_bytes(body[at:at + 2], "big"), body[at + 4:at + 4 + length])
        at += 4 + length
    return found


def _protocols(value: bytes) -> tuple[str, ...]:
    names: list[str] = []
    at = 2
    while at < len(value) and len(names) < 16:
        names.append(_text(value[at + 1:at + 1 + value[at]]))
        at += 1 + value[at]
    return tuple(names)


def _text(value: bytes) -> str:
    return value[:_NAME_LIMIT].decode("ascii", "replace").replace("\ufffd", "?")
