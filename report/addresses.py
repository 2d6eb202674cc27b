"""Addresses of sockets as people write them: 127.0.0.1:80, [::1]:80, /run/x.sock, @abstract."""

from __future__ import annotations

import socket
import struct

__all__ = ("AF_INET", "AF_INET6", "AF_UNIX", "endpoint", "host_of", "protocol_name", "sockaddr", "unix_name")

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK = 1, 2, 10, 16, 17, 40
_STREAM, _DATAGRAM, _RAW, _SEQUENCED = 1, 2, 3, 5

_FAMILIES = {AF_UNIX: "unix", AF_NETLINK: "netlink", AF_PACKET: "packet", AF_VSOCK: "vsock", 15: "key", 29: "can", 31: "bluetooth", 38: "alg",
             44: "xdp"}
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmp6", 132: "sctp", 136: "udplite", 262: "mptcp"}
_USUAL = {_STREAM: "tcp", _DATAGRAM: "udp", _RAW: "raw", _SEQUENCED: "sctp"}  # protocol 0 of socket(2)
_MAPPED = bytes(10) + b"\xff\xff"  # IPv4 inside IPv6
_VSOCK_ANY = 0xFFFFFFFF


def protocol_name(family: int | None, kind: int | None, protocol: int | None) -> str:
    """What to call a socket that was made with these (socket(2)); "socket" if nobody knows how."""
    if family in (AF_INET, AF_INET6):
        return "raw" if kind == _RAW else _PROTOCOLS.get(protocol or 0) or _USUAL.get(kind or 0, "ip")
    return "socket" if not family else _FAMILIES.get(family, f"family {family}")


def endpoint(family: int, address: bytes, port: int) -> str:
    """One end of an IPv4 or IPv6 socket; empty if the kernel has none, or for other families. ``address`` may have more bytes than it needs."""
    if family not in (AF_INET, AF_INET6):
        return ""
    raw = address[:16 if family == AF_INET6 else 4]
    if not port and not any(raw):
        return ""
    if raw.startswith(_MAPPED):
        raw = raw[12:]
    return f"{socket.inet_ntop(AF_INET, raw)}:{port}" if len(raw) == 4 else f"[{socket.inet_ntop(AF_INET6, raw)}]:{port}"


def host_of(text: str) -> str:
    """The address in an `endpoint`, without the port."""
    return text.rpartition(":")[0].strip("[]")


def unix_name(name: bytes) -> str:
    """The name of a Unix socket: a path, or abstract, which begins with NUL (unix(7))."""
    return (b"@" + name[1:] if name.startswith(b"\0") else name.partition(b"\0")[0]).decode("utf-8", "surrogateescape")


def sockaddr(data: bytes) -> str:
    """An address as a program hands it to the kernel, struct sockaddr of any family; as far as it goes."""
    if len(data) < 2:
        return ""
    family = int.from_bytes(data[:2], "little")
    if family == AF_UNIX:
        return unix_name(data[2:])
    if family == AF_INET and len(data) >= 8:
        return endpoint(family, data[4:8], int.from_bytes(data[2:4], "big")) or "0.0.0.0:0"
    if family == AF_INET6 and len(data) >= 24:
        return endpoint(family, data[8:24], int.from_bytes(data[2:4], "big")) or "[::]:0"
    if family == AF_NETLINK and len(data) >= 8:
        return "netlink port {}".format(*struct.unpack_from("<I", data, 4))
    if family == AF_VSOCK and len(data) >= 12:
        port, cid = struct.unpack_from("<II", data, 4)
        return f"cid {'any' if cid == _VSOCK_ANY else cid}:{port}"
    return "" if not family else _FAMILIES.get(family, f"family {family}")
