import zlib
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.html.bodies import Bodies
from tests.unit.report_sessions import ORIGIN
from tracer.session.exchanges import Exchange, SocketMessage


def opened(bodies: Bodies, exchange: Exchange) -> list[bytes | None]:
    """As the page opens them."""
    found: list[bytes | None] = []
    for place in bodies.places(exchange):
        if place is None:
            found.append(None)
            continue
        at, stored, length, _ = place
        assert at % 3 == 0
        found.append(zlib.decompress(b64decode(bodies.base64[at // 3 * 4:-(-(at + stored) // 3) * 4])[:stored], -15))
        assert len(found[-1] or b"") == length
    return found


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), max_size=8))
def test_every_body_comes_back(pairs: list[tuple[bytes, bytes]]) -> None:
    exchanges = [Exchange(request_body=one, response_body=other) for one, other in pairs]
    bodies = Bodies(exchanges)
    for exchange, (one, other) in zip(exchanges, pairs):
        assert opened(bodies, exchange) == [one or None, other or None, None]
    assert bodies.notes == []


def test_equal_bodies_are_kept_once() -> None:
    one, other = Exchange(request_body=b"a" * 100, response_body=b"b"), Exchange(response_body=b"a" * 100)
    bodies = Bodies([one, other])
    assert bodies.places(one)[0] == bodies.places(other)[1]


def test_messages_are_one_body() -> None:
    exchange = Exchange(messages=[SocketMessage(ORIGIN, True, "text", part, 9) for part in (b"ab", b"", b"c")])
    assert opened(Bodies([exchange]), exchange) == [None, None, b"abc"]


@pytest.mark.parametrize(("lengths", "room", "kept"), [
    ((10, 10, 10), 30, (10, 10, 10)), ((10, 10, 10), 29, (9, 9, 9)), ((1, 100, 100), 41, (1, 20, 20)), ((5, 5, 1000), 20, (5, 5, 10)),
    ((10, 10), 1, (1, 1)), ((), 10, ())])
def test_where_there_is_no_room_the_longest_are_cut(lengths: tuple[int, ...], room: int, kept: tuple[int, ...]) -> None:
    exchanges = [Exchange(response_body=bytes([65 + place]) * length) for place, length in enumerate(lengths)]
    bodies = Bodies(exchanges, room)
    assert tuple(len(opened(bodies, exchange)[1] or b"") for exchange in exchanges) == kept
    places: list[Any] = [bodies.places(exchange)[1] for exchange in exchanges]
    assert [place[3] for place in places] == [int(length > some) for length, some in zip(lengths, kept)]
    cut = sum(length > some for length, some in zip(lengths, kept))
    assert bodies.notes == ([f"Bodies are too many for one page: {cut} of them are cut to their first {max(kept)} B. The session has the rest."]
                            if cut else [])
