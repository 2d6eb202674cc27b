import io
import random
import re
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from report.addresses import endpoint, host_of, protocol_name, sockaddr, unix_name
from report.connections import Connection
from report.tables import print_totals
from report.totals import totals_of
from tests.unit.report_sessions import Story
from tracer.kinds import SocketKind
from tracer.records import SYSNO_LIMIT
from tracer.session.format import BlockKind
from tracer.session.reader import open_session

SOCKET, CONNECT, ACCEPT, LISTEN = 41, 42, 43, 50  # calls of x86-64
INET, INET6, UNIX = 2, 10, 1
TCP = {"family": INET, "type": 1, "protocol": 6}
UDP = {"family": INET, "type": 2, "protocol": 17}
HERE, THERE = bytes((192, 0, 2, 1)), bytes((198, 51, 100, 7))
ENDS = {"local": HERE, "local_port": 40000, "remote": THERE, "remote_port": 443}
ESTABLISHED, SYN_SENT, CLOSE = 1, 2, 7


def inet(address: bytes, port: int) -> bytes:
    return struct.pack("<H", INET) + port.to_bytes(2, "big") + address + bytes(8)


def connections(told: Story, path: Path, **how: Any) -> tuple[Connection, ...]:
    with open_session(str(told.write(path / "a.ebt", **how))) as session:
        return totals_of(session).connections


def client(told: Story, sock: int = 7, fd: int = 3, at: int = 1000) -> None:
    told.call("socket", at, 100, fd, [INET | 1 << 32, 0])
    told.socket(SocketKind.BOUND, at + 150, sock, fd, call=SOCKET, **TCP)
    told.socket(SocketKind.STATE, at + 300, sock, old_state=CLOSE, new_state=SYN_SENT, **TCP, **ENDS)
    told.socket(SocketKind.STATE, at + 2_000_300, sock, old_state=SYN_SENT, new_state=ESTABLISHED, srtt_us=2000, min_rtt_us=1900, **TCP, **ENDS)
    told.call("connect", at + 200, 2_000_200, 0, [fd, told.string(inet(THERE, 443))])
    told.socket(SocketKind.BOUND, at + 2_000_450, sock, fd, call=CONNECT, new_state=ESTABLISHED, **TCP, **ENDS)


