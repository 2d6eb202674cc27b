"""The Unix socket between the front (the user's side) and the worker (the privileged side) of one ebtrace.

Messages are maps of plain data, each behind its length (4 bytes, little-endian), in both directions. Between processes of one user they
are as `marshal` has them, which costs nothing to load; what comes from another user, through sudo, must not be believed like that, and is
JSON. A file descriptor may travel with a message. On the wire it says ``"fd": true`` then, and carries the descriptor as SCM_RIGHTS; the
receiver finds the number of its own copy there.

    front -> worker   {"do": "start", "pid": .., "pids": [..], "mode": .., .., "fd": session file}, {"do": "stop", "exit_status": ..}
    worker -> front   {"is": "live"}, {"is": "progress", ..}, {"is": "ended"}, {"is": "done", ..}, {"is": "failed", ..}

A socket that ends tells each side that the other has died. `detach` and `join` are for the worker's process.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time
from _socket import (  # not socket: to load what surrounds it there would keep the target waiting
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    SCM_RIGHTS,
    SO_PEERCRED,
    SOL_SOCKET,
    socket,
)

from tracer.bare import signal
from tracer.errors import EbtraceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("Link", "Message", "detach", "failure", "join", "peer")

Message = dict[str, "Any"]

_CHUNK = 65536
_LENGTH_BYTES = 4
_FD_BYTES = 4
_MAX_FDS = 4  # room for the descriptors of several messages read at once; today only "start" carries one


class Link:
    """One end of the socket. Nothing here raises when the other side dies: ``ended`` says so."""

    def __init__(self, connection: socket) -> None:
        self._socket = connection
        self._trusted = peer(connection)[1] == os.geteuid()
        self._buffer = b""
        self._fds: list[int] = []
        self._messages: list[Message] = []
        self.ended = False

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def send(self, message: Message, fd: int | None = None, droppable: bool = False) -> bool:
        """Sends one message, with a copy of ``fd`` if given. False when the other side is gone.

        A ``droppable`` message (progress) is left out when the other side does not read, for instance while it is stopped by
        Ctrl-Z: a worker must never wait for the front.
        """
        if self.ended:
            return False
        if droppable and not _ready(self._socket, select.POLLOUT, 0):
            return True
        if fd is not None:
            message = {**message, "fd": True}
        packed = self._pack(message)
        packed = len(packed).to_bytes(_LENGTH_BYTES, "little") + packed
        try:
            if fd is not None:
                rights = [(SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(_FD_BYTES, sys.byteorder))]
                packed = packed[self._socket.sendmsg([packed], rights):]
            self._socket.sendall(packed)
        except (BrokenPipeError, ConnectionResetError):
            return False  # reading on tells what it said before it died, and then sets `ended`
        return True

    def poll(self) -> list[Message]:
        """Every whole message that has arrived by now, without waiting."""
        while not self.ended and self._read():
            pass
        messages, self._messages = self._messages, []
        return messages

    def wait(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None when ``timeout_s`` seconds have passed without one or when the other side is gone."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._messages and not self.ended:
            if self._read():
                continue
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            _ready(self._socket, select.POLLIN, left)
        return self._messages.pop(0) if self._messages else None

    def close(self) -> None:
        """Ends the conversation; the other side sees ``ended``."""
        self._socket.close()
        self.ended = True

    def _pack(self, message: Message) -> bytes:
        if self._trusted:
            return marshal.dumps(message)
        import json

        return json.dumps(message).encode()

    def _unpack(self, packed: bytes) -> Message:
        message: Message
        if self._trusted:
            message = marshal.loads(packed)
        else:
            import json

            message = json.loads(packed)
        return message

    def _read(self) -> bool:
        """Takes in what is there. True when there may be more."""
        try:
            data, rights, _, _ = self._socket.recvmsg(
                _CHUNK, CMSG_SPACE(_MAX_FDS * _FD_BYTES), MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return False
        except ConnectionResetError:  # the other side died with messages of ours unread
            data, rights = b"", []
        for level, kind, packed in rights:
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
                self._fds += (int.from_bytes(packed[at:at + _FD_BYTES], sys.byteorder) for at in range(0, len(packed), _FD_BYTES))
        if not data:
            self.ended = True
            return False
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES], "little")
            if len(self._buffer) < end:
                break
            message, self._buffer = self._unpack(self._buffer[_LENGTH_BYTES:end]), self._buffer[end:]
            if message.get("fd") is True:  # descriptors arrive with the first byte of their message, so in order
                message["fd"] = self._fds.pop(0)
            self._messages.append(message)
        return True


def failure(error: BaseException) -> Message:
    """What a worker says of the error that ended it."""
    if isinstance(error, EbtraceError):
        return {"is": "failed", "message": error.message, "remedy": error.remedy, "status": error.status}
    return {"is": "failed", "message": f"the tracer stopped on an error of its own: {type(error).__name__}: {error}",
            "remedy": "please report it", "status": EbtraceError.status}


def peer(connection: socket) -> tuple[int, int]:
    """Process id and user id of whoever made the other end, as the kernel noted them then."""
    packed = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)  # struct ucred: pid, uid, gid
    return int.from_bytes(packed[0:4], sys.byteorder), int.from_bytes(packed[4:8], sys.byteorder)


def detach() -> None:
    """Cuts the calling process, a worker, loose from the user's terminal.

    It gets a session of its own, so that no Ctrl-C, Ctrl-Z or hang-up reaches it, and /dev/null for stdin, stdout and stderr:
    it must not draw over the target, nor keep a pipe such as ``ebtrace run -- CMD | head`` open.
    """
    if os.getsid(0) != os.getpid():
        os.setsid()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for standard in range(3):
        os.dup2(null, standard)
    if null > 2:
        os.close(null)


def join(path: str) -> socket:
    """For a worker started through sudo: connects to the front that listens at ``path`` and leaves sudo behind.

    sudo's own child exits (status 0: connected, 1: not) and a child of it goes on. So sudo is gone before the target runs: with its
    option use_pty, the default, it would hold the user's terminal in raw mode and eat the target's input. Raises OSError when
    the front is not there, PermissionError when it is not the user who called sudo.
    """
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        os._exit(0 if os.read(told, 1) else 1)
    os.close(told)
    os.setsid()
    connection = socket(AF_UNIX)
    connection.connect(path)
    caller = os.environ.get("SUDO_UID")
    if caller is not None and peer(connection)[1] != int(caller):
        raise PermissionError("the socket belongs to another user than the one who called sudo")
    detach()
    os.write(tell, b"x")
    os.close(tell)
    return connection


def _ready(connection: socket, event: int, timeout_s: float | None) -> bool:
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
