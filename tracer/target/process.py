"""A running process that the user wants attached: whether it can be, and what it is called."""

from __future__ import annotations

import os

from tracer.errors import PermissionMissing, TargetError
from tracer.target.rights import CAP_SYS_PTRACE, capable

__all__ = ("check", "command_line", "environment", "folder", "name", "runs", "unseen")

_PF_KTHREAD = 0x00200000  # include/linux/sched.h, shown as the flags field of /proc/PID/stat
_FLAGS = 6  # field of /proc/PID/stat, counted from the one after the name


def check(pid: int, privileged: bool) -> None:
    """Raises TargetError unless ``pid`` is a process that can be attached.

    ``privileged`` says that this process will trace with its own rights: then PermissionMissing is raised when they do not reach
    another user's process. Without, sudo will decide.
    """
    if pid in (os.getpid(), 0):
        raise TargetError("ebtrace cannot trace itself", "give the process id of another program")
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        raise TargetError(f"there is no process {pid}", "list the running ones: ps -ef") from None
    except PermissionError:
        if privileged and not capable(CAP_SYS_PTRACE):
            raise PermissionMissing(f"process {pid} belongs to another user", "run it as root: sudo ebtrace ... (or add CAP_SYS_PTRACE)") from None
    try:
        process = int(_status(pid).get("Tgid", pid))
        fields = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # /proc hides the processes of others (hidepid), and the signal showed that it is there
        return
    if process != pid:
        raise TargetError(f"{pid} is a thread of process {process}", f"trace the process, with all its threads: ebtrace -p {process}")
    if not runs(pid):
        raise TargetError(f"process {pid} has already ended", "its parent has not noticed yet; there is nothing left to trace")
    if int(fields[_FLAGS]) & _PF_KTHREAD:
        raise TargetError(f"{pid} is a thread of the kernel", "kernel threads make no syscalls; give the process id of a program")


def unseen(pids: list[int]) -> TargetError:
    """What to say of processes of which the kernel's list of tasks has no thread for a BPF program."""
    running = [pid for pid in pids if runs(pid)]
    if not running:
        return TargetError(f"process {pids[0]} has ended", "give the pid of a running process")
    return TargetError(f"this kernel shows process {running[0]} to no BPF program", "it protects that process, as some hosts do with the first one; "
                       "trace another")


def runs(pid: int) -> bool:
    """Whether any thread of the process still runs: one whose first thread has ended looks like a zombie from outside."""
    try:
        return any(_state(f"/proc/{pid}/task/{tid}/stat") not in "ZX" for tid in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return False


def command_line(pid: int) -> list[str]:
    """The arguments of the process as /proc shows them now; its short name where it shows none."""
    try:
        arguments = os.fsdecode(_read_bytes(f"/proc/{pid}/cmdline"))
        return arguments.rstrip("\0").split("\0") if arguments.strip("\0") else [name(pid)]
    except OSError:
        return [name(pid)]


def environment(pid: int) -> dict[str, str]:
    """The variables that a process was started with; empty if they cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            block = file.read(1 << 20)
    except OSError:
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in block.split(b"\0"))
    return {name: value for name, equal, value in pairs if equal}


def folder(pid: int) -> str:
    """The working directory of the process, "" where it may not be read. A removed one is named all the same."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def name(pid: int) -> str:
    """The short name of the process (comm), or "pid" where it cannot be read."""
    try:
        return _read(f"/proc/{pid}/comm").rstrip("\n") or "pid"
    except OSError:
        return "pid"


def _state(path: str) -> str:
    try:
        return _read(path).rpartition(") ")[2][:1]
    except OSError:
        return "X"


def _status(pid: int) -> dict[str, str]:
    lines = (line.partition(":\t") for line in _read(f"/proc/{pid}/status").splitlines())
    return {key: value for key, _, value in lines}


def _read(path: str) -> str:
    return os.fsdecode(_read_bytes(path))


def _read_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
