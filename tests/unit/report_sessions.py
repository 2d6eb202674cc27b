"""Made-up sessions, written with the real writer: a test tells what happened, and gets the file that a trace of it leaves."""

from __future__ import annotations

import os
import socket
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tracer.kinds import CallFlag, LifeKind, PayloadFlag, ShareFlag, SocketKind
from tracer.records import HISTOGRAM_BUCKETS, LIFECYCLE_FIELDS, SOCKET_FIELDS
from tracer.session.exchanges import Exchange
from tracer.session.format import BlockKind
from tracer.session.packing import ExchangePacker
from tracer.session.writer import SessionWriter
from tracer.syscalls.names import number

ORIGIN = 1_000_000_000_000  # CLOCK_MONOTONIC when the story starts
AT_FDCWD = -100
META = {
    "command": ["sh", "-c", "true"], "kind": "run", "pid": 100, "started_unix_ns": 1_700_000_000_123_456_789, "started_ns": ORIGIN,
    "kernel": "6.18.0", "version": "0.1.0", "arch": "x86_64", "mode": "full", "expression": "", "sample": 1, "transport": "ring",
    "hostname": "here", "user": "me", "cwd": "/home/me", "children": True,
}
TRACER = {"startup_ms": 12.5, "cpu_s": 0.25, "peak_rss_mb": 31.5, "session_bytes": 1, "bpf_ns_per_call": 380.0, "kernel_map_mb": 10.5}
SYSCALL_TYPES = {"start_ns": "<u8", "duration_ns": "<u8", "sysno": "<u2", "flags": "u1", "proc": "<u4", "tid": "<u4", "ret": "<i8",
                 "a0": "<u8", "a1": "<u8", "a2": "<u8"}
SAMPLE_TYPES = {"at_ns": "<u8", "proc": "<u4", "tgid": "<u4", "cpu_ns": "<u8", "rss_bytes": "<u8", "peak_rss_bytes": "<u8", "threads": "<u4"}
SUMS = ("calls", "errors", "unfinished", "bytes", "total_ns", "max_ns")


