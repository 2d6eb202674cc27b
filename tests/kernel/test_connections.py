"""bpf/sockets.c: both ends, bytes, states, latencies, retransmissions and resets, against what the sockets' owners say."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import cli, need

WIRE = Path(__file__).with_name("wire.py")
DELAY_MS = 20
# Sends so many bytes and says what the kernel itself tells of the connection (struct tcp_info, linux/tcp.h).
SEND = """
import json, socket, struct, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.create_connection((host, port)) as s:
    me = s.getsockname()
    try:
        s.sendall(bytes(count))
        s.shutdown(socket.SHUT_WR)
        answer = s.recv(100)
    except OSError as error:
        answer = repr(error).encode()
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    rtt, rttvar = struct.unpack_from("<II", info, 68)
    retransmits, = struct.unpack_from("<I", info, 100)
    print(json.dumps({"port": me[1], "answer": answer.decode(), "rtt_ms": rtt / 1000, "retransmits": retransmits}))
"""


@pytest.fixture
def across(lab: Lab) -> Any:
    """Traces a Python program at the near end of a wire."""
    need(all(shutil.which(tool) for tool in ("unshare", "nsenter", "ip")), "needs unshare, nsenter and ip")
    need(Path("/dev/net/tun").exists(), "needs /dev/net/tun")

    def trace(program: str, *words: str, dropped: tuple[int, ...] = ()) -> Session:
        wire = lab.program(["unshare", "-n", sys.executable, WIRE, str(DELAY_MS), *map(str, dropped)])
        return lab.trace(["nsenter", "-n", "-t", str(wire.ready()), sys.executable, "-c", program, *words]).whole()

    return trace


def of_port(session: Session, port: int) -> dict[str, Any]:
    (row,) = (row for row in session.stats["connections"] if row["remote"].endswith(f":{port}"))
    found: dict[str, Any] = row
    return found


@pytest.mark.parametrize(("host", "shown"), [("10.77.0.2", "10.77.0.{}"), ("fd77::2", "[fd77::{}]")])
def test_what_a_wire_of_20_ms_shows(across: Any, host: str, shown: str) -> None:
    session = across(SEND, host, "7000", "99991")
    said = json.loads(session.output)
    row = of_port(session, 7000)
    assert said["answer"] == "99991\n"
    assert (row["protocol"], row["direction"], row["state"]) == ("tcp", "out", "CLOSE")
    assert (row["local"], row["remote"]) == (f"{shown.format(1)}:{said['port']}", f"{shown.format(2)}:7000")
    assert (row["sent_bytes"], row["received_bytes"], row["wire_bytes"]) == (99991, 6, 99991)
    assert (row["retransmits"], row["resets_sent"], row["resets_received"], row["error"]) == (0, 0, 0, None)
    assert 2 * DELAY_MS <= row["connect_ms"] < 4 * DELAY_MS
    assert 2 * DELAY_MS <= row["min_rtt_ms"] <= row["rtt_ms"] < 5 * DELAY_MS
    assert row["opened_ns"] < row["connected_ns"] <= row["first_ns"] < row["closed_ns"]  # which is before the last read returns, at times
    assert row["connected_ns"] - row["opened_ns"] >= 2 * DELAY_MS * 1_000_000


def test_segments_that_got_lost_are_counted(across: Any) -> None:
    session = across(SEND, "10.77.0.2", "7000", "199999", dropped=(5, 23, 41))
    said = json.loads(session.output)
    row = of_port(session, 7000)
    assert said["answer"] == "199999\n"
    assert row["retransmits"] == said["retransmits"] == 3
    assert row["sent_bytes"] == 199999
    assert 199999 < row["wire_bytes"] <= 199999 + 3 * 65536
    assert row["rtt_ms"] == pytest.approx(said["rtt_ms"], rel=0.2)


def test_a_connection_that_is_reset(across: Any) -> None:
    row = of_port(across(SEND, "10.77.0.2", "7001", "11"), 7001)
    assert (row["resets_received"], row["state"], row["sent_bytes"], row["error"]) == (1, "CLOSE", 11, None)


def test_nobody_listens(across: Any) -> None:
    program = ("import socket\ns = socket.socket()\ntry: s.connect(('10.77.0.2', 7002))\nexcept ConnectionRefusedError: pass\n"
               "t = socket.socket()\nt.setblocking(False)\nt.connect_ex(('10.77.0.2', 7003))\nimport select\nselect.select([], [t], [])\n")
    session = across(program)
    for port in (7002, 7003):
        row = of_port(session, port)
        assert (row["error"], row["connected_ns"], row["connect_ms"], row["sent_bytes"]) == ("ECONNREFUSED", None, None, 0)


def test_all_kinds_of_sockets_on_one_machine(lab: Lab) -> None:
    program = """
