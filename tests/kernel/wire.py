"""Two network namespaces with a wire between them that delays packets and drops chosen ones.

    unshare -n python wire.py DELAY_MS [DROPPED...]

The near end is 10.77.0.1 and fd77::1, the far end 10.77.0.2 and fd77::2; each packet takes DELAY_MS. DROPPED are numbers of TCP
segments with payload from the near end, counted from 1 as they are first sent: they get lost once. At the far end a server on port
7000 swallows what it is sent and answers at the end of the stream with the number of bytes; one on 7001 resets each connection.
Says "ready PID", the pid of a process in the near namespace, and ends when its input does.

A kernel need not have netem for this, and no packet is dropped by chance.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

DELAY_S = float(sys.argv[1]) / 1000
DROPPED = set(map(int, sys.argv[2:]))
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
TCP = 6


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def end_of_wire(number: int) -> int:
    """A tun device with both addresses of this end, up; returns the descriptor on which its packets come and go."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"wire", IFF_TUN | IFF_NO_PI))
    ip("link", "set", "lo", "up")
    ip("addr", "add", f"10.77.0.{number}/24", "dev", "wire")
    ip("addr", "add", f"fd77::{number}/64", "dev", "wire", "nodad")
    ip("link", "set", "wire", "up")
    return fd


def data_of(packet: bytes) -> tuple[int, int]:
    """Sequence number and length of a TCP segment's payload; no length for all else."""
    if packet[0] >> 4 == 4:
        at, protocol, length = (packet[0] & 15) * 4, packet[9], struct.unpack_from(">H", packet, 2)[0]
    else:
        at, protocol, length = 40, packet[6], 40 + struct.unpack_from(">H", packet, 4)[0]
    if protocol != TCP:
        return 0, 0
    return struct.unpack_from(">I", packet, at + 4)[0], length - at - (packet[at + 12] >> 4) * 4


def carry(near: int, far: int) -> None:
    waiting: list[tuple[float, int, int, bytes]] = []
    seen: set[int] = set()
    count = 0
    while True:
        ready, _, _ = select.select([near, far], [], [], max(waiting[0][0] - time.monotonic(), 0) if waiting else None)
        for fd in ready:
            packet = os.read(fd, 65536)
            sequence, length = data_of(packet)
            if fd == near and length > 0 and sequence not in seen:
                seen.add(sequence)
                if len(seen) in DROPPED:
                    continue
            count += 1
            heapq.heappush(waiting, (time.monotonic() + DELAY_S, count, far if fd == near else near, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(waiting)
            os.write(to, packet)


def swallow(connection: socket.socket) -> None:
    with connection:
        total = 0
        while data := connection.recv(1 << 16):
            total += len(data)
        connection.sendall(b"%d\n" % total)


def serve(port: int, resets: bool) -> None:
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, _ = listener.accept()
        if resets:
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        else:
            threading.Thread(target=swallow, args=(connection,), daemon=True).start()


def main() -> None:
    near = end_of_wire(1)
    stay = os.fork()
    if not stay:
        sys.stdin.read()
        os._exit(0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    far = end_of_wire(2)
    threading.Thread(target=serve, args=(7000, False), daemon=True).start()
    threading.Thread(target=serve, args=(7001, True), daemon=True).start()
    threading.Thread(target=carry, args=(near, far), daemon=True).start()
    print("ready", stay, flush=True)
    sys.stdin.read()
    os.waitpid(stay, 0)


if __name__ == "__main__":
    main()
