"""What /proc says of a process that is attached."""

import os
from pathlib import Path

from tracer.target.snapshot import snapshot


def test_where_a_process_lives() -> None:
    taken = snapshot([os.getpid(), 1 << 22 | 1])  # the second is beyond the largest pid there can be
    (process,) = taken["processes"]
    assert (process["pid"], process["cwd"], process["root"]) == (os.getpid(), str(Path.cwd()), os.readlink("/proc/self/root"))
    assert os.readlink("/proc/self/ns/mnt") == f"mnt:[{process['mnt_ns']}]"
