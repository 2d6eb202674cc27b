"""The operations of io_uring: requests that the kernel carries out without a system call of their own.

They are numbered like calls, from SYSNO_URING on in the order of enum io_uring_op (include/uapi/linux/io_uring.h), and named
io_uring:NAME. What their records hold is laid down in bpf/operations.h; where a slot is left, it is the request's user_data.
An operation can work on a registered file instead of a descriptor, and make one: `registered` is 1 where `fd` is the number of
such a file, `direct` is not 0 where the result is no descriptor (4294967295: it is the number; else the number is `direct` - 1).
"""

from __future__ import annotations

from functools import cache

from tracer.records import SYSNO_LIMIT, SYSNO_URING

__all__ = ("OPERATIONS", "OPERATION_CLASSES", "PREFIX", "line_of", "opcode_name")

PREFIX = "io_uring:"

_FD = "fd registered:uint"
# By description, in the notation of calls_files.py
_LINES = {
    f"{_FD} size user_data:word -> bytes | 0+1 2 3": "read_fixed write_fixed read write send recv send_zc read_multishot",
    f"{_FD} vlen:count user_data:word -> bytes | 0+1 2 3": "readv writev readv_fixed writev_fixed",
    f"{_FD} user_data:word -> bytes | 0+1 2": "sendmsg recvmsg splice tee sendmsg_zc recv_zc",
    f"{_FD} user_data:word -> fd | 0+1 2": "fixed_fd_install",
    f"{_FD} direct:uint user_data:word -> fd | 0+1 2 3": "accept",
    f"{_FD} addr:sockaddr user_data:word | 0+1 2 3": "connect",
    f"{_FD} user_data:word | 0+1 2": "fsync poll_add sync_file_range fallocate close fadvise shutdown msg_ring fsetxattr fgetxattr uring_cmd "
                                     "ftruncate bind listen epoll_wait",
    "family:int type:flags protocol:int direct:uint user_data:word -> fd | 0+1 3+2 4": "socket",
    "dirfd path flags direct:uint -> fd | 0+2 1 3": "openat openat2",
    "dirfd path flags user_data:word | 0+2 1 3": "statx unlinkat",
    "dirfd path mode user_data:word | 0+2 1 3": "mkdirat",
    "olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path | 0+2 1 3": "renameat linkat",
    "target:path newdirfd:dirfd linkpath:path | 1 0 2": "symlinkat",
}
_OTHERS = "user_data:word"

# By opcode
OPERATIONS = (
    "nop", "readv", "writev", "fsync", "read_fixed", "write_fixed", "poll_add", "poll_remove", "sync_file_range", "sendmsg", "recvmsg",
    "timeout", "timeout_remove", "accept", "async_cancel", "link_timeout", "connect", "fallocate", "openat", "close", "files_update",
    "statx", "read", "write", "fadvise", "madvise", "send", "recv", "openat2", "epoll_ctl", "splice", "provide_buffers", "remove_buffers",
    "tee", "shutdown", "renameat", "unlinkat", "mkdirat", "symlinkat", "linkat", "msg_ring", "fsetxattr", "setxattr", "fgetxattr",
    "getxattr", "socket", "uring_cmd", "send_zc", "sendmsg_zc", "read_multishot", "waitid", "futex_wait", "futex_wake", "futex_waitv",
    "fixed_fd_install", "ftruncate", "bind", "listen", "recv_zc", "epoll_wait", "readv_fixed", "writev_fixed", "pipe", "nop128",
    "uring_cmd128",
)

_NETWORK = frozenset((
    "sendmsg", "recvmsg", "accept", "connect", "send", "recv", "shutdown", "socket", "send_zc", "sendmsg_zc", "bind", "listen", "recv_zc"))
_NO_DESCRIPTOR = frozenset((
    "nop", "nop128", "timeout", "timeout_remove", "poll_remove", "async_cancel", "link_timeout", "madvise", "provide_buffers", "remove_buffers",
    "setxattr", "getxattr", "waitid", "futex_wait", "futex_wake", "futex_waitv"))

# Operations that belong to the classes of the calls that do the same
OPERATION_CLASSES = {
    "file": frozenset(("openat", "openat2", "statx", "renameat", "unlinkat", "mkdirat", "symlinkat", "linkat", "setxattr", "getxattr")),
    "desc": frozenset(OPERATIONS) - _NETWORK - _NO_DESCRIPTOR,
    "network": _NETWORK,
    "net": _NETWORK,
    "io_uring": frozenset(OPERATIONS),
}


@cache
def _lines() -> dict[str, str]:
    return {name: line for line, names in _LINES.items() for name in names.split()}


def opcode_name(sysno: int) -> str:
    """What to call an operation; one that is newer than this table goes by its number, one that nobody saw begin may have none."""
    if sysno == SYSNO_LIMIT - 1:
        return PREFIX + "unknown"
    opcode = sysno - SYSNO_URING
    return PREFIX + (OPERATIONS[opcode] if opcode < len(OPERATIONS) else f"op{opcode}")


def line_of(sysno: int) -> str | None:
    """The description of an operation, in the notation of calls_files.py; None for a number that is none."""
    if not SYSNO_URING <= sysno < SYSNO_LIMIT:
        return None
    return _lines().get(opcode_name(sysno).removeprefix(PREFIX), _OTHERS)