import os, socket, sys
path = sys.argv[1]
a = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(a.getsockname()); s, _ = a.accept()
c.sendall(bytes(1009)); got = 0
while got < 1009: got += len(s.recv(4096))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.bind(("127.0.0.1", 0))
w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); w.bind(("127.0.0.1", 0))
for size, to in ((11, v), (13, v), (17, w)): w.sendto(bytes(size), to.getsockname()) if to is not w else w.sendto(bytes(size), u.getsockname())
v.recvfrom(100); v.recvfrom(100); u.recvfrom(100)
l = socket.socket(socket.AF_UNIX); l.bind(path); l.listen()
x = socket.socket(socket.AF_UNIX); x.connect(path); y, _ = l.accept(); x.sendall(bytes(503)); y.recv(1000)
m = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); m.bind("\\0ebtrace-test-%d" % os.getpid())
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.sendto(bytes(7), m.getsockname()); m.recv(10)
print(*(one.getsockname()[1] for one in (a, c, u, v, w)), os.getpid())
"""
    path = lab.folder / "sock"
    session = lab.trace([sys.executable, "-c", program, str(path)]).whole()
    a, c, u, v, w, pid = map(int, session.output.split())
    rows = {(row["protocol"], row["local"], row["remote"]): row for row in session.stats["connections"]}

    def row(protocol: str, local: str, remote: str) -> tuple[Any, ...]:
        found = rows[protocol, local, remote]
        assert found["pids"] == [pid]
        return found["direction"], found["sent_bytes"], found["received_bytes"]

    def at(port: int) -> str:
        return f"127.0.0.1:{port}"

    assert row("tcp", at(a), "") == ("listen", 0, 0)
    assert row("tcp", at(c), at(a)) == ("out", 1009, 0)
    assert row("tcp", at(a), at(c)) == ("in", 0, 1009)
    assert row("udp", at(w), at(v))[1:] == (24, 0)
    assert row("udp", at(w), at(u))[1:] == (17, 0)
    assert row("udp", at(v), at(w))[1:] == (0, 24)
    assert row("udp", at(u), at(w))[1:] == (0, 17)
    assert row("unix", str(path), "") in {("listen", 0, 0), ("in", 0, 503)}
    assert row("unix", "", str(path)) == ("out", 503, 0)
    assert row("unix", "", f"@ebtrace-test-{pid}")[1:] == (7, 0)


def test_no_event_is_missed_in_an_interrupt(lab: Lab) -> None:
    """TCP's events come in calls and in interrupts, which may fall into the probe of another event."""
    session = lab.trace("connects 8 1009", "--ring-mb", "256").whole()  # room for all: the machine has nothing left to read them with
    port = session.output.split()[-1]
    ends, unseen = {"out": 0, "in": 0}, 0
    for row in session.stats["connections"]:
        if row["direction"] in ends and f":{port}" in row["local"] + row["remote"]:
            ends[row["direction"]] += 1
            if row["direction"] == "in" and row["state"] == "FIN_WAIT1":
                unseen += 1
                continue
            assert (row["sent_bytes"], row["received_bytes"], row["state"]) == ((1, 0, "CLOSE") if row["direction"] == "out" else (0, 1, "CLOSE"))
            assert row["connected_ns"] is not None
            assert row["closed_ns"] is not None
    assert ends == {"out": 8 * 1009, "in": 8 * 1009}
    # What waited for a timer may end in an interrupt of a process in which the kernel runs no BPF program at all.
    assert unseen <= (80 if _hides_its_first_process(lab) else 0)


def _hides_its_first_process(lab: Lab) -> bool:
    shown = cli("attach", "-p", "1", "--duration", "0.1", "-o", lab.file(".ebt"))
    assert shown.returncode == 0 or "shows process 1 to no BPF program" in shown.stderr
    return shown.returncode != 0


def test_a_connection_from_before_the_trace(lab: Lab) -> None:
    program = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
    other, _ = server.accept()
    client.sendall(bytes(5003)); other.recv(10000)
    print(client.getsockname()[1], server.getsockname()[1], flush=True)
    import os; print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    client.sendall(bytes(2003)); other.recv(10000)
    sys.stdin.read()
"""
    target = lab.program([sys.executable, "-c", program])
    pid = target.ready()
    near, far = target.before[0].split()
    tracer = lab.attach(pid)
    target.release()
    target.end()
    session = tracer.finish().whole()
    (row,) = (row for row in session.stats["connections"] if row["local"] == f"127.0.0.1:{near}")
    assert (row["remote"], row["opened_ns"], row["sent_bytes"], row["wire_bytes"]) == (f"127.0.0.1:{far}", None, 2003, 2003)
    assert row["closed_ns"] > 0


def test_an_address_has_the_name_it_was_found_by(lab: Lab) -> None:
    need(all(shutil.which(tool) for tool in ("unshare", "nsenter", "mount")), "needs unshare, nsenter and mount")
    names = {"api.test": {"records": ["api.test. A 127.0.0.1"]}}
    server = lab.program(["unshare", "-n", "-m", sys.executable, WIRE.with_name("dns_server.py"), json.dumps(names)])
    program = "import socket\nsocket.create_connection(('api.test', 53)).close()\nsocket.create_connection(('127.0.0.1', 53)).close()\n"
    session = lab.trace(["nsenter", "-n", "-m", "-t", str(server.ready()), sys.executable, "-c", program]).whole()
    named = [(row["name"], row["connect_ms"] is not None) for row in session.stats["connections"]
             if row["protocol"] == "tcp" and row["remote"] == f"{socket.inet_ntoa(bytes((127, 0, 0, 1)))}:53"]
    assert named == [("api.test", True)] * 2
