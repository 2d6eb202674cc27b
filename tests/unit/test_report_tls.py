from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.connections import Connection
from report.processes import Process
from report.tls import TlsFacts, TlsImage, share, tls_facts, with_tls
from report.webtables import percent

CURL = Process(1, pid=100, exe="/usr/bin/curl", title="curl")
SOCKET = Connection("tcp", "192.0.2.1:4", "192.0.2.2:443", "a.example", pid=100, sent_bytes=1500, received_bytes=9000, sock=7)
LIBRARY = {"path": "/usr/bin/curl", "library": "openssl", "version": "3.0", "how": "symbols", "build_id": "ab", "note": "", "verified": True,
           "attached_ns": 50}
WHOLE = {"sock": 7, "proc": 1, "library": "openssl", "sni": "a.example", "alpn": "h2", "version": "TLSv1.3", "first_ns": 100, "last_ns": 200,
         "app_sent": 1000, "app_received": 8000, "seen_sent": 1000, "seen_received": 8000, "reason": ""}


def facts(*connections: dict[str, Any], images: Any = (LIBRARY,), complete: bool = True, **told: Any) -> TlsFacts:
    return tls_facts({"connections": list(connections), "images": list(images), **told}, [SOCKET], [CURL], complete=complete)


def test_all_of_it_was_read() -> None:
    found = facts(WHOLE, redacted={"header": 3, "url": 1, "none": 0, "odd": "x", 5: 5})
    one, = found.connections
    assert vars(one) == {"sock": 7, "remote": "192.0.2.2:443", "name": "a.example", "pid": 100, "process": "curl", "library": "openssl",
                         "sni": "a.example", "alpn": "h2", "version": "TLSv1.3", "sent_bytes": 1500, "received_bytes": 9000, "app_sent": 1000,
                         "app_received": 8000, "seen_sent": 1000, "seen_received": 8000, "percent": 100.0, "reason": ""}
    assert found.images == (TlsImage("/usr/bin/curl", "openssl", "3.0", "symbols", "ab", "", True),)
    assert (found.redacted, found.percent) == ({"header": 3, "url": 1}, 100.0)
    assert [(row.tls, row.sni) for row in with_tls([SOCKET, Connection("tcp", "", "")], found)] == [("openssl", "a.example"), (None, None)]


def test_more_in_one_direction_does_not_make_up_for_the_other() -> None:
    found = facts({**WHOLE, "seen_sent": 5000, "seen_received": 7999})
    assert found.percent == found.connections[0].percent == 100 * 8999 / 9000
    assert found.connections[0].reason == "not all of it was seen"


def test_what_is_not_known_is_not_taken_for_read() -> None:
    wire = facts({**WHOLE, "app_sent": None, "app_received": None}).connections[0]
    assert (wire.whole, wire.seen, wire.percent) == (10_500, 9000, 100 * 9000 / 10_500)
    nowhere = facts({**WHOLE, "sock": 8, "app_sent": None}).connections[0]
    assert (nowhere.remote, nowhere.pid, nowhere.whole, nowhere.seen) == (None, 100, 9001, 9000)
    assert nowhere.percent is not None
    assert nowhere.percent < 100
    empty = facts({**WHOLE, "app_sent": 0, "app_received": 0, "seen_sent": 0, "seen_received": 0})
    assert (empty.percent, empty.connections[0].percent, empty.connections[0].reason) == (None, None, "")


UNSEEN = {**WHOLE, "seen_sent": 0, "seen_received": 0}


@pytest.mark.parametrize(("image", "reason"), [
    (None, "no TLS library was recognised in /usr/bin/curl"), ({"library": ""}, "no TLS library was recognised in /usr/bin/curl"),
    ({"library": "", "note": "statically linked"}, "statically linked"), ({"library": "rustls"}, "rustls, not supported"),
    ({"library": "go", "how": ""}, "Go without symbols"), ({"library": "go", "how": "", "note": "Go 1.2 is not known"}, "Go 1.2 is not known"),
    ({"attached_ns": 101}, "attached after the handshake"), ({}, "openssl was found in /usr/bin/curl, but nothing was seen to pass through it"),
    ({"path": "/else"}, "no TLS library was recognised in /usr/bin/curl"),
])
def test_the_best_reason(image: dict[str, Any] | None, reason: str) -> None:
    images = [] if image is None else [{**LIBRARY, **image}]
    found = facts({**UNSEEN, "library": ""}, images=images)
    assert (found.connections[0].reason, found.percent) == (reason, 0.0)
    assert facts({**UNSEEN, "reason": "told"}, images=images).connections[0].reason == "told"
    assert facts({**WHOLE, "reason": "told"}).connections[0].reason == ""


def test_reasons_for_a_part() -> None:
    part = {**WHOLE, "seen_received": 5}
    assert facts(part, complete=False).connections[0].reason == "not traced to its end"
    assert facts(part, plaintext={"lost": 3}).connections[0].reason == "some of it was lost"
    assert facts(part, images=[{**LIBRARY, "attached_ns": 150}]).connections[0].reason == "attached after the handshake"
    assert facts({**UNSEEN, "proc": 9}).connections[0].reason == "its program is not known"


@given(st.integers(0, 1 << 63), st.integers(1, 1 << 63))
def test_a_share_is_100_only_if_nothing_is_missing(seen: int, whole: int) -> None:
    found = share(seen, whole)
    assert found is not None
    assert (found == 100) == (seen >= whole)
    assert (percent(found) == "100 %") == (seen >= whole)


def test_shares_as_text() -> None:
    assert [percent(share(*pair)) for pair in ((0, 0), (0, 5), (1, 3), (99_999, 100_000), (5, 5))] == ["-", "0 %", "33.3 %", "99.9 %", "100 %"]


ODD = st.none() | st.booleans() | st.integers(-1, 1 << 64) | st.floats() | st.text(max_size=3) | st.lists(st.none(), max_size=2)


@given(st.dictionaries(st.sampled_from(("connections", "images", "redacted", "plaintext")), ODD | st.lists(st.dictionaries(
    st.sampled_from((*WHOLE, *LIBRARY)), ODD), max_size=3) | st.dictionaries(st.text(max_size=3), ODD, max_size=2)))
def test_a_forged_map(told: dict[str, Any]) -> None:
    found = tls_facts(told, [SOCKET], [CURL], complete=True)
    assert found.percent is None or 0 <= found.percent <= 100
    for one in found.connections:
        assert 0 <= one.seen <= one.whole
        assert (one.percent == 100) <= (one.seen == one.whole)


def test_nothing_is_told(tmp_path: Path) -> None:
    assert tls_facts({}, [], [], complete=True) == TlsFacts((), (), {}, {}, None)
