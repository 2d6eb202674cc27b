"""What a connection speaks after CONNECT, and after Upgrade."""

from __future__ import annotations

from tracer.http.heads import field_value
from tracer.http.http2 import Http2
from tracer.http.sockets import WebSocket
from tracer.http.talk import Connection, Talk
from tracer.session.exchanges import Exchange

__all__ = ("after_connect", "after_upgrade")


def after_connect(connection: Connection, exchange: Exchange, at_ns: int) -> Talk:
    """A tunnel: what is in it is found out anew."""
    exchange.ended_ns = at_ns
    exchange.response_length = 0
    connection.done.append(exchange)
    return connection.fresh(connection)


def after_upgrade(connection: Connection, exchange: Exchange, at_ns: int, sent: bool) -> Talk:
    """What both have agreed on. ``sent``: the traced process has asked for it."""
    exchange.response_length = 0
    protocol = field_value(exchange.response_headers, "upgrade").lower()
    if protocol == "websocket":
        return WebSocket(connection, exchange, sent, field_value(exchange.response_headers, "sec-websocket-extensions"))
    if protocol == "h2c":
        return Http2(connection, sent, joined=False, upgraded=exchange)
    return after_connect(connection, exchange, at_ns)
