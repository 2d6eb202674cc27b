"""What a connection speaks after CONNECT, and after Upgrade."""

from __future__ import annotations

from tracer.http.talk import Connection, Talk
from tracer.session.exchanges import Exchange

__all__ = ("after_connect", "after_upgrade")


def after_connect(connection: Connection, exchange: Exchange, at_ns: int) -> Talk:
    """A tunnel: what is in it is found out anew."""
    exchange.ended_ns = at_ns
    exchange.request_length = exchange.request_length or 0
    exchange.response_length = 0
    connection.done.append(exchange)
    return connection.fresh(connection)


def after_upgrade(connection: Connection, exchange: Exchange, at_ns: int, sent: bool) -> Talk:
    """What both have agreed on. ``sent``: the traced process has asked for it."""
    return after_connect(connection, exchange, at_ns)
