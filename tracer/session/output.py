"""Makes the file that a session is written to: private, and never in place of something that should stay.

It runs with the rights of whoever calls it; `ebtrace run` calls it as the user who typed the command.
"""

from __future__ import annotations

import errno
import os
import stat

from tracer.errors import OutputError

__all__ = ("create_output",)

_MODE = 0o600
_NAME_BYTES = 64
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def create_output(path: str | None, name: str, pid: int, *, force: bool) -> tuple[int, str]:
    """Create an empty file, mode 0600 whatever the umask, and return its descriptor (for writing) and its path.

    Without a ``path`` it is ebtrace-NAME.PID.ebt in the current folder, NAME from ``name``, a command. An existing file is left alone;
    with ``force`` a new one takes its place in one step, so that other names of the old file, and whoever has it open, keep the old
    content. Symbolic links are not followed, and only regular files are replaced. OutputError says what is in the way.
    """
    if path is None:
        path = f"ebtrace-{_plain(name)}.{pid}.ebt"
    try:
        return _create(path), path
    except FileExistsError:
        _refuse_unless_replaceable(path, force=force)
    except (OSError, ValueError) as error:
        raise _failure(path, error) from error
    try:
        return _replace(path), path
    except OSError as error:
        raise _failure(path, error) from error


def _create(path: str) -> int:
    fd = os.open(path, _FLAGS, _MODE)
    try:
        os.fchmod(fd, _MODE)
    except OSError:
        os.close(fd)
        _unlink(path)
        raise
    return fd


def _replace(path: str) -> int:
    fresh = os.path.join(os.path.dirname(path), f".ebtrace-{os.getpid()}-{os.urandom(4).hex()}.new")
    fd = _create(fresh)
    try:
        os.rename(fresh, path)
    except OSError:
        os.close(fd)
        _unlink(fresh)
        raise
    return fd


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _refuse_unless_replaceable(path: str, *, force: bool) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise _failure(path, error) from error
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path} is a directory", "name a file in it: -o FILE")
    if stat.S_ISLNK(mode):
        raise OutputError(f"{path} is a symbolic link, which is not followed", "name the file itself: -o FILE")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{path} is not a regular file", "a session needs a file of its own: -o FILE")
    if not force:
        raise OutputError(f"{path} exists already", "overwrite it with --force, or name another file: -o FILE")


def _failure(path: str, error: OSError | ValueError) -> OutputError:
    folder = os.path.dirname(path) or "."
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    elsewhere = "write to a folder of your own: -o FILE"
    if number == errno.ENOENT:
        if not path:
            return OutputError("the name of the session file is empty", "name one: -o FILE")
        return OutputError(f"the folder {folder} does not exist", f"make it first: mkdir -p {folder}")
    if number == errno.ENOTDIR:
        return OutputError(f"{folder} is not a folder", elsewhere)
    if number == errno.EISDIR:
        return OutputError(f"{path} names a directory", "name a file in it: -o FILE")
    if number == errno.EROFS:
        return OutputError(f"{folder} is on a read-only file system", elsewhere)
    if number in (errno.EACCES, errno.EPERM):
        return OutputError(f"no permission to create {os.path.basename(path)} in {os.path.abspath(folder)}", elsewhere)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"no room for {path}: {os.strerror(number).lower()}", "free some space, or write elsewhere: -o FILE")
    reason = os.strerror(number).lower() if number else str(error)
    return OutputError(f"{path!r} cannot be created: {reason}", elsewhere)


def _plain(name: str) -> str:
    """A command's own name, with nothing in it that a shell or a terminal could take amiss."""
    base = os.path.basename(name.rstrip("/"))
    return "".join(letter if letter in _PLAIN else "_" for letter in base)[:_NAME_BYTES] or "command"
