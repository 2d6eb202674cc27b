"""Plaintext in its place: which connection is on which socket, what was said there, and whom to believe."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plain_records import CHANGE, HANDSHAKE, RECEIVED, SENT, Kernel, cut, packed, record
from tracer.kinds import PlainFlag, PlainKind
from tracer.scribe.scribe import Scribe
from tracer.session.exchanges import Exchange

GET = b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
SERVER_HELLO = b"\x16\x03\x03\x00\x32\x02\x00\x00\x2e\x03\x03" + bytes(32) + b"\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04"


def take(scribe: Scribe, raws: Iterable[bytes]) -> list[Exchange]:
    return [exchange for raw in raws for exchange in scribe.take(record(raw))]


def shaken(kernel: Kernel, sock: int) -> list[bytes]:
    """The handshake of a client of TLS 1.3."""
    hello = CLIENT_HELLO + bytes(517 - len(CLIENT_HELLO))
    return [kernel.hello(sock, SENT, hello), kernel.wire(sock, SENT, [(HANDSHAKE, 512)]), kernel.hello(sock, RECEIVED, SERVER_HELLO),
            kernel.wire(sock, RECEIVED, [(HANDSHAKE, 122), (CHANGE, 1), 41, 2810, 281, 69]), kernel.wire(sock, SENT, [(CHANGE, 1), 69])]


def socket_write(kernel: Kernel, sock: int, connection: int, data: bytes, *, more: int = 17, library: int = 1, tid: int = 8) -> list[bytes]:
    """A library that has the socket sends inside its function."""
    start = kernel.tick()
    return [kernel.wire(sock, SENT, [len(part) + more for part in cut(data)], tid=tid),
            kernel.tls(connection, SENT, data, start=start, library=library, tid=tid)]


def socket_read(kernel: Kernel, sock: int, connection: int, data: bytes, *, more: int = 17, library: int = 1, tid: int = 8) -> list[bytes]:
    start = kernel.tick()
    return [kernel.wire(sock, RECEIVED, [len(data) + more], tid=tid), kernel.tls(connection, RECEIVED, data, start=start, library=library, tid=tid)]


def connections(scribe: Scribe) -> list[tuple[object, ...]]:
    names = "sock", "library", "app_sent", "seen_sent", "app_received", "seen_received", "strange", "reason"
    return [tuple(entry[name] for name in names) for entry in scribe.facts()["connections"]]


@pytest.fixture
def scribe() -> Scribe:
    scribe = Scribe(262144)
    scribe.library(1, "openssl")
    scribe.library(2, "boringssl")
    return scribe


def test_plain_http(scribe: Scribe) -> None:
    kernel = Kernel()
    done = take(scribe, [kernel.plain(0x51, SENT, GET), kernel.plain(0x52, RECEIVED, GET),
                         kernel.plain(0x52, SENT, OK), kernel.plain(0x51, RECEIVED, OK)])
    assert [(one.number, one.sock, one.library, one.scheme, one.side, one.url, one.status, one.proc, one.tid) for one in done] == [
        (1, 0x52, "", "http", "server", "http://a.test/a", 200, 7, 8), (2, 0x51, "", "http", "client", "http://a.test/a", 200, 7, 8)]
    assert [one.response_body for one in done] == [b"hello", b"hello"]
    facts = scribe.facts()
    assert facts["connections"] == facts["unplaced"] == []
    assert facts["plaintext"] == {"bytes": 2 * len(GET + OK), "kept": 2 * len(GET + OK), "records": 4}
    assert facts["faults"] == 0


def test_a_library_with_the_socket(scribe: Scribe) -> None:
    kernel = Kernel()
    done = take(scribe, [*shaken(kernel, 0x51), *socket_write(kernel, 0x51, 9, GET), *socket_read(kernel, 0x51, 9, OK[:40]),
                         *socket_read(kernel, 0x51, 9, OK[40:])])
    assert [(one.number, one.sock, one.library, one.scheme, one.response_body) for one in done] == [(1, 0x51, "openssl", "https", b"hello")]
    assert connections(scribe) == [(0x51, "openssl", len(GET), len(GET), len(OK), len(OK), 0, "")]
    assert scribe.verdicts() == {1: True, 2: None}


def test_bytes_that_were_read_before_they_were_wanted(scribe: Scribe) -> None:
    """A record may hold more than is asked for: the next call of the library needs no socket."""
    kernel = Kernel()
    raws = [*shaken(kernel, 0x51), *socket_write(kernel, 0x51, 9, GET)]
    start = kernel.tick()
    raws += [kernel.wire(0x51, RECEIVED, [len(OK) + 17]), kernel.tls(9, RECEIVED, OK[:9], start=start), kernel.tls(9, RECEIVED, OK[9:])]
    [exchange] = take(scribe, raws)
    assert exchange.response_body == b"hello"
    assert connections(scribe) == [(0x51, "openssl", len(GET), len(GET), len(OK), len(OK), 0, "")]


def test_many_sockets_of_one_thread_with_memory_in_between(scribe: Scribe) -> None:
    """What is encrypted is sent right after; what was received is decrypted right after."""
    kernel = Kernel()
    count = 31
    for sock in range(count):
        take(scribe, shaken(kernel, 0x100 + sock))
    done = []
    for sock in range(count):
        done += take(scribe, [kernel.tls(sock, SENT, GET), kernel.wire(0x100 + sock, SENT, [len(GET) + 17])])
    for sock in reversed(range(count)):
        done += take(scribe, [kernel.wire(0x100 + sock, RECEIVED, [250, 250, len(OK) + 17]), kernel.tls(sock, RECEIVED, OK)])
    assert [(one.sock, one.status) for one in done] == [(0x100 + sock, 200) for sock in reversed(range(count))]
    assert sorted(connections(scribe)) == [(0x100 + sock, "openssl", len(GET), len(GET), len(OK), len(OK), 0, "") for sock in range(count)]


def answered_early(kernel: Kernel, sock: int, late_ns: int, data: bytes = OK) -> tuple[list[bytes], list[bytes]]:
    """A goroutine writes, and its thread gets no CPU; another one reads the answer. What is told until then, and after ``late_ns``."""
    start = kernel.tick()
    before = [kernel.wire(sock, SENT, [len(GET) + 17]), kernel.wire(sock, RECEIVED, [len(data) + 17], tid=9),
              kernel.tls(sock, RECEIVED, data, library=3, tid=9)]
    kernel.now += late_ns
    return before, [kernel.tls(sock, SENT, GET, start=start, library=3)]


def test_an_answer_that_is_read_before_the_call_that_asked_returns(scribe: Scribe) -> None:
    """Each time anew: the second one's wait does not end with what is left of the first one's."""
    scribe.library(3, "go")
    kernel = Kernel()
    take(scribe, shaken(kernel, 0x51))
    for late_ns in (1_900_000_000, 1_900_000_000, 10):
        before, after = answered_early(kernel, 0x51, late_ns)
        assert take(scribe, before) == []
        [exchange] = take(scribe, after)
        assert (exchange.url, exchange.status, exchange.response_body, exchange.errors) == ("https://a.test/a", 200, b"hello", [])


def test_a_call_that_does_not_return_keeps_its_answer_for_two_seconds(scribe: Scribe) -> None:
    scribe.library(3, "go")
    kernel = Kernel()
    take(scribe, shaken(kernel, 0x51))
    before, after = answered_early(kernel, 0x51, 2_100_000_000)
    assert take(scribe, before) == []
    [answer] = take(scribe, [kernel.wire(0x52, SENT, [99])])
    assert (answer.url, answer.status, answer.response_body) == ("", 200, b"hello")
    assert take(scribe, after) == []
    [request] = scribe.finish()
    assert (request.url, request.status) == ("https://a.test/a", None)


def test_answers_that_wait_take_no_more_than_eight_megabytes(scribe: Scribe) -> None:
    scribe.library(3, "go")
    kernel = Kernel()
    body = bytes(16_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    heard: list[Exchange] = []
    asked: list[bytes] = []
    count = 601
    for sock in range(0x1000, 0x1000 + count):
        take(scribe, shaken(kernel, sock))
        before, after = answered_early(kernel, sock, 10, answer)
        heard += take(scribe, before)
        asked += after
    waiting = (1 << 23) // len(answer)
    assert len(heard) == count - waiting
    assert [one.response_body for one in heard] == [body] * len(heard)
    whole = take(scribe, asked)
    assert [(one.url, one.response_body) for one in whole] == [("https://a.test/a", body)] * waiting


def test_several_connections_encrypt_before_any_sends(scribe: Scribe) -> None:
    """Loops that gather what is to be sent: lengths tell whose it is, in whatever order it goes."""
    kernel = Kernel()
    asked = {sock: b"GET /" + b"x" * sock + b" HTTP/1.1\r\nHost: a.test\r\n\r\n" for sock in (3, 5, 7)}
    for sock in asked:
        take(scribe, shaken(kernel, sock))
    raws = [kernel.tls(0x90 + sock, SENT, data) for sock, data in asked.items()]
    raws += [kernel.wire(sock, SENT, [len(asked[sock]) + 17]) for sock in (7, 3, 5)]
    for sock in (5, 7, 3):
        raws += [kernel.wire(sock, RECEIVED, [len(OK) + 17]), kernel.tls(0x90 + sock, RECEIVED, OK)]
    assert [(one.sock, one.target) for one in take(scribe, raws)] == [(sock, "/" + "x" * sock) for sock in (5, 7, 3)]
    assert sorted(connections(scribe)) == [(sock, "openssl", len(data), len(data), len(OK), len(OK), 0, "") for sock, data in asked.items()]


def test_a_handshake_of_another_connection_in_between(scribe: Scribe) -> None:
    kernel = Kernel()
    raws = [*shaken(kernel, 3), kernel.tls(0x93, SENT, GET), kernel.wire(4, SENT, [(HANDSHAKE, 512)]), kernel.wire(3, SENT, [len(GET) + 17]),
            kernel.wire(3, RECEIVED, [len(OK) + 17]), kernel.tls(0x93, RECEIVED, OK)]
    assert [one.sock for one in take(scribe, raws)] == [3]


def test_a_server_with_memory_in_between_reads_first(scribe: Scribe) -> None:
    kernel = Kernel()
    raws = [kernel.wire(3, RECEIVED, [(CHANGE, 1), 69, len(GET) + 17]), kernel.wire(4, RECEIVED, [69]), kernel.tls(0x93, RECEIVED, GET),
            kernel.tls(0x93, SENT, OK), kernel.wire(3, SENT, [len(OK) + 17])]
    [exchange] = take(scribe, raws)
    assert (exchange.sock, exchange.side) == (3, "server")


def test_a_read_that_comes_in_several_records(scribe: Scribe) -> None:
    """Of frames of HTTP/2 some are kept and some not: each piece has a record, and together they are one record of TLS."""
    kernel = Kernel()
    take(scribe, shaken(kernel, 5))
    take(scribe, socket_write(kernel, 5, 9, GET))
    start, more = kernel.tick(), int(PlainFlag.MORE)
    pieces = [(OK, 0), (b"abcde", 1000), (b"fg", 0)]
    total = sum(len(data) + missing for data, missing in pieces)
    records = [kernel.wire(5, RECEIVED, [total + 17])]
    for last, (data, missing) in enumerate(pieces, 1 - len(pieces)):
        records.append(kernel.tls(9, RECEIVED | (0 if not last else more), data, start=start, missing=missing))
    take(scribe, records)
    assert connections(scribe) == [(5, "openssl", len(GET), len(GET), total, total, 0, "")]
    assert scribe.verdicts() == {1: True, 2: None}


def test_an_object_for_another_socket(scribe: Scribe) -> None:
    """SSL_clear, or memory that is used again: what comes then is another connection."""
    kernel = Kernel()
    done = take(scribe, [*shaken(kernel, 3), *socket_write(kernel, 3, 9, GET), *shaken(kernel, 4), *socket_write(kernel, 4, 9, GET),
                         *socket_read(kernel, 4, 9, OK)])
    assert [(one.sock, one.status, one.errors) for one in done] == [(3, None, ["the connection was closed before the response"]), (4, 200, [])]
    assert done[0].connection != done[1].connection
    assert connections(scribe)[1] == (4, "openssl", len(GET), len(GET), len(OK), len(OK), 0, "")


def test_an_object_that_was_freed(scribe: Scribe) -> None:
    kernel = Kernel()
    first = [*shaken(kernel, 3), *socket_write(kernel, 3, 9, GET), *socket_read(kernel, 3, 9, OK), kernel.freed(9), kernel.freed(9)]
    second = [*shaken(kernel, 4), *socket_write(kernel, 4, 9, GET, library=2), *socket_read(kernel, 4, 9, OK, library=2)]
    done = take(scribe, first + second)
    assert [(one.number, one.sock, one.library, one.connection) for one in done] == [(1, 3, "openssl", 1), (2, 4, "boringssl", 2)]


def test_a_call_that_waits_while_another_thread_works(scribe: Scribe) -> None:
    kernel = Kernel()
    raws = [*shaken(kernel, 3), *shaken(kernel, 4), *socket_write(kernel, 3, 9, GET)]
    start = kernel.tick()
    raws += [*socket_write(kernel, 4, 10, GET, tid=11), *socket_read(kernel, 4, 10, OK, tid=11)]
    raws += [kernel.wire(3, RECEIVED, [len(OK) + 17]), kernel.tls(9, RECEIVED, OK, start=start)]
    assert [one.sock for one in take(scribe, raws)] == [4, 3]


def test_a_library_that_lies(scribe: Scribe) -> None:
    """A function that was taken for one of a TLS library: what it gives has nothing to do with the wire."""
    kernel = Kernel()
    take(scribe, shaken(kernel, 3))
    for size in range(100, 108):
        assert scribe.verdicts()[2] is None
        start = kernel.tick()
        take(scribe, [kernel.wire(3, RECEIVED, [size]), kernel.tls(9, RECEIVED, b"y" * 5000, start=start, library=2)])
    assert scribe.verdicts() == {1: None, 2: False}
    assert connections(scribe)[0][1:6:4] == ("boringssl", 40_000)


def test_lengths_that_tell_nothing_condemn_nobody(scribe: Scribe) -> None:
    """CBC, a connection that was open before, and one of whose records some were lost."""
    kernel = Kernel()
    hello = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(32) + b"\x00\x00\x2f\x00"
    cbc = [kernel.hello(3, RECEIVED, hello), kernel.wire(3, RECEIVED, [(HANDSHAKE, 42)])]
    midway = [kernel.wire(4, RECEIVED, [], flags=PlainFlag.MIDWAY | PlainFlag.ASTRAY)]
    astray = [kernel.wire(5, RECEIVED, [69], flags=PlainFlag.ASTRAY)]
    lost = [kernel.wire(6, RECEIVED, [69]), kernel.wire(6, RECEIVED, [300]), kernel.wire(6, RECEIVED, [69])]
    take(scribe, cbc + midway + astray + lost[::2])
    for sock in (3, 4, 5, 6):
        for _ in range(20):
            start = kernel.tick()
            take(scribe, [kernel.wire(sock, RECEIVED, [400]), kernel.tls(sock, RECEIVED, b"y" * 301, start=start)])
    assert scribe.verdicts()[1] is None
    reasons = {entry["sock"]: entry["reason"] for entry in scribe.facts()["connections"]}
    assert reasons == {3: "its cipher does not tell lengths", 4: "", 5: "its records could not be followed",
                       6: "its records could not be followed"}


def test_a_lost_record_of_the_wire_is_noticed(scribe: Scribe) -> None:
    kernel = Kernel()
    take(scribe, [*shaken(kernel, 3), *socket_write(kernel, 3, 9, GET)])
    kernel.wire(3, RECEIVED, [500])
    take(scribe, [kernel.wire(3, RECEIVED, [len(OK) + 17])])
    assert connections(scribe) == [(3, "openssl", None, len(GET), None, 0, 0, "its records could not be followed")]


def test_facts_may_be_asked_for_at_any_time(scribe: Scribe) -> None:
    kernel = Kernel()
    raws = [*shaken(kernel, 3), kernel.tls(9, SENT, GET), kernel.wire(3, SENT, [len(GET) + 17]), kernel.tls(9, SENT, GET),
            kernel.wire(3, SENT, [len(GET) + 17])]
    for raw in raws:
        scribe.take(record(raw))
        scribe.facts()
    assert connections(scribe) == [(3, "openssl", 2 * len(GET), 2 * len(GET), 0, 0, 0, "")]  # no answer came, only the handshake


def test_a_name_behind_a_proxy(scribe: Scribe) -> None:
    """CONNECT first, then TLS on the same socket."""
    kernel = Kernel()
    name = b"\x00\x00\x00\x0b\x00\x09\x00\x00\x06a.test"
    body = b"\x03\x03" + bytes(32) + b"\x00\x00\x02\x13\x01\x01\x00" + len(name).to_bytes(2, "big") + name
    hello = b"\x16\x03\x01" + (len(body) + 4).to_bytes(2, "big") + b"\x01" + len(body).to_bytes(3, "big") + body
    asked = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"
    take(scribe, [kernel.plain(3, SENT, asked), kernel.plain(3, RECEIVED, b"HTTP/1.1 200 OK\r\n\r\n"),
                  kernel.hello(3, SENT, hello[:20], position=len(asked)), kernel.hello(3, SENT, hello[20:], position=len(asked) + 20)])
    assert [entry["sni"] for entry in scribe.facts()["connections"]] == ["a.test"]


def test_plaintext_without_a_socket_is_told(scribe: Scribe) -> None:
    kernel = Kernel()
    done = take(scribe, [kernel.tls(9, SENT, GET), kernel.tls(9, RECEIVED, OK)])
    assert [(one.sock, one.library, one.scheme, one.status) for one in done] == [(0, "openssl", "https", 200)]
    assert scribe.facts()["unplaced"] == [{"library": "openssl", "bytes": len(GET + OK)}]
    assert scribe.verdicts()[1] is None


def test_the_end_of_the_trace(scribe: Scribe) -> None:
    kernel = Kernel()
    assert take(scribe, [kernel.plain(3, SENT, GET)]) == []
    [exchange] = scribe.finish()
    assert (exchange.number, exchange.sock, exchange.status, exchange.errors) == (1, 3, None, ["the trace ended before the response"])


def test_an_answer_that_ends_with_the_connection(scribe: Scribe) -> None:
    kernel = Kernel()
    take(scribe, [kernel.plain(3, SENT, GET), kernel.plain(3, RECEIVED, b"HTTP/1.0 200 OK\r\n\r\nall "), kernel.plain(3, RECEIVED, b"of it")])
    [exchange] = take(scribe, [kernel.plain(3, RECEIVED, b"")])
    assert (exchange.response_body, exchange.errors) == (b"all of it", [])
    assert take(scribe, [kernel.plain(3, RECEIVED, b"")]) == scribe.finish() == []


def test_a_client_that_will_say_no_more_is_still_answered(scribe: Scribe) -> None:
    kernel = Kernel()
    assert take(scribe, [kernel.plain(3, RECEIVED, GET), kernel.plain(3, RECEIVED, b"")]) == []
    [exchange] = take(scribe, [kernel.plain(3, SENT, OK)])
    assert (exchange.status, exchange.errors) == (200, [])


def test_bytes_that_were_not_kept(scribe: Scribe) -> None:
    kernel = Kernel()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
    done = take(scribe, [kernel.plain(3, SENT, GET), kernel.plain(3, RECEIVED, head + b"x" * 1000), kernel.plain(3, RECEIVED, b"", missing=299_000)])
    assert [(one.response_bytes, one.response_length, one.response_cut, len(one.response_body)) for one in done] == [(300_000, 300_000, True, 1000)]
    assert scribe.facts()["plaintext"] == {"bytes": len(GET + head) + 300_000, "kept": len(GET + head) + 1000, "records": 3}


def held(thing: object) -> int:
    """Bytes of memory that a thing and all in it take, about."""
    known: set[int] = set()
    waiting, total = [thing], 0
    while waiting:
        one = waiting.pop()
        if id(one) in known or isinstance(one, type):
            continue
        known.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif not isinstance(one, str | bytes | int | float):
            waiting += list(one) if hasattr(one, "__iter__") and hasattr(one, "__len__") else []
            waiting += list(getattr(one, "__dict__", {}).values())
            waiting += [getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)]
    return total


def test_any_number_of_connections_is_bounded() -> None:
    scribe = Scribe(262144)
    kernel = Kernel()
    sizes = []
    for sock in range(1, 24_001):
        for raw in (kernel.wire(sock, SENT, [300]), kernel.tls(sock << 32, SENT, b"hello", tid=sock)):
            scribe.take(record(raw))
        if sock in (18_000, 24_000):
            sizes.append(held(scribe))
    assert sizes[1] < sizes[0] * 1.1  # only which of them were no HTTP is counted on, for a while
    facts = scribe.facts()
    assert len(facts["connections"]) == 8192
    assert facts["forgotten"] == 24_000 - 8192


def test_a_thread_that_encrypts_and_never_sends_is_bounded() -> None:
    scribe = Scribe(262144)
    kernel = Kernel()
    sizes = []
    for step in range(20_000):
        scribe.take(record(kernel.tls(step % 50, SENT, b"x" * 40)))
        if step in (10_000, 19_999):
            sizes.append(held(scribe))
    assert sizes[1] < sizes[0] * 1.1


def test_records_of_a_connection_that_nobody_reads_are_bounded() -> None:
    scribe = Scribe(262144)
    kernel = Kernel()
    for _ in range(4000):
        scribe.take(record(kernel.wire(3, RECEIVED, [16401] * 32)))
    assert held(scribe) < 200_000
    assert connections(scribe) == [(3, "", 0, 0, 4000 * 32 * 16384, 0, 0, "")]


def test_the_connections_that_are_used_are_remembered() -> None:
    """What is forgotten first is what was used least lately, not what has been there for longest."""
    scribe = Scribe(262144)
    kernel = Kernel()
    take(scribe, [*shaken(kernel, 1), *socket_write(kernel, 1, 9, GET)])
    for sock in range(2, 17_001):
        scribe.take(record(kernel.wire(sock, SENT, [300])))
        scribe.take(record(kernel.plain(sock, SENT, b"hello")))
        if not sock % 1000:
            assert [one.sock for one in take(scribe, [*socket_read(kernel, 1, 9, OK), *socket_write(kernel, 1, 9, GET)])] == [1]


@given(st.lists(st.builds(
    packed, st.binary(max_size=80), at=st.integers(0, 40), start=st.integers(0, 40), connection=st.integers(0, 3), sock=st.integers(0, 3),
    position=st.sampled_from([0, 1, 40, 1 << 20, (1 << 64) - 1]), tid=st.integers(0, 2),
    length=st.sampled_from([0, 1, 40, 80, 100_000, (1 << 32) - 1]),
    kept=st.sampled_from([0, 1, 40, 80, 1000, (1 << 32) - 1]), kind=st.one_of(st.sampled_from(list(PlainKind)), st.integers(0, 65535)),
    flags=st.integers(0, 65535), library=st.integers(0, 3)), max_size=60))
def test_any_records(raws: list[bytes]) -> None:
    scribe = Scribe(1000)
    scribe.library(1, "openssl")
    done = take(scribe, raws) + scribe.finish()
    assert [one.number for one in done] == list(range(1, len(done) + 1))
    facts = scribe.facts()
    assert facts["plaintext"]["records"] == len(raws)
    assert facts["faults"] == 0
    scribe.verdicts()


def test_new_keys_and_early_data(scribe: Scribe) -> None:
    """TLS 1.3: what a client says before the handshake is over, and new keys in the middle (RFC 8446, 2.3 and 4.6.3)."""
    kernel = Kernel()
    hello = CLIENT_HELLO + bytes(517 - len(CLIENT_HELLO))
    start = kernel.tick()
    raws = [kernel.hello(3, SENT, hello), kernel.wire(3, SENT, [(HANDSHAKE, 512), (CHANGE, 1), len(GET) + 17]), kernel.tls(9, SENT, GET, start=start),
            kernel.hello(3, RECEIVED, SERVER_HELLO), kernel.wire(3, RECEIVED, [(HANDSHAKE, 122), (CHANGE, 1), 41, 69]),
            kernel.wire(3, SENT, [21, 69])]  # end of early data, finished
    raws += [*socket_read(kernel, 3, 9, OK), kernel.wire(3, RECEIVED, [22]), kernel.wire(3, SENT, [22]), *socket_write(kernel, 3, 9, GET),
             kernel.wire(3, RECEIVED, [22, 250]), *socket_read(kernel, 3, 9, OK)]
    assert [(one.status, one.errors) for one in take(scribe, raws)] == [(200, []), (200, [])]
    assert connections(scribe) == [(3, "openssl", 2 * len(GET), 2 * len(GET), 2 * len(OK), 2 * len(OK), 0, "")]
    assert scribe.verdicts()[1] is True


def test_a_library_whose_bytes_go_another_way(scribe: Scribe) -> None:
    """QUIC is not seen on the wire, and what goes through io_uring neither: what was said is there, without a socket."""
    kernel = Kernel()
    for _ in range(20):
        [exchange] = take(scribe, [kernel.tls(9, SENT, GET), kernel.tls(9, RECEIVED, OK)])
        assert (exchange.sock, exchange.library, exchange.errors) == (0, "openssl", [])
    assert scribe.verdicts()[1] is None
    assert connections(scribe) == []