def test_a_client_from_birth_to_end(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    client(told)
    told.call("sendto", 3_000_000, 500, 1009, [3, 1009, 0])
    told.call("read", 4_000_000, 700, 53, [3, 0x7000, 4096])
    told.call("read", 5_000_000, 100, -11, [3, 0x7000, 4096])
    told.socket(SocketKind.RETRANSMIT, 4_500_000, 7, retransmits=1, bytes_sent=2018, **TCP, **ENDS)
    told.socket(SocketKind.RESET_RECEIVED, 5_500_000, 7, retransmits=1, bytes_sent=2018, **TCP, **ENDS)
    told.socket(SocketKind.STATE, 6_000_000, 7, old_state=ESTABLISHED, new_state=CLOSE, **TCP, **{**ENDS, "local_port": 0})
    told.socket(SocketKind.ENDED, 6_100_000, 7, new_state=CLOSE, retransmits=1, bytes_sent=2018, srtt_us=2500, rttvar_us=300, min_rtt_us=1800,
                segments_out=3, segments_in=2, **TCP, **{**ENDS, "local_port": 0})
    (row,) = connections(told, tmp_path)
    assert row == Connection(
        "tcp", "192.0.2.1:40000", "198.51.100.7:443", opened_ns=1150, closed_ns=6_000_000, sent_bytes=1009, received_bytes=53, pid=100, pids=(100,),
        fd=3, state="CLOSE", direction="out", sends=1, receives=2, errors=1, time_ns=1300, first_ns=3_000_000, last_ns=5_000_100,
        connected_ns=2_001_300, connect_ms=2.0, rtt_ms=2.5, rtt_var_ms=0.3, min_rtt_ms=1.8, retransmits=1, resets_received=1, wire_bytes=2018,
        segments_out=3, segments_in=2, sock=7)


def test_a_server(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("socket", 1000, 100, 3, [INET | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 1150, 5, 3, call=SOCKET, **TCP)
    told.call("listen", 2000, 100, 0, [3, 5])
    told.socket(SocketKind.BOUND, 2150, 5, 3, call=LISTEN, new_state=10, local=HERE, local_port=80, **TCP)
    told.call("accept4", 3000, 100, 4, [3, 0])
    told.socket(SocketKind.BOUND, 3150, 6, 4, call=ACCEPT, new_state=1, local=HERE, local_port=80, remote=THERE, remote_port=50000, **TCP)
    told.call("write", 4000, 100, 11, [4, 0, 11])
    served, listener = connections(told, tmp_path)
    assert (served.direction, served.local, served.remote, served.opened_ns, served.connected_ns, served.connect_ms, served.sent_bytes) == (
        "in", "192.0.2.1:80", "198.51.100.7:50000", 3150, 3150, None, 11)
    assert (listener.direction, listener.state, listener.local, listener.remote, listener.sends) == ("listen", "LISTEN", "192.0.2.1:80", "", 0)


@pytest.mark.parametrize(("result", "resets", "error"), [
    (-111, 1, "ECONNREFUSED"), (-115, 1, "ECONNREFUSED"), (-110, 0, "ETIMEDOUT"), (-115, 0, None)])
def test_connections_that_fail(tmp_path: Path, result: int, resets: int, error: str | None) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("socket", 1000, 100, 3, [INET | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 1150, 7, 3, call=SOCKET, **TCP)
    told.socket(SocketKind.STATE, 1300, 7, old_state=CLOSE, new_state=SYN_SENT, **TCP, **ENDS)
    for _ in range(resets):
        told.socket(SocketKind.RESET_RECEIVED, 1400, 7, **TCP, **ENDS)
    told.socket(SocketKind.STATE, 1500, 7, old_state=SYN_SENT, new_state=CLOSE, **TCP, **ENDS)
    told.call("connect", 1200, 400, result, [3, told.string(inet(THERE, 443))])
    told.socket(SocketKind.BOUND, 1650, 7, 3, call=CONNECT, result=result, **TCP, **ENDS)
    (row,) = connections(told, tmp_path)
    assert (row.error, row.remote, row.connected_ns, row.connect_ms, row.state) == (error, "198.51.100.7:443", None, None, "CLOSE")


def test_datagrams_to_several_others_have_a_row_each(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("socket", 1000, 100, 3, [INET | 2 << 32, 0])
    told.socket(SocketKind.BOUND, 1150, 7, 3, call=SOCKET, **UDP)
    one, other = told.string(inet(THERE, 53)), told.string(inet(HERE, 123))
    for turn, (address, size) in enumerate(((one, 11), (other, 13), (one, 17))):
        told.call("sendto", 2000 + turn, 100, size, [3, size, address])
    told.call("recvfrom", 3000, 100, 19, [3, 100, one])
    told.call("recvfrom", 4000, 100, 23, [3, 100, 0])
    rows = {row.remote: (row.sends, row.sent_bytes, row.receives, row.received_bytes) for row in connections(told, tmp_path)}
    assert rows == {"198.51.100.7:53": (2, 28, 1, 19), "192.0.2.1:123": (1, 13, 0, 0), "": (0, 0, 1, 23)}


def test_unix_sockets_by_path_and_by_abstract_name(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    kind = {"family": UNIX, "type": 1}
    told.call("socket", 1000, 100, 3, [UNIX | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 1150, 7, 3, call=CONNECT, peer_name_id=told.string(b"\0abs\xff"), **kind)
    told.call("write", 2000, 100, 3, [3, 0, 3])
    told.call("socket", 3000, 100, 4, [UNIX | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 3150, 8, 4, call=SOCKET, **kind)
    told.call("connect", 4000, 100, -2, [4, told.string(struct.pack("<H", UNIX) + b"/run/nobody\0rest")])
    told.socket(SocketKind.BOUND, 4150, 8, 4, call=CONNECT, result=-2, **kind)
    rows = [(row.protocol, row.remote, row.error, row.state, row.retransmits) for row in connections(told, tmp_path)]
    assert rows == [("unix", "@abs\udcff", None, None, None), ("unix", "/run/nobody", "ENOENT", None, None)]


def test_what_tcp_counted_before_the_trace_is_left_out(tmp_path: Path) -> None:
    told = Story(kind="attach")
    told.found(0, 1, 100)
    told.socket(SocketKind.BOUND, 10, 7, 3, call=SYSNO_LIMIT, new_state=1, bytes_sent=5000, retransmits=2, segments_out=9, **TCP, **ENDS)
    told.call("write", 2000, 100, 11, [3, 0, 11])
    told.socket(SocketKind.ALIVE, 9000, 7, 3, new_state=1, bytes_sent=5011, retransmits=3, segments_out=10, **TCP, **ENDS)
    (row,) = connections(told, tmp_path)
    assert (row.opened_ns, row.closed_ns, row.state, row.wire_bytes, row.retransmits, row.segments_out) == (None, None, "ESTABLISHED", 11, 1, 1)


def test_a_descriptor_of_several_processes_is_one_connection(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    client(told)
    told.fork(3_000_000, 2, 200, parent=1, parent_pid=100)
    told.call("write", 3_100_000, 100, 5, [3, 0, 5])
    told.call("write", 3_200_000, 100, 7, [3, 0, 7], proc=2, tid=200)
    (row,) = connections(told, tmp_path)
    assert (row.pids, row.pid, row.sends, row.sent_bytes) == ((100, 200), 100, 2, 12)


def test_names_come_from_the_last_look_up_before(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    client(told, sock=7, fd=3, at=1000)
    told.call("write", 3_000_000, 100, 5, [3, 0, 5])
    client(told, sock=8, fd=4, at=20_000_000)
    told.call("write", 23_000_000, 100, 7, [4, 0, 7])
    client(told, sock=9, fd=5, at=40_000_000)
    told.call("write", 43_000_000, 100, 9, [5, 0, 9])
    for at, name in ((10_000_000, b"api.test"), (30_000_000, b"www.test")):
        query = struct.pack(">HHHHHH", at % 65536, 0x100, 1, 0, 0, 0) + b"\x03" + name[:3] + b"\x04test\0" + struct.pack(">HH", 1, 1)
        reply = struct.pack(">HHHHHH", at % 65536, 0x8180, 1, 1, 0, 0) + query[12:] + b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + THERE
        told.payload(at, 99, query, sent=True)
        told.payload(at + 1000, 99, reply, sent=False)
    assert [(row.fd, row.name) for row in sorted(connections(told, tmp_path), key=lambda row: row.fd or 0)] == [
        (3, None), (4, "api.test"), (5, "www.test")]


def test_without_socket_records_proc_is_all_there_is(tmp_path: Path) -> None:
    told = Story(kind="attach", mode="summary")
    told.maps.append((BlockKind.SNAPSHOT, {"connections": [
        {"pid": 100, "fd": 5, "protocol": "tcp", "local": "127.0.0.1:1", "remote": "127.0.0.1:2", "state": "ESTABLISHED"},
        {"pid": "x", "local": 7}]}))
    other, one = connections(told, tmp_path)
    assert (one.protocol, one.local, one.remote, one.pids, one.state) == ("tcp", "127.0.0.1:1", "127.0.0.1:2", (100,), "ESTABLISHED")
    assert (other.protocol, other.local, other.pid) == ("", "", None)


def test_the_table_fits_and_is_safe(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    client(told)
    told.call("write", 3_000_000, 100, 5, [3, 0, 5])
    told.call("socket", 4_000_000, 100, 4, [UNIX | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 4_000_150, 8, 4, call=CONNECT, family=UNIX, type=1, peer_name_id=told.string("/x\n\x1b[2J\udcff\u202e" + "y" * 90))
    with open_session(str(told.write(tmp_path / "a.ebt"))) as session:
        totals = totals_of(session)
    for width in (40, 80, 200):
        out = io.StringIO()
        print_totals(totals, Console(file=out, width=width, force_terminal=True, color_system="standard"), 20)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert all(line.isprintable() for line in lines)
        assert "Sockets: 2" in lines


def test_nonsense_is_survived(tmp_path: Path) -> None:
    chance = random.Random(11)
    for _ in range(30):
        told = Story()
        told.found(0, 1, 100)
        for turn in range(40):
            told.call(chance.choice(["socket", "connect", "sendto", "recvfrom", "close", "accept4"]), turn * 10, 5, chance.randrange(-200, 5),
                      [chance.getrandbits(chance.choice([2, 64])) for _ in range(3)])
            fields = {"family": INET6 if turn % 3 else chance.getrandbits(16), "type": chance.getrandbits(16), "protocol": chance.getrandbits(16),
                      "local": chance.randbytes(16), "remote": chance.randbytes(16), "local_port": chance.getrandbits(16),
                      "call": chance.choice([41, 42, 43, SYSNO_LIMIT, chance.getrandbits(32)]), "srtt_us": chance.getrandbits(32),
                      "bytes_sent": chance.getrandbits(64), "new_state": chance.getrandbits(8), "name_id": chance.getrandbits(64)}
            told.socket(chance.choice([*SocketKind, 77]), turn * 10 + 7, chance.getrandbits(2), chance.randrange(-1, 4), **fields)
        for row in connections(told, tmp_path):
            assert row.connect_ms is None or row.connect_ms >= 0
        (tmp_path / "a.ebt").unlink()


def test_addresses() -> None:
    assert endpoint(INET, HERE + bytes(12), 80) == "192.0.2.1:80"
    assert endpoint(INET6, bytes(15) + b"\1", 80) == "[::1]:80"
    assert endpoint(INET6, bytes(10) + b"\xff\xff" + HERE, 80) == "192.0.2.1:80"
    assert endpoint(INET, bytes(16), 0) == endpoint(UNIX, HERE, 80) == ""
    assert endpoint(INET, bytes(16), 80) == "0.0.0.0:80"
    assert [host_of(text) for text in ("192.0.2.1:80", "[::1]:80", "")] == ["192.0.2.1", "::1", ""]
    assert [unix_name(name) for name in (b"/a\0b", b"\0a\0b", b"", b"\xff")] == ["/a", "@a\0b", "", "\udcff"]
    assert sockaddr(inet(HERE, 8080)) == "192.0.2.1:8080"
    assert sockaddr(struct.pack("<H", INET6) + (443).to_bytes(2, "big") + bytes(4) + socket.inet_pton(INET6, "2001:db8::5") + bytes(4)) == (
        "[2001:db8::5]:443")
    assert sockaddr(struct.pack("<HHIII", 40, 0, 1024, 2, 0)) == "cid 2:1024"
    assert sockaddr(struct.pack("<HHI", 16, 0, 77)) == "netlink port 77"
    assert [sockaddr(data) for data in (b"", b"\2", b"\2\0", struct.pack("<H", 77))] == ["", "", "family 2", "family 77"]
    kinds = (2, 1, 0), (10, 2, 0), (2, 3, 1), (2, 1, 262), (16, 3, 0), (40, 1, 0), (None, None, None), (99, 1, 0)
    assert [protocol_name(*kind) for kind in kinds] == [
        "tcp", "udp", "raw", "mptcp", "netlink", "vsock", "socket", "family 99"]


@given(st.binary(max_size=140))
def test_any_bytes_are_some_address(data: bytes) -> None:
    assert isinstance(sockaddr(data), str)
