"""Programs that nobody wrote for these tests: bytes by file and by connection are those that strace, the kernel and the programs tell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import need

Bytes = dict[str, tuple[int, int]]  # read and written, by path

_IN, _OUT = ("read", "pread64", "readv", "preadv"), ("write", "pwrite64", "writev", "pwritev")
_CALL = re.compile(r"(\w+)\(\d+<(/[^>]*)>(?:\(deleted\))?,.* = (\d+)$")
_BETWEEN = re.compile(r"(?:sendfile|copy_file_range)\(\d+<(/[^>]*)>, (?:\[\d+\]|NULL), \d+<(/[^>]*)>,.* = (\d+)$")
# Names that differ from run to run: by chance, or by a pid
_RANDOM = re.compile(r"/cc[A-Za-z0-9]{6}\.|/tmp_(obj|pack|idx|rev)_|/proc/\d+|/GMfifo")
SQLITE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("create table t (a integer, b text)")
    db.executemany("insert into t values (?, ?)", ((i, "x" * i) for i in range(997)))
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("update t set b = b || 'y' where a % 7 = 0")
    print(db.execute("select sum(length(b)) from t").fetchone()[0])
db.close()
"""


def by_strace(lab: Lab, words: list[str], where: Path) -> Bytes:
    """What strace's lines add up to. One file for each thread, so that no call is told in two parts."""
    folder = lab.file(".strace")
    folder.mkdir()
    calls = ",".join((*_IN, *_OUT, "sendfile", "copy_file_range"))
    subprocess.run(["strace", "-ff", "-y", "-s", "0", "-e", f"trace={calls}", "-o", folder / "t", *words], cwd=where, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for file in folder.iterdir():
        for line in file.read_text().splitlines():
            if found := _CALL.match(line):
                name, path, count = found.groups()
                sums[path][name in _OUT] += int(count)
            elif found := _BETWEEN.match(line):
                one, other, count = found.groups()
                source, target = (one, other) if line.startswith("copy") else (other, one)
                sums[source][0] += int(count)
                sums[target][1] += int(count)
    return _real((path, (read, written)) for path, (read, written) in sums.items())


def by_ebtrace(session: Session) -> Bytes:
    return _real((row["path"], (row["read_bytes"], row["written_bytes"])) for row in session.stats["files"] if row["path"].startswith("/"))


def _real(rows: Iterable[tuple[str, tuple[int, int]]]) -> Bytes:
    """ebtrace tells paths as programs use them, strace as the kernel does: without symbolic links."""
    sums: dict[str, tuple[int, int]] = {}
    for path, (read, written) in rows:
        if read or written:
            before = sums.get(os.path.realpath(path), (0, 0))
            sums[os.path.realpath(path)] = before[0] + read, before[1] + written
    return sums


def fixed(sums: Bytes) -> Bytes:
    return {path: moved for path, moved in sums.items() if not _RANDOM.search(path) and path not in ("/dev/null", "/dev/pts/0")}


def by_chance(sums: Bytes) -> tuple[int, int]:
    """All that moved under names of chance, apart from /proc."""
    some = [moved for path, moved in sums.items() if _RANDOM.search(path) and not path.startswith("/proc")]
    return sum(read for read, _ in some), sum(written for _, written in some)


@pytest.fixture
def both(lab: Lab) -> Callable[..., tuple[Bytes, Bytes]]:
    """Runs a command under strace and under ebtrace, each time in a folder of the same name and content."""
    def run(make: Callable[[Path], None], *words: str) -> tuple[Bytes, Bytes]:
        where = lab.folder / "here"
        found = []
        for trace in (lambda: by_strace(lab, list(words), where), lambda: by_ebtrace(lab.trace(list(words), cwd=where).whole())):
            shutil.rmtree(where, ignore_errors=True)
            where.mkdir()
            make(where)
            found.append(trace())
        return found[0], found[1]

    return run


def tree(where: Path) -> None:
    """Some folders with files of known sizes."""
    for number in range(13):
        folder = where / "tree" / f"d{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(bytes(range(256)) * (number * 31))


def test_tar(both: Callable[..., tuple[Bytes, Bytes]]) -> None:
    theirs, ours = both(tree, "tar", "-cf", "out.tar", "tree")
    assert fixed(ours) == fixed(theirs)
    (archive,) = (moved for path, moved in ours.items() if path.endswith("/out.tar"))
    assert archive[1] > sum(256 * number * 31 for number in range(13))


def test_sqlite(both: Callable[..., tuple[Bytes, Bytes]]) -> None:
    theirs, ours = both(lambda where: None, sys.executable, "-B", "-c", SQLITE, "data.db")
    assert fixed(ours) == fixed(theirs)
    assert {path.rpartition("/")[2] for path in ours} >= {"data.db", "data.db-journal"}


def test_make_with_four_jobs(both: Callable[..., tuple[Bytes, Bytes]]) -> None:
    need(shutil.which("make") is not None, "needs make")

    def project(where: Path) -> None:
        for number in range(7):
            (where / f"m{number}.c").write_text(f"#include <stdio.h>\nint f{number}(void) {{ return printf(\"{number}\"); }}\n")
        (where / "main.c").write_text("int main(void) { return 0; }\n")
        objects = " ".join(f"m{number}.o" for number in range(7))
        (where / "Makefile").write_text(f"all: main.o {objects}\n\tcc -o all $^\n%.o: %.c\n\tcc -c -o $@ $<\n")

    theirs, ours = both(project, "make", "-j4")
    assert {path for path in ours if path.endswith(".o")} >= {f"{Path(path).parent}/m{number}.o" for path in ours if path.endswith("main.o")
                                                              for number in range(7)}
    assert fixed(ours) == fixed(theirs)
    assert by_chance(ours) == by_chance(theirs)  # the compiler's assembly goes through files with names of chance


def test_git_clone(both: Callable[..., tuple[Bytes, Bytes]]) -> None:
    need(shutil.which("git") is not None, "needs git")

    def repository(where: Path) -> None:
        tree(where)
        git = ["git", "-C", where / "tree", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        dates = {"GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run([*git, *words], check=True, env={**os.environ, **dates})

    theirs, ours = both(repository, "git", "clone", "-q", "--no-local", "tree", "copy")
    # Its index holds the times of files, and is read and written in pieces that do not depend on them. What is written under a name of
    # chance and renamed is told by its last name here, and by the first one there. Whether a thread of git's has memory to give back, for
    # which malloc(3) asks the kernel's settings, depends on when it ran.
    different = {path for path in fixed(ours).keys() | fixed(theirs).keys() if fixed(ours).get(path) != fixed(theirs).get(path)}
    assert all("/copy/.git/" in path or path == "/proc/sys/vm/overcommit_memory" for path in different), different
    totals = [[sum(moved[side] for path, moved in sums.items() if "/copy/" in path) for side in (0, 1)] for sums in (ours, theirs)]
    assert totals[0] == totals[1]
    assert {f"f{number}" for number in range(1, 13)} <= {path.rpartition("/")[2] for path in ours if "/copy/d" in path}


def test_a_server_and_its_clients(lab: Lab) -> None:
    need(shutil.which("curl") is not None, "needs curl")
    where = lab.folder / "www"
    where.mkdir()
    (where / "file").write_bytes(bytes(300_007))
    script = f"""
{sys.executable} -u -m http.server --bind 127.0.0.1 0 >log 2>&1 & server=$!
until grep -q port log; do sleep 0.05; done
port=$(sed -n 's/.* port \\([0-9]*\\) .*/\\1/p' log)
told='%{{local_port}} %{{size_header}} %{{size_download}} %{{size_request}}\\n'
for turn in 1 2 3; do curl -s -o /dev/null -w "$told" http://127.0.0.1:$port/file; done
kill $server
"""
    session = lab.trace(["sh", "-c", script], cwd=where).whole()
    rows = {(row["direction"], row["local" if row["direction"] == "out" else "remote"].rpartition(":")[2]): row
            for row in session.stats["connections"] if row["protocol"] == "tcp" and row["direction"] in ("out", "in")}
    told = [list(map(int, line.split())) for line in session.output.splitlines()]
    assert len(told) == 3
    for port, header, body, request in told:
        client, server = rows["out", str(port)], rows["in", str(port)]
        assert body == 300_007
        assert (client["received_bytes"], client["sent_bytes"]) == (header + body, request)
        assert (server["sent_bytes"], server["received_bytes"], server["wire_bytes"]) == (header + body, request, header + body)
    (file,) = (row for row in session.stats["files"] if row["path"] == str(where / "file"))
    assert (file["opens"], file["read_bytes"]) == (3, 3 * 300_007)


def test_the_kernels_own_account(lab: Lab) -> None:
    """/proc/PID/io counts all bytes that read and write calls moved, whatever they moved them to."""
    program = """
import os, sys
def account():
    fd = os.open("/proc/self/io", os.O_RDONLY)
    text = os.read(fd, 4096)
    os.close(fd)
    return [int(line.split()[1]) for line in text.splitlines()[:2]], len(text)
(read, written), own = account()
for number in range(1, 98):
    with open(sys.argv[1], "wb") as file:
        file.write(bytes(number))
    with open(sys.argv[1], "rb") as file:
        file.read()
(read_then, written_then), _ = account()
print(read_then - read - own, written_then - written)
"""
    path = str(lab.folder / "f")
    session = lab.trace([sys.executable, "-B", "-c", program, path]).whole()
    (row,) = (row for row in session.stats["files"] if row["path"] == path)
    assert [row["read_bytes"], row["written_bytes"]] == list(map(int, session.output.split())) == [97 * 49] * 2
