import random
from pathlib import Path

import numpy as np
import pytest

from report import bindings, fdtables, paths, things
from report.bindings import key_of
from report.calls import argument
from report.files import files_of
from report.making import MAKING
from report.moving import MOVING
from report.opening import LOOKED_UP, OPENING
from report.uses import Uses
from tests.unit.descriptor_story import (
    Told,
    pair,
)
from tracer.kinds import LifeKind, SocketKind
from tracer.syscalls.names import known, number


def test_every_argument_that_a_step_asks_for_is_kept() -> None:
    steps = {**OPENING, **LOOKED_UP, **MAKING, **MOVING}
    optional = {"registered", "direct", "dirfd", "flags"}
    left_out = {
        name: missing for sysno, name in known("x86_64").items() if name in steps
        if (missing := {wanted for wanted, _ in steps[name].asked if argument("x86_64", sysno, wanted) is None} - optional)}
    # Old calls that have fewer arguments, and names that start at the working folder
    assert left_out == {"rename": {"olddirfd", "newdirfd"}, "link": {"newdirfd"}, "symlink": {"newdirfd"}}
    for name in ("open", "openat", "openat2", "dup3", "unlinkat", "accept4", "pipe2", "io_uring:openat", "eventfd2", "timerfd_create"):
        assert argument("x86_64", number("x86_64", name) or 0, "flags"), name


class Limits:
    """Bounds small enough to be reached."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(paths, "_MOST_FILES", 20)
        patch.setattr(paths, "_MOST_NODES", 50)
        patch.setattr(paths, "_MOST_STEPS", 500)
        patch.setattr(things, "_MOST", 20)
        patch.setattr(fdtables, "_MOST_COPIED", 200)
        patch.setattr(fdtables, "_MOST_KEPT", 30)


@pytest.mark.parametrize("limited", [False, True])
def test_any_nonsense_is_survived_and_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: bool) -> None:
    if limited:
        Limits(monkeypatch)
    chance = random.Random(3)
    names = [name for name in known("x86_64").values() if "(32-bit)" not in name]
    for trial in range(6):
        told = Told()
        ids = [told.string(text) for text in ("/a", "b/../../c", "", "/", "..", "/a/b/c/" * 300, "/a/b", "/a/b/c", b"/\xff\n\x1b[2J")] + [0, 12345]
        numbers = [0, 1, 3, 4, 5, -1, -100, -2, -4095, 2**31 - 1, 2**32 - 1, 2**63 - 1, -2**63, pair(3, 4), 3 | 1 << 32, 0x20000, 0x400, 0x80000]
        reads = 0
        for _ in range(1500):
            name = chance.choice(names) if chance.random() < 0.5 else chance.choice(
                ["openat", "rename", "close", "dup2", "pipe2", "socket", "unlink", "chdir", "mkdir", "read", "unshare", "chroot", "pivot_root"])
            told.did(name, chance.choice(numbers), *(chance.choice(ids + numbers) for _ in range(3)), proc=chance.randrange(4), counted=False,
                     flags=chance.randrange(16), duration=chance.choice([0, 100, 2**63]))
            reads += name == "read"
            what = chance.random()
            if what < 0.1:
                told.forked(chance.randrange(5), chance.randrange(8), parent=chance.randrange(5))
            elif what < 0.15:
                told.lived(chance.choice(list(LifeKind)), told.now, chance.randrange(5), chance.randrange(200))
            elif what < 0.3:
                told.told_socket(chance.choice(list(SocketKind)), sock=chance.randrange(4), fd=chance.choice([0, 3, 4, -1, 2**31 - 1]),
                                 proc=chance.randrange(4), file=chance.randrange(3), inode=chance.randrange(3), mode=chance.randrange(1 << 16))
        activity = told.activity(tmp_path, batch=200 + trial)
        rows = files_of(activity)
        read = Uses("x86_64", {0: "read"})
        assert read.numbers[0]
        assert activity.uses["reads"].sum() >= reads
        assert all(isinstance(row.path, str) and len(row.was) <= 4 for row in rows)
        if limited:
            assert activity.descriptors.problems
            assert len(activity.things) < 100
            assert len(activity.descriptors.files) < 60


def test_storms_end(tmp_path: Path) -> None:
    """A table with many descriptors that is copied and closed again and again; folders renamed into one another."""
    told = Told()
    for fd in range(2000):
        told.did("dup2", 10 + fd, 3, 10 + fd)
        told.opened("/x", 10 + fd)
    for step in range(300):
        told.forked(1000 + step)
        told.did("close_range", 0, 5000, 2**32 - 1, 0)
        told.path("rename", f"/{step}", f"/{step + 1}/{step}")
        told.path("rename", f"/{step + 1}", f"/{step + 1}/{step}")  # into itself: no kernel does that
    told.read(10)
    assert told.reads(tmp_path) == {"/x": 1}


def test_keys_do_not_collide() -> None:
    keys = key_of(np.array([1, 1, 2], np.uint32), np.array([-1, 0xFFFFFFFF, -1]))
    assert keys.tolist() == [0x1FFFFFFFF, 0x1FFFFFFFF, 0x2FFFFFFFF]
    assert bindings.key_of is key_of
