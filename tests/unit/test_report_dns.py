from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from report.dns import Group, Lookup, Lookups, group, lookups_of
from report.dns_messages import decode
from tests.unit.dns_wire import answer, ask, framed, nscd_any, nscd_ask, nscd_host, varlink
from tests.unit.report_sessions import ORIGIN, Story
from tracer.kinds import PayloadFlag
from tracer.session.reader import open_session

STREAM, SENT = int(PayloadFlag.STREAM), int(PayloadFlag.SENT)
RESOLVE = "io.systemd.Resolve."


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., Lookups]:
    def read(story: Story, **options: object) -> Lookups:
        with open_session(str(story.write(tmp_path / "s.ebt", **options))) as session:
            return lookups_of(session, {1: 100, 2: 200})

    return read


def tcp(story: Story, at: int, data: bytes, sent: bool, sock: int = 5, **more: int) -> None:
    story.payload(at, sock, data, sent, flags=STREAM | (SENT if sent else 0), **more)


def only(lookups: Lookups) -> Lookup:
    (lookup,) = lookups.told
    return lookup


class TestDatagrams:
    def test_a_question_and_its_answer(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("www.Example.com")
        story.payload(1000, 5, query, True, server="10.0.0.1")
        story.payload(251_000, 5, answer(query, "www.example.com. A 93.184.215.14"), False, server="10.0.0.1")
        assert told(story) == Lookups((Lookup(
            "www.Example.com", "A", "udp", "10.0.0.1:53", 1, 100, ORIGIN + 1000, 1, "ok", ORIGIN + 251_000, 250_000, ("93.184.215.14",), ()),), 0, 0)

    def test_both_families_on_one_socket(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        four, six = ask("a.test", "A", 1), ask("a.test", "AAAA", 2)
        for at, query in enumerate((four, six)):
            story.payload(at, 5, query, True)
        story.payload(30, 5, answer(six, "a.test. AAAA 2001:db8::1"), False)
        story.payload(40, 5, answer(four, "a.test. A 192.0.2.1"), False)
        assert [(row.type, row.addresses, row.latency_ns) for row in told(story).told] == [("A", ("192.0.2.1",), 40), ("AAAA", ("2001:db8::1",), 29)]

    def test_aliases_are_followed_whatever_their_order(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("www.test")
        story.payload(0, 5, query, True)
        records = ("c.test. A 192.0.2.2", "B.test. CNAME c.test.", "www.test. CNAME b.test.", "evil.test. A 192.0.2.66")
        story.payload(9, 5, answer(query, *records), False)
        lookup = only(told(story))
        assert (lookup.aliases, lookup.addresses) == (("B.test", "c.test"), ("192.0.2.2",))

    def test_addresses_of_other_names_are_no_answer(self) -> None:
        message = decode(answer(ask("a.test"), "evil.test. A 192.0.2.66"), False)
        assert message
        assert (message.status, message.addresses) == ("no data", ())

    def test_a_ring_of_aliases(self) -> None:
        query = ask("a.test")
        message = decode(answer(query, "a.test. CNAME b.test.", "b.test. CNAME a.test."), False)
        assert message
        assert (message.status, message.aliases, message.addresses) == ("no data", ("b.test",), ())

    @pytest.mark.parametrize(("reply", "status"), [
        ({"rcode": "NXDOMAIN"}, "NXDOMAIN"), ({"rcode": "SERVFAIL"}, "SERVFAIL"), ({"truncated": True}, "truncated"), ({}, "no data"),
    ])
    def test_verdicts(self, told: Callable[..., Lookups], reply: dict, status: str) -> None:
        story = Story()
        query = ask("a.test", use_edns=0)
        story.payload(0, 5, query, True)
        story.payload(9, 5, answer(query, **reply), False)
        assert only(told(story)).status == status

    def test_the_upper_bits_of_a_verdict(self) -> None:
        message = decode(answer(ask("a.test", use_edns=0), rcode="BADVERS"), False)
        assert message
        assert message.status == "BADVERS"

    @pytest.mark.parametrize("kind", ["HTTPS", "MX", "TYPE65280", "ANY"])
    def test_other_types(self, kind: str) -> None:
        message = decode(ask("a.test", kind), False)
        assert message
        assert (message.question, message.type) == ("a.test", kind)

    def test_the_names_of_an_address(self) -> None:
        message = decode(answer(ask("1.2.0.192.in-addr.arpa", "PTR"), "1.2.0.192.in-addr.arpa. PTR host.test."), False)
        assert message
        assert (message.status, message.aliases) == ("ok", ("host.test",))

    def test_a_question_sent_again(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("a.test")
        for at in (0, 50, 100):
            story.payload(at, 5, query, True)
        story.payload(109, 5, answer(query, "a.test. A 192.0.2.1"), False)
        story.payload(200, 5, query, True)
        assert [(row.tries, row.status, row.latency_ns) for row in told(story).told] == [(3, "ok", 109), (1, "no answer", None)]

    def test_an_answer_read_twice_counts_once(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("a.test")
        reply = answer(query, "a.test. A 192.0.2.1")
        story.payload(0, 5, query, True)
        story.payload(9, 5, reply[:20], False, missing=len(reply) - 20)
        story.payload(10, 5, reply, False)
        story.payload(11, 5, reply, False)
        assert (only(told(story)).status, only(told(story)).latency_ns) == ("ok", 10)

    def test_equal_numbers_on_other_sockets_are_told_apart(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("a.test")
        story.payload(0, 5, query, True, server="::1", proc=2)
        story.payload(1, 6, query, True)
        story.payload(9, 5, answer(query, "a.test. A 192.0.2.5"), False, server="::1", proc=2)
        rows = told(story).told
        assert [(row.server, row.status, row.pid) for row in rows] == [("[::1]:53", "ok", 200), ("127.0.0.53:53", "no answer", 100)]

    def test_an_answer_without_its_question_stands_alone(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        for at in (9, 10):
            story.payload(at, 5, answer(ask("a.test"), "a.test. A 192.0.2.1"), False)
        rows = told(story).told
        assert {(row.question, row.tries, row.latency_ns, row.status, row.addresses) for row in rows} == {("a.test", 0, None, "ok", ("192.0.2.1",))}

    def test_a_refusal_that_does_not_repeat_the_question(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        story.payload(0, 5, ask("a.test"), True)
        story.payload(9, 5, b"\0\x07\x81\x01" + bytes(8), False)
        assert (only(told(story)).status, only(told(story)).question) == ("FORMERR", "a.test")

    def test_a_reply_of_which_a_part_was_not_kept(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("a.test")
        reply = answer(query, *(f"a.test. A 192.0.2.{host}" for host in (1, 2, 3)))
        story.payload(0, 5, query, True)
        story.payload(9, 5, reply[:-20], False, missing=20)
        assert (only(told(story)).status, only(told(story)).addresses) == ("cut", ("192.0.2.1",))

    def test_lost_records_leave_it_open_whether_an_answer_came(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        story.payload(0, 5, ask("a.test"), True)
        assert only(told(story)).status == "no answer"
        assert only(told(story, complete=False)).status == "unknown"
        story.lost["payload"] = 1
        assert only(told(story)).status == "unknown"

    def test_what_is_no_look_up_is_counted(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        update = bytearray(ask("a.test"))
        update[2] |= 5 << 3
        story.payload(0, 5, bytes(update), True)
        story.payload(1, 5, b"hello", True)
        story.payload(2, 5, b"", False, missing=80)
        story.payload(3, 5, ask("a.test"), False)  # asked of us
        assert told(story) == Lookups((), 4, 0)

    def test_hostile_names_are_spelled_out(self) -> None:
        name = b"\x06\x1b[2J\n.\x04\xff\xe2\x80\xae\x00"
        message = decode(b"\0\7\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1", False)
        assert message
        assert message.question == r"\027[2J\010\..\255\226\128\174"

    def test_an_unknown_server(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        query = ask("a.test")
        story.payload(0, 5, query, True, server="::ffff:10.0.0.1")
        story.payload(9, 5, answer(query), False, family=0, port=0)
        assert only(told(story)).server == "10.0.0.1:53"


class TestTcp:
    QUERIES = (ask("a.test", "A", 1), ask("a.test", "AAAA", 2))
    REPLIES = (answer(QUERIES[0], "a.test. A 192.0.2.1"), answer(QUERIES[1], "a.test. AAAA 2001:db8::1"))

    @pytest.mark.parametrize("at", range(1, len(framed(*REPLIES))))
    def test_split_anywhere(self, told: Callable[..., Lookups], at: int) -> None:
        story = Story()
        tcp(story, 0, framed(*self.QUERIES), True)
        tcp(story, 8, framed(*self.REPLIES)[:at], False)
        tcp(story, 9, framed(*self.REPLIES)[at:], False)
        assert [(row.via, row.status, row.addresses) for row in told(story).told] == [("tcp", "ok", ("192.0.2.1",)), ("tcp", "ok", ("2001:db8::1",))]

    def test_byte_by_byte(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        for at, byte in enumerate(framed(*self.QUERIES)):
            tcp(story, at, bytes([byte]), True)
        for at, byte in enumerate(framed(*self.REPLIES), 1000):
            tcp(story, at, bytes([byte]), False)
        assert [row.status for row in told(story).told] == ["ok", "ok"]

    def test_truncated_and_asked_again(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        story.payload(0, 4, self.QUERIES[0], True)
        story.payload(5, 4, answer(self.QUERIES[0], truncated=True), False)
        tcp(story, 10, framed(self.QUERIES[0]), True)
        tcp(story, 15, framed(self.REPLIES[0]), False)
        assert [(row.via, row.status) for row in told(story).told] == [("udp", "truncated"), ("tcp", "ok")]

    def test_a_gap_inside_a_message_spoils_only_that(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        tcp(story, 0, framed(*self.QUERIES), True)
        first = framed(self.REPLIES[0])
        tcp(story, 8, first[:30], False, missing=len(first) - 30)
        tcp(story, 9, framed(self.REPLIES[1]), False)
        assert [row.status for row in told(story).told] == ["cut", "ok"]

    def test_a_gap_over_the_end_of_a_message_is_recovered_from(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        tcp(story, 0, framed(*self.QUERIES), True)
        tcp(story, 8, framed(self.REPLIES[0])[:30], False, missing=1000)
        tcp(story, 9, b"\0", False)
        tcp(story, 10, framed(self.REPLIES[1]), False)
        lookups = told(story)
        assert [row.status for row in lookups.told] == ["unknown", "ok"]
        assert lookups.unread == 1

    def test_joined_in_the_middle(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        tcp(story, 0, framed(self.REPLIES[0])[20:], False)
        tcp(story, 1, framed(self.QUERIES[1]), True)
        tcp(story, 9, framed(self.REPLIES[1]), False)
        assert [(row.type, row.status) for row in told(story).told] == [("AAAA", "ok")]

    def test_half_an_answer_at_the_end(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        tcp(story, 0, framed(self.QUERIES[0]), True)
        tcp(story, 1, framed(self.REPLIES[0])[:20], False)
        assert only(told(story)).status == "unknown"

    def test_a_message_longer_than_what_is_looked_at(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        many = answer(self.QUERIES[0], *(f"a.test. A 192.0.{host // 250}.{host % 250}" for host in range(1000)))
        data = framed(many, self.REPLIES[1])
        tcp(story, 0, framed(*self.QUERIES), True)
        for at in range(0, len(data), 4000):
            tcp(story, 10 + at, data[at:at + 4000], False)
        first, second = told(story).told
        assert (first.status, second.status) == ("cut", "ok")
        assert len(first.addresses) > 200


def unix(story: Story, at: int, data: bytes, sent: bool, sock: int = 9, missing: int = 0) -> None:
    story.payload(at, sock, data, sent, server="", missing=missing)


class TestNscd:
    FOUR, SIX = socket.inet_aton("192.0.2.1"), socket.inet_pton(socket.AF_INET6, "2001:db8::1")

    @pytest.mark.parametrize("at", range(1, 24 + 20 + 2 + 10))
    def test_any_address_in_two_reads(self, told: Callable[..., Lookups], at: int) -> None:
        reply = nscd_any(self.FOUR, self.SIX, canonical=b"real.test\0")
        assert len(reply) == 56
        story = Story()
        unix(story, 0, nscd_ask(14, b"a.test\0"), True)
        unix(story, 8, reply[:at], False)
        unix(story, 9, reply[at:], False)
        lookup = only(told(story))
        assert (lookup.question, lookup.type, lookup.via, lookup.server) == ("a.test", "A+AAAA", "nscd", None)
        assert (lookup.status, lookup.latency_ns) == ("ok", 9)
        assert (lookup.addresses, lookup.aliases) == (("192.0.2.1", "2001:db8::1"), ("real.test",))

    def test_a_host(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        request = nscd_ask(4, b"a.test\0")
        unix(story, 0, request[:12], True)
        unix(story, 1, request[12:], True)
        unix(story, 8, nscd_host(b"a.test\0", self.FOUR, self.FOUR[::-1], aliases=(b"x\0",)), False)
        lookup = only(told(story))
        assert (lookup.type, lookup.status, lookup.addresses, lookup.aliases) == ("A", "ok", ("192.0.2.1", "1.2.0.192"), ())

    def test_the_names_of_an_address(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 0, nscd_ask(6, self.FOUR), True)
        unix(story, 8, nscd_host(b"host.test\0", self.FOUR), False)
        lookup = only(told(story))
        assert (lookup.question, lookup.type, lookup.addresses, lookup.aliases) == ("192.0.2.1", "PTR", (), ("host.test",))

    @pytest.mark.parametrize(("found", "error", "status"), [
        (0, 1, "NXDOMAIN"), (0, 2, "try again"), (0, 4, "no data"), (0, 77, "error 77"), (-1, 0, "not served")])
    def test_refusals(self, told: Callable[..., Lookups], found: int, error: int, status: str) -> None:
        story = Story()
        unix(story, 0, nscd_ask(14, b"a.test\0"), True)
        unix(story, 8, nscd_any(found=found, error=error), False)
        assert only(told(story)).status == status

    def test_cut(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 0, nscd_ask(14, b"a.test\0"), True)
        unix(story, 8, nscd_any(self.FOUR)[:26], False, missing=3)
        assert only(told(story)).status == "cut"

    def test_questions_about_users_are_no_look_ups(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 0, nscd_ask(0, b"root\0"), True)
        unix(story, 8, bytes(36), False)
        assert told(story).told == ()


class TestResolved:
    REPLY = varlink(parameters={"addresses": [{"ifindex": 2, "family": 2, "address": [192, 0, 2, 1]},
                                              {"family": 10, "address": [0x20, 1, 0x0D, 0xB8, *[0] * 11, 1]}], "name": "real.test", "flags": 1})

    @staticmethod
    def ask(name: str = "a.test", **more: object) -> bytes:
        return varlink(method=RESOLVE + "ResolveHostname", parameters={"name": name, "flags": 0, **more})

    @pytest.mark.parametrize("at", range(1, len(REPLY), 7))
    def test_in_two_reads(self, told: Callable[..., Lookups], at: int) -> None:
        story = Story()
        unix(story, 0, self.ask(), True)
        unix(story, 8, self.REPLY[:at], False)
        unix(story, 9, self.REPLY[at:], False)
        lookup = only(told(story))
        assert (lookup.question, lookup.type, lookup.via, lookup.status, lookup.latency_ns) == ("a.test", "A+AAAA", "resolved", "ok", 9)
        assert (lookup.addresses, lookup.aliases) == (("192.0.2.1", "2001:db8::1"), ("real.test",))

    def test_answers_in_the_order_of_the_requests(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 0, self.ask("a.test", family=2) + varlink(method="org.varlink.service.GetInfo") + self.ask("b.test", family=10), True)
        unix(story, 8, self.REPLY + varlink(parameters={"vendor": "x"}) + varlink(error=RESOLVE + "DNSError", parameters={"rcode": 3}), False)
        assert [(row.question, row.type, row.status) for row in told(story).told] == [("a.test", "A", "ok"), ("b.test", "AAAA", "NXDOMAIN")]

    def test_the_names_of_an_address(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 0, varlink(method=RESOLVE + "ResolveAddress", parameters={"family": 2, "address": [192, 0, 2, 1]}), True)
        unix(story, 8, varlink(parameters={"names": [{"ifindex": 2, "name": "host.test"}], "flags": 1}), False)
        lookup = only(told(story))
        assert (lookup.question, lookup.type, lookup.status, lookup.aliases) == ("192.0.2.1", "PTR", "ok", ("host.test",))

    @pytest.mark.parametrize(("error", "status"), [
        ("NoNameServers", "NoNameServers"), ("NoSuchResourceRecord", "no data"), ("QueryTimedOut", "QueryTimedOut")])
    def test_refusals(self, told: Callable[..., Lookups], error: str, status: str) -> None:
        story = Story()
        unix(story, 0, self.ask(), True)
        unix(story, 8, varlink(error=RESOLVE + error), False)
        assert only(told(story)).status == status

    def test_joined_in_the_middle(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 8, self.REPLY, False)
        lookup = only(told(story))
        assert (lookup.question, lookup.tries, lookup.addresses[0]) == ("unknown", 0, "192.0.2.1")
        assert lookup.aliases == ("real.test",)

    @pytest.mark.parametrize("data", [b"[" * 4000 + b"\0", b'{"a":' * 800 + b"\0", b"17\0", b'{"parameters":{"addresses":[{"address":[300]}]\0'])
    def test_what_is_no_answer_leaves_it_open(self, told: Callable[..., Lookups], data: bytes) -> None:
        story = Story()
        unix(story, 0, self.ask(), True)
        unix(story, 8, data, False)
        assert only(told(story)).status == "unknown"

    def test_a_reply_of_which_a_part_was_not_kept(self, told: Callable[..., Lookups]) -> None:
        story = Story()
        unix(story, 0, self.ask(), True)
        unix(story, 8, self.REPLY[:40], False, missing=70)
        unix(story, 9, self.REPLY, False)
        assert only(told(story)).status == "unknown"


def test_groups() -> None:
    def lookup(name: str, status: str, latency: int | None, *addresses: str) -> Lookup:
        return Lookup(name, "A", "udp", None, 1, 100, 0, 2, status, None, latency, addresses)

    rows = [lookup("a", "ok", 5, "1.1.1.1"), lookup("a", "ok", 9, "1.1.1.1", "2.2.2.2"), lookup("a", "no answer", None), lookup("b", "ok", 7)]
    assert group(rows) == (
        Group("a", "A", "ok", 2, 4, 5, 9, ("1.1.1.1", "2.2.2.2")), Group("b", "A", "ok", 1, 2, 7, 7, ()),
        Group("a", "A", "no answer", 1, 2, None, None, ()))
    assert group([]) == ()
