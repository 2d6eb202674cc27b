"""Who the front acts for, and what it may do itself.

Under ``sudo ebtrace`` the front is root on behalf of a user: the target and the files belong to that user. `caller` finds the
user, `acting_as` borrows the identity for a moment (to create a file), `assume` takes it for good (in the target before exec).
"""

from __future__ import annotations

import os

__all__ = ("Identity", "acting_as", "assume", "caller", "environment")

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")  # what Python sets LC_CTYPE to in the C locale (PEP 538)


class Identity:
    """A user as login would set it up."""

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...], name: str, home: str, shell: str) -> None:
        self.uid, self.gid, self.groups, self.name, self.home, self.shell = uid, gid, groups, name, home, shell


def caller() -> Identity | None:
    """The user who called sudo when this process is root on behalf of another; else None."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not (uid.isdigit() and gid.isdigit()) or int(uid) == 0:
        return None
    import pwd  # reads name services: only when there is a user to look up

    try:
        user = pwd.getpwuid(int(uid))
    except KeyError:  # sudo takes numeric users that no password file knows
        return Identity(int(uid), int(gid), (int(gid),), os.environ.get("SUDO_USER", uid), "/", "/bin/sh")
    groups = os.getgrouplist(user.pw_name, int(gid))
    return Identity(int(uid), int(gid), tuple(groups), user.pw_name, user.pw_dir, user.pw_shell or "/bin/sh")


class acting_as:  # noqa: N801 - not contextlib's: that takes a millisecond to load
    """Within it files are opened with this user's rights, and new ones belong to the user. None changes nothing."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity

    def __enter__(self) -> None:
        if self._identity is not None:
            self._before = os.geteuid(), os.getegid(), os.getgroups()
            os.setgroups(self._identity.groups)
            os.setegid(self._identity.gid)
            os.seteuid(self._identity.uid)

    def __exit__(self, *_: object) -> None:
        if self._identity is not None:
            uid, gid, groups = self._before
            os.seteuid(uid)
            os.setegid(gid)
            os.setgroups(groups)


def assume(identity: Identity | None) -> None:
    """Turns the calling process into this user for good. None changes nothing."""
    if identity is not None:
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)


def environment(identity: Identity | None) -> dict[str, str]:
    """The environment for the target: the one ebtrace was typed in.

    For the user who called sudo HOME, USER, LOGNAME, SHELL and MAIL are that user's again, PATH stays what sudo made it, and the SUDO_*
    variables go: the target does not run under sudo, and programs that find them chown their files or refuse to work.
    """
    variables = dict(os.environ)
    if variables.get("LC_CTYPE") in _COERCED and not _typed("LC_CTYPE"):
        del variables["LC_CTYPE"]
    if identity is None:
        return variables
    variables = {name: value for name, value in variables.items() if not name.startswith("SUDO_")}
    variables.update(HOME=identity.home, USER=identity.name, LOGNAME=identity.name, SHELL=identity.shell)
    if "MAIL" in variables:
        variables["MAIL"] = os.path.join(os.path.dirname(variables["MAIL"]), identity.name)
    return variables


def _typed(name: str) -> bool:
    """True when the variable was there at start: the kernel shows the block as it was given to exec."""
    with open("/proc/self/environ", "rb") as block:
        return any(entry.startswith(name.encode() + b"=") for entry in block.read().split(b"\0"))

