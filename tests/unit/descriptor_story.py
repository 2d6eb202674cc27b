"""Stories about descriptors: calls one after the other, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from report.activity import Activity, activity_of
from report.files import FileTotals, files_of
from report.moments import sockets_of
from report.processes import lifecycle
from report.strings import Strings
from tests.unit.report_sessions import AT_FDCWD, Story
from tracer.kinds import ShareFlag, SocketKind
from tracer.session.reader import open_session

O_CLOEXEC, O_DIRECTORY, O_TMPFILE = 0o2000000, 0o200000, 0o20200000
MOUNTS, FILES, FOLDER = ShareFlag.MOUNTS, ShareFlag.FILES, ShareFlag.FOLDER
CLONE_FS, CLONE_FILES, CLONE_NEWNS = 0x200, 0x400, 0x20000
S_IFREG, S_IFIFO, S_IFSOCK = 0o100644, 0o010600, 0o140777


class Told(Story):
    """Calls one after the other, 1 us apart and 100 ns long; process 1 is the one that was started, in /home/me."""

    def __init__(self, **meta: Any) -> None:
        super().__init__(**meta)
        self.now = 0
        if self.meta["kind"] == "run":
            self.found(0, 1, 100)

    def did(self, name: str, ret: int, *args: int, proc: int = 1, **how: Any) -> None:
        self.now += 1000
        self.call(name, self.now, ret=ret, args=args, proc=proc, **how)

    def path(self, name: str, *names: str, ret: int = 0, proc: int = 1) -> None:
        """A call on paths alone, in the order of its slots."""
        self.did(name, ret, *map(self.string, names), proc=proc)

    def opened(self, path: str, fd: int, flags: int = 0, dirfd: int = AT_FDCWD, proc: int = 1, **how: Any) -> None:
        self.did("openat", fd, dirfd, self.string(path), flags, proc=proc, **how)

    def read(self, fd: int, ret: int = 10, proc: int = 1) -> None:
        self.did("read", ret, fd, 0x7000, 4096, proc=proc)

    def told_socket(self, kind: SocketKind, **fields: Any) -> None:
        self.now += 1000
        self.socket(kind, self.now, **fields)

    def forked(self, proc: int, shares: int = MOUNTS, parent: int = 1) -> None:
        self.now += 1000
        self.fork(self.now, proc, 100 + proc, parent, 99 + parent, shares=shares)

    def execed(self, proc: int = 1) -> None:
        self.now += 1000
        self.exec(self.now, proc, 99 + proc, "/bin/x", "x")

    def activity(self, folder: Path, batch: int = 1 << 16) -> Activity:
        with open_session(str(self.write(folder / "a.ebt", batch=batch))) as session:
            return activity_of(session, Strings(session), lifecycle(session), sockets_of(session))

    def reads(self, folder: Path) -> dict[str, int]:
        """Reads by the name of what was read."""
        activity = self.activity(folder)
        found: dict[str, int] = {}
        for thing, reads in zip(activity.uses["thing"].tolist(), activity.uses["reads"].tolist()):
            if reads:
                name = activity.descriptors.name(thing)
                found[name] = found.get(name, 0) + reads
        return found

    def files(self, folder: Path) -> dict[str, FileTotals]:
        rows = files_of(self.activity(folder))
        assert len({row.path for row in rows}) == len(rows)
        return {row.path: row for row in rows}


def pair(one: int, other: int) -> int:
    return one & 0xFFFFFFFF | other << 32
