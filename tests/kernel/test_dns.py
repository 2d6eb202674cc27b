"""bpf/payload.c: what programs ask name servers, and what they are told, over every way there is."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import need

SERVER = Path(__file__).with_name("dns_server.py")
DELAY_NS = 30_000_000
NAMES: dict[str, dict[str, Any]] = {
    "a.test": {"records": ["a.test. A 192.0.2.1", "a.test. AAAA 2001:db8::1"]},
    "www.test": {"records": ["www.test. CNAME b.test.", "b.test. A 192.0.2.2"]},
    "slow.test": {"records": ["slow.test. A 192.0.2.3"], "delay": DELAY_NS / 1e9},
    "big.test": {"records": ["big.test. A 192.0.2.4"], "truncate": True},
    "broken.test": {"rcode": "SERVFAIL"},
    "silent.test": {"silent": True},
    "local.test": {"records": ["local.test. A 127.0.0.1"]},
}
LOOK_UP = "import socket, sys\nfor name in sys.argv[1:]:\n try: socket.getaddrinfo(name, 80, socket.AF_INET)\n except OSError: pass\n"
# As libnss_resolve does it: the message, and then the answer in as many reads as it takes.
ASK_RESOLVED = """
import json, socket, sys
for name in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("/run/systemd/resolve/io.systemd.Resolve")
        s.sendall(json.dumps({"method": "io.systemd.Resolve.ResolveHostname", "parameters": {"name": name, "family": 2}}).encode() + b"\\0")
        reply = b""
        while not reply.endswith(b"\\0"):
            reply += s.recv(20)
"""


@pytest.fixture
def inside(lab: Lab) -> Any:
    """Traces a command next to a name server of the test's own."""
    for tool in ("unshare", "nsenter", "mount", "getent"):
        need(shutil.which(tool) is not None, f"needs {tool}")

    def trace(*words: str, services: tuple[str, ...] = (), status: int = 0, options: tuple[str, ...] = ()) -> Session:
        server = lab.program(["unshare", "-n", "-m", sys.executable, SERVER, json.dumps(NAMES), *services])
        return lab.trace(["nsenter", "-n", "-m", "-t", str(server.ready()), *words], *options, status=status).whole()

    return trace


def rows(session: Session, name: str) -> list[dict[str, Any]]:
    return [row for row in session.stats["dns"] if row["name"] == name]


@pytest.mark.parametrize("transport", ["ring", "perf"])
def test_getent_asks_for_both_families(inside: Any, transport: str) -> None:
    session = inside("getent", "ahosts", "a.test", options=("--transport", transport))
    told = {row["type"]: row for row in rows(session, "a.test")}
    assert {kind: (row["status"], row["addresses"], row["server"], row["via"]) for kind, row in told.items()} == {
        "A": ("ok", ["192.0.2.1"], "127.0.0.1:53", "udp"), "AAAA": ("ok", ["2001:db8::1"], "127.0.0.1:53", "udp")}
    assert {row["pid"] for row in told.values()} == {session.stats["session"]["pid"]}


def test_python_look_ups_and_their_outcomes(inside: Any) -> None:
    session = inside(sys.executable, "-c", LOOK_UP, "www.test", "slow.test", "no.test", "broken.test", "a.test")
    assert {(row["name"], row["type"], row["status"], *row["addresses"]) for row in session.stats["dns"]} == {
        ("www.test", "A", "ok", "192.0.2.2"), ("slow.test", "A", "ok", "192.0.2.3"), ("no.test", "A", "NXDOMAIN"),
        ("broken.test", "A", "SERVFAIL"), ("a.test", "A", "ok", "192.0.2.1")}
    (slow,) = rows(session, "slow.test")
    assert DELAY_NS <= slow["latency_ns"] < 100 * DELAY_NS
    times = [row["at_ns"] for row in session.stats["dns"]]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < session.stats["session"]["duration_s"] * 1e9


def test_a_truncated_answer_comes_again_over_tcp(inside: Any) -> None:
    session = inside(sys.executable, "-c", LOOK_UP, "big.test")
    assert [(row["via"], row["status"], row["addresses"]) for row in rows(session, "big.test")] == [
        ("udp", "truncated", []), ("tcp", "ok", ["192.0.2.4"])]


def test_a_server_that_never_answers(inside: Any) -> None:
    session = inside(sys.executable, "-c", LOOK_UP, "silent.test")
    told = rows(session, "silent.test")
    assert {(row["status"], row["latency_ns"]) for row in told} == {("no answer", None)}
    assert sum(row["tries"] for row in told) == 2


def test_an_ipv4_server_asked_through_an_ipv6_socket(inside: Any) -> None:
    ask = ("import socket, dns.message, ctypes, struct, os\n"
           "s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
           "wire = dns.message.make_query('a.test', 'A').to_wire()\n"
           "to = struct.pack('=HH', 2, socket.htons(53)) + bytes((127, 0, 0, 1)) + bytes(8)\n"  # struct sockaddr_in
           "assert ctypes.CDLL(None).sendto(s.fileno(), wire, len(wire), 0, to, 16) == len(wire)\n"
           "s.recv(512)\n")
    (row,) = rows(inside(sys.executable, "-c", ask), "a.test")
    assert (row["server"], row["status"], row["addresses"]) == ("127.0.0.1:53", "ok", ["192.0.2.1"])


def test_nscd_is_listened_to(inside: Any) -> None:
    session = inside("getent", "ahosts", "a.test", services=("nscd",))
    (row,) = rows(session, "a.test")
    assert (row["via"], row["type"], row["status"], row["addresses"]) == ("nscd", "A+AAAA", "ok", ["192.0.2.1", "2001:db8::1"])


def test_nscd_that_knows_no_such_name(inside: Any) -> None:
    (row,) = rows(inside("getent", "ahosts", "no.test", services=("nscd",), status=2), "no.test")
    assert (row["via"], row["status"]) == ("nscd", "NXDOMAIN")


def test_resolved_is_listened_to(inside: Any) -> None:
    session = inside(sys.executable, "-c", ASK_RESOLVED, "a.test", "no.test", services=("resolved",))
    assert [(row["via"], row["name"], row["type"], row["status"], row["addresses"]) for row in session.stats["dns"]] == [
        ("resolved", "a.test", "A", "ok", ["192.0.2.1"]), ("resolved", "no.test", "A", "NXDOMAIN", [])]


def test_look_ups_are_seen_when_only_the_network_was_selected(inside: Any) -> None:
    session = inside("getent", "ahosts", "a.test", options=("-e", "trace=%network"))
    assert {row["type"] for row in rows(session, "a.test")} == {"A", "AAAA"}


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_node(inside: Any) -> None:
    session = inside("node", "-e", "require('dns').resolve4('www.test', () => {})")  # by c-ares, without glibc
    (row,) = rows(session, "www.test")
    assert (row["type"], row["status"], row["addresses"], row["aliases"]) == ("A", "ok", ["192.0.2.2"], ["b.test"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(inside: Any) -> None:
    session = inside("curl", "-s", "-m", "5", "http://local.test:9/", status=7)
    assert ("A", "ok", ["127.0.0.1"]) in [(row["type"], row["status"], row["addresses"]) for row in rows(session, "local.test")]
