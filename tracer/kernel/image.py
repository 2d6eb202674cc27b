"""The image cache: compiled probes, kept under the kernel and the sources that they were made from.

An image is code that the kernel will run, so the cache is trusted only while its folder and file belong to this user and nobody
else can write there; anything else is ignored and built anew. File: crc32 (4 bytes, little-endian), then what `marshal` makes of the value,
which a start has to wait for least. That is only for bytes of one's own, since marshal believes what it reads: so the owner is looked at
first, and then the checksum. With the programs are kept the places to fill in (tracer/kernel/blanks.py), and the plans of a session in
which all calls are traced.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import zlib

from tracer import __version__
from tracer.bare import Thread, suppress
from tracer.errors import HostError
from tracer.kernel.blanks import blanks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ("cache_folder", "cached", "image", "read_trusted", "write_trusted")

_MOST = 20  # files of one kind: for each mode and transport, of this kernel and some before it
_KERNEL = ("blanks.py", "btf.py", "build.py", "compile.py", "headers.py", "probes.py", "shapes.py", "uprobes.py")
_LENGTH_BYTES = 8  # in front of an image that comes through a pipe
_BEGIN = zlib.crc32(str(sys.implementation.cache_tag).encode())  # of each checksum: marshal's format is that of a version of Python


def cache_folder() -> str:
    """Where this user's images live: /var/cache/ebtrace for root, else ~/.cache/ebtrace."""
    if os.geteuid() == 0:
        return "/var/cache/ebtrace"
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ebtrace")


def _sources() -> list[tuple[str, int, int, int]]:
    """What an image is made of: which files, and when the kernel saw each changed last, which nobody can set. To read them takes 2 ms."""
    here = os.path.dirname(os.path.abspath(__file__))
    above = os.path.dirname(os.path.dirname(here))
    found = []
    for folder in (os.path.join(above, "bpf"), os.path.join(os.path.dirname(here), "syscalls"), here):
        with os.scandir(folder) as entries:
            files = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith((".c", ".h", ".py"))]
        found += [(name, at.st_size, at.st_ctime_ns, at.st_ino) for name, at in sorted(files) if folder != here or name in _KERNEL]
    return found


def _names() -> list[int]:
    """Which tables of system calls are installed: plans are made of them."""
    for place in sys.path:
        try:
            tables = os.stat(os.path.join(place, "system_calls", "tables"))
        except OSError:
            continue
        return [tables.st_dev, tables.st_ino, tables.st_mtime_ns]
    return []


def _identity(mode: str, transport: str) -> str:
    """Everything an image depends on, as text: kept inside the image and compared, so that a name clash cannot hurt."""
    system = os.uname()
    try:
        with open("/sys/kernel/notes", "rb") as file:  # holds the GNU build id
            notes = file.read().hex()
    except OSError:
        notes = ""
    with open("/sys/devices/system/cpu/possible") as cpus:
        possible = cpus.read().strip()
    kernel = system.release, system.version, system.machine, notes, possible
    return repr((__version__, sys.implementation.cache_tag, kernel, mode, transport, _sources(), _names()))


def _trusted(path: str, *, folder: bool) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    kind = stat.S_ISDIR(found.st_mode) if folder else stat.S_ISREG(found.st_mode)
    return kind and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def read_trusted(path: str, identity: str) -> dict[str, Any] | None:
    """What `write_trusted` wrote at ``path`` with this ``identity``; None where it is missing, damaged, foreign or not to be trusted."""
    if not _trusted(os.path.dirname(path), folder=True) or not _trusted(path, folder=False):
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
        value = memoryview(data)[4:]
        if zlib.crc32(value, _BEGIN) != int.from_bytes(data[:4], "little"):
            return None
        found = marshal.loads(value)
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return found if isinstance(found, dict) and found.get("identity") == identity else None