class Story:
    """What happened in a session. All times are ns after its start; records are delivered in the order they are told."""

    def __init__(self, **meta: Any) -> None:
        self.meta = {**META, **meta}
        self.calls: list[dict[str, int]] = []
        self.life: list[dict[str, Any]] = []
        self.sockets: list[dict[str, Any]] = []
        self.payloads: list[tuple[dict[str, int], bytes, bytes]] = []  # numbers, address, data
        self.samples: list[dict[str, int]] = []
        self.strings: dict[int, tuple[bytes, int, int]] = {}  # id -> bytes, true length, flags
        self.exchanges: list[Exchange] = []
        self.maps: list[tuple[BlockKind, dict[str, Any]]] = []
        self.totals: dict[tuple[int, int], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0, [0] * HISTOGRAM_BUCKETS])
        self.lost: dict[str, int] = {}
        self.sampled_out: dict[str, int] = {}
        self.missed_tasks = 0

    def string(self, text: str | bytes, length: int | None = None, flags: int = 0, sent: bool = True) -> int:
        """The id of a string; one that is not ``sent`` was lost."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        found = zlib.crc32(data) + 1
        if sent:
            self.strings[found] = (data, len(data) if length is None else length, flags)
        return found

    def argv(self, *words: str) -> int:
        return self.string("".join(word + "\0" for word in words))

    def call(self, name: str, start: int, duration: int = 100, ret: int = 0, args: Sequence[int] = (), proc: int = 1, tid: int = 100,
             flags: int = 0, counted: bool = True, delivered: bool = True) -> None:
        """One system call. Its slots are ``args``, as the probes fill them."""
        sysno = number(self.meta["arch"], name)
        assert sysno is not None, name
        slots = [value & (1 << 64) - 1 for value in (*args, 0, 0, 0)]
        if delivered:
            self.calls.append({"start_ns": ORIGIN + start, "duration_ns": duration, "sysno": sysno, "flags": flags, "proc": proc, "tid": tid,
                               "ret": ret, "a0": slots[0], "a1": slots[1], "a2": slots[2]})
        if counted:
            self._count(proc, sysno, name, duration, ret, flags)

    def _count(self, proc: int, sysno: int, name: str, duration: int, ret: int, flags: int) -> None:
        row = self.totals[proc, sysno]
        row[0] += 1
        if flags & CallFlag.UNFINISHED:
            row[2] += 1
        elif -4095 <= ret < 0:
            row[1] += 1
        elif name.startswith(("read", "write", "sendfile")):
            row[3] += ret
        if self.meta["mode"] == "counts" or flags & (CallFlag.UNFINISHED | CallFlag.UNTIMED):
            return
        row[4] += duration
        row[5] = max(row[5], duration)
        row[6][min(max((duration >> 6).bit_length() - 1, 0), HISTOGRAM_BUCKETS - 1)] += 1

    def lived(self, kind: LifeKind, at: int, proc: int, pid: int, **fields: Any) -> None:
        """One lifecycle record."""
        self.life.append({"at_ns": ORIGIN + at, "kind": int(kind), "proc": proc, "tgid": pid, "tid": pid, "uid": 1000, "euid": 1000, "gid": 1000,
                          "start_ns": ORIGIN + at, "comm": b"sh", **fields})

    def found(self, at: int, proc: int, pid: int, **fields: Any) -> None:
        self.lived(LifeKind.FOUND, at, proc, pid, **fields)

    def fork(self, at: int, proc: int, pid: int, parent: int, parent_pid: int, shares: int = ShareFlag.MOUNTS, **fields: Any) -> None:
        self.lived(LifeKind.FORK, at, proc, pid, parent_proc=parent, parent_tgid=parent_pid, shares=int(shares), **fields)

    def socket(self, kind: SocketKind, at: int, sock: int = 0, fd: int = -1, proc: int = 1, **fields: Any) -> None:
        """One socket record; an address is given as its bytes."""
        for name in fields.keys() & {"local", "remote"}:
            fields[name] = np.frombuffer(fields[name].ljust(16, b"\0"), "u1")
        self.sockets.append({"at_ns": ORIGIN + at, "kind": int(kind), "sock": sock, "fd": fd, "proc": proc, **fields})

    def exec(self, at: int, proc: int, pid: int, file: str, *words: str, **fields: Any) -> None:
        name = self.string(file)
        told = {"filename_id": name, "interp_id": name, "argv_id": self.argv(*words), "old_tid": pid, "comm": os.fsencode(Path(file).name)[:15]}
        self.lived(LifeKind.EXEC, at, proc, pid, **{**told, **fields})

    def sample(self, at: int, proc: int, pid: int, cpu_ns: int = 0, rss_bytes: int = 0, peak_rss_bytes: int = 0) -> None:
        """What /proc said of a living process."""
        self.samples.append({"at_ns": ORIGIN + at, "proc": proc, "tgid": pid, "cpu_ns": cpu_ns, "rss_bytes": rss_bytes,
                             "peak_rss_bytes": peak_rss_bytes, "threads": 1})

    def exit(self, at: int, proc: int, pid: int, code: int = 0, **fields: Any) -> None:
        """The end of a process; ``code`` as wait(2) says it."""
        self.lived(LifeKind.EXIT, at, proc, pid, **{"process_ended": 1, "exit_code": code, "cpu_ns": 5_000_000, "peak_rss_bytes": 4 << 20, **fields})

    def payload(self, at: int, sock: int, data: bytes, sent: bool, server: str = "127.0.0.53", port: int = 53, missing: int = 0,
                **fields: int) -> None:
        """One message on a watched socket, or a part of a stream; ``missing`` bytes after it were not kept. ``server`` "": a Unix socket."""
        family = (socket.AF_INET6 if ":" in server else socket.AF_INET) if server else socket.AF_UNIX
        flags = (PayloadFlag.SENT if sent else 0) | (PayloadFlag.CUT if missing else 0) | (0 if server else PayloadFlag.STREAM)
        numbers = {"at_ns": ORIGIN + at, "sock": sock, "proc": 1, "tid": 100, "fd": 3, "length": len(data) + missing, "kept": len(data),
                   "flags": flags, "family": family, "port": port if server else 0}
        address = socket.inet_pton(family, server) if server else b""
        self.payloads.append((numbers | fields, address.ljust(16, b"\0"), data))

    def exchange(self, at: int, sent: int | None = None, first: int | None = None, ended: int | None = None, **fields: Any) -> Exchange:
        """One HTTP exchange; bodies have the lengths that they have, unless ``fields`` say otherwise."""
        request, response = fields.get("request_body", b""), fields.get("response_body", b"")
        moments = {name: None if ns is None else ORIGIN + ns for name, ns in (("sent_ns", sent), ("first_byte_ns", first), ("ended_ns", ended))}
        told = Exchange(**{**moments, "number": len(self.exchanges) + 1, "connection": 1, "proc": 1, "tid": 100, "started_ns": ORIGIN + at,
                           "request_bytes": len(request), "request_length": len(request), "response_bytes": len(response),
                           "response_length": len(response), **fields})
        self.exchanges.append(told)
        return told

    def write(self, path: Path, batch: int = 1 << 16, end: dict[str, Any] | None = None, complete: bool = True,
              ledger: dict[str, Any] | None = None) -> Path:
        """Write the session; without ``complete`` the writer never came to its end. ``ledger`` takes the place of the true one."""
        with path.open("wb") as file:
            writer = SessionWriter(file)
            writer.write_map(BlockKind.META, self.meta)
            for kind, value in self.maps:
                writer.write_map(kind, value)
            self._write_life(writer)
            self._write_sockets(writer)
            if self.samples:
                columns = {name: np.array([row[name] for row in self.samples], kind) for name, kind in SAMPLE_TYPES.items()}
                writer.write_table(BlockKind.SAMPLES, columns)
            self._write_strings(writer)
            self._write_payloads(writer)
            for kind, raw in ExchangePacker().packed_blocks(self.exchanges):
                writer.write_packed(kind, raw)
            for first in range(0, len(self.calls), batch):
                rows = self.calls[first:first + batch]
                columns = {name: np.array([row[name] for row in rows], kind) for name, kind in SYSCALL_TYPES.items()}
                writer.write_table(BlockKind.SYSCALLS, columns)
            self._write_totals(writer)
            writer.write_map(BlockKind.LEDGER, {"at_ns": ORIGIN + 2_000_000_000, "missed_tasks": self.missed_tasks,
                                                "lanes": self.lanes() if ledger is None else ledger})
            if complete:
                writer.write_map(BlockKind.TRACER, TRACER)
                writer.close(end or {"ended_ns": ORIGIN + 2_500_000_000, "exit_status": 0, "reason": "target ended"})
        return path

    def lanes(self) -> dict[str, dict[str, int]]:
        delivered = {"syscalls": len(self.calls), "lifecycle": len(self.life), "strings": len(self.strings),
                     "payload": len(self.payloads), **({"sockets": len(self.sockets)} if self.sockets else {})}
        lanes = {}
        for lane, count in delivered.items():
            sampled_out, lost = self.sampled_out.get(lane, 0), self.lost.get(lane, 0)
            lanes[lane] = {"counted": count + sampled_out + lost, "delivered": count, "sampled_out": sampled_out, "lost": lost}
        return lanes

    def _write_life(self, writer: SessionWriter) -> None:
        empty = {str(name): b"" if kind == "S16" else 0 for name, kind in LIFECYCLE_FIELDS}
        rows = [{**empty, **row} for row in self.life]
        writer.write_table(BlockKind.LIFECYCLE, {str(name): np.array([row[name] for row in rows], kind) for name, kind in LIFECYCLE_FIELDS})

    def _write_sockets(self, writer: SessionWriter) -> None:
        empty = {name: np.zeros(item, kind) for name, kind, item in SOCKET_FIELDS}
        if self.sockets:
            writer.write_table(BlockKind.SOCKETS, {
                name: np.array([row.get(name, empty[name]) for row in self.sockets], kind).reshape(len(self.sockets), *item)
                for name, kind, item in SOCKET_FIELDS})

    def _write_strings(self, writer: SessionWriter) -> None:
        rows = list(self.strings.items())
        writer.write_table(BlockKind.STRINGS, {
            "id": np.array([number for number, _ in rows], "<u8"),
            "length": np.array([length for _, (_, length, _) in rows], "<u4"),
            "flags": np.array([flags for _, (_, _, flags) in rows], "u1"),
            "kept": np.array([len(data) for _, (data, _, _) in rows], "<u4"),
            "data": np.frombuffer(b"".join(data for _, (data, _, _) in rows), "u1"),
        })

    def _write_payloads(self, writer: SessionWriter) -> None:
        for half in (self.payloads[::2], self.payloads[1::2]):  # two blocks that overlap in time, as those of two CPUs
            if half:
                kinds = {"at_ns": "<u8", "sock": "<u8", "proc": "<u4", "tid": "<u4", "fd": "<i4", "length": "<u4", **dict.fromkeys(
                    ("kept", "flags", "family", "port"), "<u2")}
                writer.write_table(BlockKind.PAYLOAD, {
                    **{name: np.array([numbers[name] for numbers, _, _ in half], kind) for name, kind in kinds.items()},
                    "address": np.frombuffer(b"".join(address for _, address, _ in half), "u1").reshape(len(half), 16),
                    "data": np.frombuffer(b"".join(data for _, _, data in half), "u1"),
                })

    def _write_totals(self, writer: SessionWriter) -> None:
        """In two blocks, as deltas: half of the calls first."""
        keys = list(self.totals)
        for half in (0, 1):
            rows = []
            for key in keys:
                *numbers, longest, histogram = self.totals[key]
                rows.append([*((value + half) // 2 for value in numbers), longest, [(value + half) // 2 for value in histogram]])
            columns = {name: np.array([row[place] for row in rows], "<u8") for place, name in enumerate(SUMS)}
            writer.write_table(BlockKind.TOTALS, {
                "proc": np.array([proc for proc, _ in keys], "<u4"), "sysno": np.array([sysno for _, sysno in keys], "<u2"), **columns,
                "histogram": np.array([row[-1] for row in rows], "<u8").reshape(len(rows), HISTOGRAM_BUCKETS),
            })


def cat_story(**meta: Any) -> Story:
    """A `cat` that reads one file, does not find another, and ends with 3."""
    told = Story(**meta)
    told.found(-10, 1, 100)
    told.exec(5, 1, 100, "/bin/cat", "cat", "/etc/passwd")
    told.call("openat", 1000, 5000, 3, [AT_FDCWD, told.string("/etc/passwd"), 0])
    told.call("read", 7000, 3000, 1234, [3, 0x7000, 4096])
    told.call("openat", 11_000, 2000, -2, [AT_FDCWD, told.string("/nope"), 0])
    told.exit(20_000, 1, 100, code=3 << 8)
    return told
