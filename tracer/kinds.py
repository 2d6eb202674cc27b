"""What the records of the probes tell, by number: the Python side of the enumerations in bpf/records.h that only readers need."""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = (
    "CallFlag", "LifeKind", "PayloadFlag", "PlainFlag", "PlainKind", "ShareFlag", "SocketKind", "StringFlag", "WatchKind",
)


class CallFlag(IntFlag):
    """What is special about one syscall record."""

    UNFINISHED = 1
    UNTIMED = 2
    UNREADABLE = 4
    EXECED = 8  # of execve and execveat
    CREATED = 8  # of calls that open files


class LifeKind(IntEnum):
    """What a lifecycle record tells."""

    FORK = 1
    THREAD = 2
    FOUND = 3
    EXEC = 4
    EXIT = 5


class ShareFlag(IntFlag):
    """What a forked process shares with its parent."""

    FILES = 1
    FOLDER = 2
    MOUNTS = 4


class StringFlag(IntFlag):
    """What is special about an interned string."""

    CUT = 1


class SocketKind(IntEnum):
    """What a socket record tells (bpf/records.h says more)."""

    BOUND = 1
    STATE = 2
    RETRANSMIT = 3
    RESET_SENT = 4
    RESET_RECEIVED = 5
    ENDED = 6
    ALIVE = 7
    PASSED = 8
    HANDED = 9


class PayloadFlag(IntFlag):
    """What is special about one payload record."""

    SENT = 1
    CUT = 2
    STREAM = 4


class PlainKind(IntEnum):
    """What a plaintext record tells (bpf/records.h says more)."""

    SOCKET = 1
    TLS = 2
    WIRE = 3
    HELLO = 4
    FREED = 5


class PlainFlag(IntFlag):
    """What is special about one plaintext record."""

    SENT = 1
    ASTRAY = 2
    UNREADABLE = 4
    MIDWAY = 8
    MORE = 16


class WatchKind(IntEnum):
    """What a watched socket carries."""

    NEW = 0
    RESOLVER = 1
    PLAIN = 2
    TLS = 3
    OTHER = 4