def write_trusted(path: str, value: dict[str, Any], most: int = _MOST) -> None:
    """Best effort: on a read-only system every start compiles anew, and works. ``value`` is of Python's own plain types.

    Of files that end alike there are ``most`` afterwards: the oldest, of kernels and programs that newer ones have replaced, make room.
    """
    data = marshal.dumps(value)
    part = f"{path}.{os.getpid()}"
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not _trusted(folder, folder=True):
            return
        _make_room(folder, os.path.splitext(path)[1], most - 1)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(zlib.crc32(data, _BEGIN).to_bytes(4, "little") + data)
        os.replace(part, path)
    except OSError:
        if os.path.lexists(part):
            os.unlink(part)


def _make_room(folder: str, ending: str, most: int) -> None:
    try:
        with os.scandir(folder) as entries:
            files = sorted((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(ending))
        for _, path in files[: max(0, len(files) - most)]:
            os.unlink(path)
    except FileNotFoundError:
        return  # another tracer makes room, too


def _begin_to_build(mode: str, transport: str) -> tuple[int, int, int]:
    """In a process of its own: what a compiler takes goes with it, and what it says is heard. Its pid, and where the image comes from and that."""
    made, make = os.pipe()
    said = os.memfd_create("messages")
    pid = os.fork()  # not a new Python, which would take as long to start as to compile a few programs
    if not pid:
        os.close(made)
        _build(mode, transport, make, said)
    os.close(make)
    return pid, made, said


def _built(pid: int, made: int, said: int) -> dict[str, Any]:
    """What came of it. Raises HostError."""
    with open(made, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        data = file.read(length)  # and not its end: compilers hold it, and take a while to give their memory back
    ended = Thread(lambda: os.waitpid(pid, 0))
    try:
        told: dict[str, Any] = marshal.loads(data)
    except (EOFError, ValueError, TypeError):  # it died before
        told = {}
    if "programs" in told:
        os.close(said)
        return told
    ended.join()
    with open(said, "rb") as messages:
        messages.seek(0)
        lines = messages.read().decode(errors="replace").strip().splitlines()
    if "message" in told:
        raise HostError("\n".join([*lines, told["message"]]), told["remedy"])
    raise HostError(f"compiling the probes failed: {lines[-1] if lines else 'the compiler ended without a word'}")


def _build(mode: str, transport: str, make: int, said: int) -> NoReturn:
    """In the process that compiles: never returns."""
    status = 1
    try:
        os.dup2(said, 1)  # whatever a library prints
        os.dup2(said, 2)
        from tracer.kernel.build import main

        data = marshal.dumps(main(mode, transport))
        with open(make, "wb") as file:
            file.write(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
        status = 0
        with suppress(ChildProcessError):  # compilers
            while True:
                os.wait()
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def cached(mode: str, transport: str) -> dict[str, Any] | None:
    """The probes for this kernel, if they are in the cache."""
    return read_trusted(*_place(mode, transport))


def image(mode: str, transport: str) -> tuple[dict[str, Any], bool]:
    """The probes for this kernel, and whether they came from the cache. Raises HostError, PermissionMissing, CompilerMissing."""
    path, identity = _place(mode, transport)
    found = read_trusted(path, identity)
    if found:
        return found, True
    building = _begin_to_build(mode, transport)
    plans = _usual_plans(mode)  # meanwhile
    built = _built(*building)
    built |= {"identity": identity, "blanks": {name: blanks(code) for name, code in built["programs"].items()}, "plans": plans}
    write_trusted(path, built)
    return built, False


def _usual_plans(mode: str) -> bytes:
    """Those of most sessions, which need not wait until they are worked out."""
    from tracer.kernel.sys import arch
    from tracer.syscalls.plans import plans

    return plans(arch(), "", 1, names=mode == "full")


def _place(mode: str, transport: str) -> tuple[str, str]:
    identity = _identity(mode, transport)
    return os.path.join(cache_folder(), f"{mode}-{transport}-{zlib.crc32(identity.encode()):08x}.image"), identity
