"""Calls that use descriptors, in windows: which they use, what for, and how much they moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from report.bindings import key_of
from report.calls import Argument, argument
from report.moments import is_failed
from report.order import take
from report.types import Columns
from tracer.kinds import CallFlag
from tracer.records import SYSNO_LIMIT

__all__ = ("MAPS", "READS", "WRITES", "Use", "Uses")

READS, WRITES, MAPS = range(3)

_IN = (
    "read", "readv", "pread64", "preadv", "preadv2", "recv", "recvfrom", "recvmsg", "mq_timedreceive", "mq_timedreceive_time64", "io_uring:readv",
    "io_uring:read_fixed", "io_uring:recvmsg", "io_uring:read", "io_uring:recv", "io_uring:read_multishot", "io_uring:recv_zc",
    "io_uring:readv_fixed",
)
_OUT = (
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "vmsplice", "send", "sendto", "sendmsg", "io_uring:writev", "io_uring:write_fixed",
    "io_uring:sendmsg", "io_uring:write", "io_uring:send", "io_uring:send_zc", "io_uring:sendmsg_zc", "io_uring:writev_fixed", "io_uring:splice",
    "io_uring:tee",
)
_IN_MESSAGES = ("recvmmsg", "recvmmsg_time64")
_OUT_MESSAGES = ("sendmmsg",)
_BETWEEN = {"sendfile": ("in_fd", "out_fd"), "sendfile64": ("in_fd", "out_fd"),
            **dict.fromkeys(("splice", "copy_file_range", "tee"), ("fd_in", "fd_out"))}
_MAPPED = ("mmap", "mmap2")
_MAP_ANONYMOUS = 0x20
_UNFINISHED = np.uint8(CallFlag.UNFINISHED)
_SIDES: tuple[dict[str, str], ...] = (
    {**dict.fromkeys((*_IN, *_IN_MESSAGES), "fd"), **{name: source for name, (source, _) in _BETWEEN.items()}},
    {**dict.fromkeys((*_OUT, *_OUT_MESSAGES), "fd"), **{name: target for name, (_, target) in _BETWEEN.items()}},
    dict.fromkeys(_MAPPED, "fd"),
)
_MESSAGES = frozenset((*_IN_MESSAGES, *_OUT_MESSAGES))
_NO_FD = np.int64(-2)  # stands for nothing that could ever be open


class Use(NamedTuple):
    """Calls of one number in a window that use a descriptor in one way."""

    side: int  # READS, WRITES, MAPS
    rows: NDArray[np.intp]
    keys: NDArray[np.uint64]  # key_of the descriptors
    amounts: NDArray[np.int64]  # bytes that were moved, or mapped
    counted: bool  # whether the bytes are known: some calls tell messages only
    addresses: NDArray[np.uint64] | None  # string ids of the addresses that the calls name, if calls of this number do


class _Way(NamedTuple):
    side: int
    fd: Argument
    registered: Argument | None
    address: Argument | None
    length: Argument | None
    flags: Argument | None
    counted: bool


class Uses:
    """How the calls of one machine use descriptors."""

    def __init__(self, arch: str, names: dict[int, str]) -> None:
        self._ways: dict[int, list[_Way]] = {}
        self.numbers = np.zeros(SYSNO_LIMIT + 1, np.bool_)  # calls that do
        for sysno, name in names.items():
            for side, calls in enumerate(_SIDES):
                fd = argument(arch, sysno, calls[name]) if name in calls else None
                if fd is None:
                    continue
                address = argument(arch, sysno, "addr")
                if address is not None and address.kind != "sockaddr":
                    address = None
                registered, length, flags = (argument(arch, sysno, wanted) for wanted in ("registered", "length", "flags"))
                way = _Way(side, fd, registered, address, length, flags, name not in _MESSAGES)
                self._ways.setdefault(sysno, []).append(way)
                self.numbers[sysno] = True

    def of(self, window: Columns) -> Iterator[Use]:
        """All uses in a window, by number."""
        for sysno in np.unique(window["sysno"]).tolist():
            for way in self._ways.get(sysno, ()):
                rows = np.flatnonzero((window["sysno"] == sysno) & window["acts"])
                calls = take(window, rows)
                fds = way.fd.of(calls)
                if way.side == MAPS:
                    mapped = (fds >= 0) & ~is_failed(calls["ret"]) & (calls["flags"] & _UNFINISHED == 0)
                    if way.flags is not None:
                        mapped &= way.flags.of(calls) & np.uint64(_MAP_ANONYMOUS) == 0
                    rows, calls, fds = rows[mapped], take(calls, mapped), fds[mapped]
                    amounts = way.length.of(calls).view(np.int64) if way.length else np.zeros(len(rows), np.int64)
                else:
                    amounts = calls["ret"] if way.counted else np.zeros(len(rows), np.int64)
                if way.registered is not None:
                    fds = np.where(way.registered.of(calls) != 0, _NO_FD, fds)
                addresses = way.address.of(calls) if way.address is not None else None
                yield Use(way.side, rows, key_of(calls["proc"], fds), np.maximum(amounts, 0), way.counted, addresses)
