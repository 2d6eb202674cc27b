"""What an attached process already had open when the trace began: files, connections, arguments (through psutil)."""

from __future__ import annotations

import os

from tracer.bare import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any

__all__ = ("open_files", "snapshot", "snapshot_async", "tgids")

_PROCESSES_AT_ONCE = 64  # in one part: a block of the session has a limit
_ENTRIES_AT_ONCE = 4096


def snapshot(pids: list[int]) -> dict[str, Any]:
    """Open files, sockets and identity of ``pids``, as plain data; processes that end meanwhile are left out.

    ``unreadable`` are those whose open files this user may not list.
    """
    import psutil

    found: dict[str, list[dict[str, Any]]] = {"files": [], "connections": [], "processes": [], "unreadable": []}
    for pid in pids:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            with process.oneshot():
                found["processes"].append({
                    "pid": pid, "ppid": process.ppid(), "argv": _texts(process.cmdline()), "exe": _text(process.exe()), "cwd": _text(process.cwd()),
                    "started_unix_ns": int(process.create_time() * 1e9), "root": _root(pid), "mnt_ns": _mount_namespace(pid),
                })
        try:
            found["files"] += open_files(pid)
        except PermissionError:
            found["unreadable"].append({"pid": pid})
        except OSError:
            continue  # it has ended
        with suppress(psutil.Error, OSError):
            for entry in psutil.Process(pid).net_connections(kind="all"):
                found["connections"].append({
                    "pid": pid, "fd": entry.fd, "protocol": _protocol(int(entry.family), int(entry.type)), "local": _address(entry.laddr),
                    "remote": _address(entry.raddr), "state": entry.status,
                })
    return found


def open_files(pid: int) -> list[dict[str, Any]]:
    """What every descriptor of a process stands for, as /proc names it. Raises OSError.

    Not psutil's open_files: it leaves out pipes, sockets and devices.
    """
    files = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            files.append({"pid": pid, "fd": int(fd), "path": _text(os.readlink(f"/proc/{pid}/fd/{fd}")), "flags": _flags(pid, fd)})
    return files


def tgids(found: bytes) -> list[int]:
    """The processes of LIFE_FOUND records."""
    import struct

    return sorted({struct.unpack_from("<I", found, at + 16)[0] for at in range(0, len(found), 120)})


def snapshot_async(found: bytes, then: Callable[[dict[str, Any]], None]) -> threading.Thread:
    """Takes the snapshot of the processes in ``found`` (LIFE_FOUND records) on a thread of its own, beside the drain; returns the thread.

    ``then`` is given it in parts.
    """
    import threading

    pids = tgids(found)

    def take() -> None:
        for first in range(0, len(pids), _PROCESSES_AT_ONCE):
            whole = snapshot(pids[first : first + _PROCESSES_AT_ONCE])
            longest = max(map(len, whole.values()))
            for at in range(0, longest, _ENTRIES_AT_ONCE):
                then({kind: entries[at : at + _ENTRIES_AT_ONCE] for kind, entries in whole.items()})

    thread = threading.Thread(target=take, name="ebtrace-snapshot", daemon=True)
    thread.start()
    return thread


def _text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _texts(values: list[str]) -> list[str]:
    return [_text(value) for value in values]


def _root(pid: int) -> str:
    """The folder that the process knows as "/"; "" where it may not be read."""
    try:
        return _text(os.readlink(f"/proc/{pid}/root"))
    except OSError:
        return ""


def _mount_namespace(pid: int) -> int | None:
    """The number of its mount namespace: among those of the same, a path names the same file."""
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        return None


def _flags(pid: int, fd: str) -> int:
    with open(f"/proc/{pid}/fdinfo/{fd}") as file:
        return next((int(line.split()[1], 8) for line in file if line.startswith("flags:")), 0)


def _protocol(family: int, kind: int) -> str:
    names = {1: "tcp", 2: "udp"}
    if family == 1:
        return "unix"
    return names.get(kind, "ip") + ("6" if family == 10 else "")


def _address(address: Any) -> str:
    if not address:
        return ""
    if isinstance(address, str):
        return _text(address)
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"
