"""Answers look-ups inside namespaces of its own: DNS on 127.0.0.1, and whichever of the two services is asked for.

    unshare -n -m python dns_server.py '{"a.test": {"records": ["a.test. A 192.0.2.1"], "delay": 0.05}}' [nscd] [resolved]

What a name may have: "records", "rcode", "delay" in seconds, "truncate" (over UDP), "silent". With a service its records answer for
both. Says "ready PID", and ends when its input does; `nsenter -n -m -t PID` gets a program into its namespaces.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.unit.dns_wire import nscd_any, varlink

NAMES: dict[str, dict[str, Any]] = json.loads(sys.argv[1])
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # netdevice(7)
RESOLV_CONF = "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"
NSSWITCH_CONF = "hosts: dns\npasswd: files\ngroup: files\n"


def answer(wire: bytes, over_tcp: bool) -> bytes | None:
    query = dns.message.from_wire(wire)
    (question,) = query.question
    told = NAMES.get(question.name.to_text(omit_final_dot=True), {"rcode": "NXDOMAIN"})
    if told.get("silent"):
        return None
    time.sleep(told.get("delay", 0))
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA  # else glibc takes an answer without records for one from a server that is set up wrongly
    reply.set_rcode(dns.rcode.from_text(told.get("rcode", "NOERROR")))
    if told.get("truncate") and not over_tcp:
        reply.flags |= dns.flags.TC
        return reply.to_wire()
    for record in told.get("records", ()):
        name, kind, value = record.split(" ", 2)
        if kind in ("CNAME", dns.rdatatype.to_text(question.rdtype)):
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, value))
    return reply.to_wire()


class Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        reply = answer(data, over_tcp=False)
        if reply:
            sock.sendto(reply, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while len(length := self.rfile.read(2)) == 2:
            reply = answer(self.rfile.read(int.from_bytes(length, "big")), over_tcp=True)
            if reply:
                self.wfile.write(len(reply).to_bytes(2, "big"))
                self.wfile.flush()
                self.wfile.write(reply)


def addresses(name: str) -> list[str]:
    return [record.split(" ")[2] for record in NAMES.get(name, {}).get("records", ()) if record.split(" ")[1] in ("A", "AAAA")]


class Nscd(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        request = self.request.recv(4096)
        kind, name = int.from_bytes(request[4:8], "little"), request[12:].partition(b"\0")[0].decode()
        if kind != 14:  # for the shared memory: there is none, so that the question comes over the socket
            return
        found = [socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses(name)]
        reply = nscd_any(*found, canonical=name.encode() + b"\0") if found else nscd_any(found=0, error=1)
        self.request.sendall(reply[:24])
        self.request.sendall(reply[24:])


class Resolved(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        name = json.loads(self.request.recv(4096).partition(b"\0")[0])["parameters"]["name"]
        found = [{"ifindex": 1, "family": 2, "address": list(socket.inet_aton(address))} for address in addresses(name) if ":" not in address]
        known = {"parameters": {"addresses": found, "name": name, "flags": 1}}
        self.request.sendall(varlink(**(known if found else {"error": "io.systemd.Resolve.DNSError", "parameters": {"rcode": 3}})))


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def at(path: str, handler: Callable[..., socketserver.BaseRequestHandler]) -> UnixServer:
    Path(path).parent.mkdir(parents=True)
    return UnixServer(path, handler)


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    for path, text in (("/etc/resolv.conf", RESOLV_CONF), ("/etc/nsswitch.conf", NSSWITCH_CONF)):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        subprocess.run(["mount", "--bind", file.name, path], check=True)
        os.unlink(file.name)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)  # and so without the services of this machine
    socketserver.ThreadingMixIn.daemon_threads = True
    servers: list[socketserver.BaseServer] = [socketserver.ThreadingUDPServer(("127.0.0.1", 53), Datagram),
                                              socketserver.ThreadingTCPServer(("127.0.0.1", 53), Stream)]
    if "nscd" in sys.argv:
        servers.append(at("/run/nscd/socket", Nscd))
    if "resolved" in sys.argv:
        servers.append(at("/run/systemd/resolve/io.systemd.Resolve", Resolved))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", os.getpid(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
