"""Name servers, resolvers and programs are hostile: nothing that they send makes the decoders fail, or wait."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.dns_lookups import Lookup, Pairing, Row
from report.dns_messages import decode
from tests.unit.dns_wire import answer, ask, framed, nscd_any, nscd_ask, nscd_host, varlink
from tracer.kinds import PayloadFlag

QUERY = ask("www.example.test", use_edns=0)
REPLY = answer(QUERY, "www.example.test. CNAME a.b.c.example.test.", "a.b.c.example.test. A 192.0.2.1", "a.b.c.example.test. AAAA 2001:db8::1")
FOUR = bytes((192, 0, 2, 1))
TALKS = {  # family, flags, and what is said: whether it is sent, and the bytes
    "udp": (2, 0, [(True, QUERY), (False, REPLY)]),
    "tcp": (2, 4, [(True, framed(QUERY)), (False, framed(REPLY))]),
    "nscd": (1, 4, [(True, nscd_ask(14, b"a.test\0")), (False, nscd_any(FOUR, FOUR * 4, canonical=b"b.test\0"))]),
    "nscd host": (1, 4, [(True, nscd_ask(4, b"a.test\0")), (False, nscd_host(b"a.test\0", FOUR, FOUR, aliases=(b"x\0",)))]),
    "resolved": (1, 4, [
        (True, varlink(method="io.systemd.Resolve.ResolveHostname", parameters={"name": "a.test", "family": 2})),
        (False, varlink(parameters={"addresses": [{"family": 2, "address": [192, 0, 2, 1]}], "name": "b.test"}))]),
}


def lookups(family: int, flags: int, talk: list[tuple[bool, bytes]], missing: int = 0) -> tuple[Lookup, ...]:
    pairing = Pairing({})
    for at, (sent, data) in enumerate(talk):
        pairing.add(Row(at, 5, 1, len(data) + missing, flags | (PayloadFlag.SENT if sent else 0), family, 53, bytes(16), data))
    return pairing.finished(whole=True)


def mutated(data: bytes, chance: random.Random) -> bytes:
    work = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(work) + 1)
        what = chance.randrange(5)
        if what == 0:
            work[at:at + 1] = bytes([chance.choice((0, 1, 0x3F, 0x40, 0xC0, 0xFF, chance.randrange(256)))])
        elif what == 1:
            del work[at:at + chance.randint(1, 8)]
        elif what == 2:
            work[at:at] = chance.randbytes(chance.randint(1, 8))
        elif what == 3:
            work[at:at + 2] = struct.pack(">H", 0xC000 | chance.randrange(len(data)))
        else:
            work[at:at] = work[chance.randrange(len(work) + 1):][:32]
    return bytes(work)


def pieces(data: bytes, chance: random.Random) -> Iterator[bytes]:
    while data:
        size = chance.randint(1, len(data))
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("name", TALKS)
def test_thousands_of_mutations(name: str) -> None:
    family, flags, talk = TALKS[name]
    chance = random.Random(7)
    assert [row.status for row in lookups(family, flags, talk)] == ["ok"]
    for _ in range(4000):
        said = [(sent, mutated(data, chance) if chance.random() < 0.7 else data) for sent, data in talk]
        changed = [(sent, piece) for sent, data in said for piece in (pieces(data, chance) if flags else [data])]
        for row in lookups(family, flags, changed, chance.choice((0, 0, 0, 1, 40, 70000))):
            assert row.status
            assert row.question.encode("utf-8", "surrogateescape")
            assert all(address.replace(":", "").replace(".", "").isalnum() or address == "::" for address in row.addresses)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=6), st.sampled_from([(2, 0), (2, 4), (1, 4), (0, 0)]), st.integers(0, 99))
def test_any_bytes(talk: list[tuple[bool, bytes]], kind: tuple[int, int], missing: int) -> None:
    lookups(*kind, talk, missing)


def test_it_agrees_with_dnspython_wherever_that_can_read() -> None:
    chance = random.Random(11)
    agreed = 0
    for _ in range(4000):
        wire = mutated(REPLY, chance)
        try:
            theirs = dns.message.from_wire(wire, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError):
            continue
        ours = decode(wire, cut=False)
        if theirs.opcode() != 0 or len(theirs.question) != 1:
            continue
        agreed += 1
        assert ours
        assert ours.question == theirs.question[0].name.to_text(omit_final_dot=True)
        assert ours.is_answer == bool(theirs.flags & dns.flags.QR)
        if ours.is_answer:
            assert set(ours.addresses) <= {item.to_text() for rrset in theirs.answer for item in rrset}
    assert agreed > 200


@pytest.mark.parametrize("hostile", [
    # Pointers to pointers, and as many records as fit that name the last of them.
    b"".join(struct.pack(">H", 0xC000 | max(12, 10 + 2 * place)) for place in range(1000)) + b"\xc7\xd0\0\1\0\1\0\0\0\0\0\0" * 170,
    # The longest name, one label after the other a pointer further; and records that name it.
    b"\0" + b"".join(b"\1a" + struct.pack(">H", 0xC000 | 12 + max(0, 4 * place - 3)) for place in range(126)) + b"\xc1\xfd\0\1\0\1\0\0\0\0\0\0" * 290,
    b"\xc0\x0c" * 2000, b"\1a\xc0\x0c" * 1000,
], ids=["pointers", "labels", "itself", "loop"])
def test_costly_messages_cost_little(hostile: bytes) -> None:
    for questions in (0, 1):
        wire = struct.pack(">HHHHHH", 7, 0x8180, questions, 0xFFFF, 0xFFFF, 0xFFFF) + hostile
        start = time.process_time()
        decode(wire, cut=False)
        assert time.process_time() - start < 0.2


def test_a_stream_of_rubbish_keeps_nothing() -> None:
    start = time.process_time()
    for family, first in ((2, b"\xff\xff"), (1, nscd_ask(14, b"a\0")), (1, b"{")):
        pairing = Pairing({})
        for at in range(3000):
            data = first if at == 0 else b"x" * 4096
            pairing.add(Row(at, 5, 1, len(data), 4 | (at == 0), family, 53, bytes(16), data))
        (conversation,) = pairing._conversations.values()
        assert len(repr(vars(conversation))) < 100_000
    assert time.process_time() - start < 10


def test_there_is_an_end_to_look_ups_and_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("report.dns_lookups._LOOKUPS_LIMIT", 10)
    monkeypatch.setattr("report.dns_lookups._CONVERSATIONS_LIMIT", 3)
    pairing = Pairing({})
    for sock in range(25):
        pairing.add(Row(sock, sock, 1, len(framed(QUERY)), 5, 2, 53, bytes(16), framed(QUERY)))
    assert (len(pairing.finished(whole=True)), pairing.left_out, len(pairing._conversations)) == (10, 15, 3)
    assert {row.status for row in pairing.finished(whole=True)} == {"unknown"}
