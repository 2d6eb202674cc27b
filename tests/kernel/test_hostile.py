"""Names that a hostile program chose: they break neither the terminal nor JSON, and what was cut is marked."""

from __future__ import annotations

import json
import os
import sys

from tests.kernel.lab import Lab
from tests.kernel.support import cli

NAMES = [
    b"line\nend", b"\x1b]0;owned\x07\x1b[2J", b"\xff\xfe no utf-8", "\u202egnp.exe".encode(), b"tab\there",
    b"quote\"back\\slash", b"[red]rich[-red]",
]
PROGRAM = r"""
import os, sys
os.chdir(sys.argv[1])
for name in NAMES:
    with open(name, "wb") as file:
        file.write(bytes(7))
deep = b"d" * 200
for _ in range(30):  # together 6,030 bytes: more than a path may have
    os.mkdir(deep)
    os.chdir(deep)
with open(b"bottom", "wb") as file:
    file.write(bytes(11))
os.chdir(sys.argv[1])
longest = b"/".join([b"."] * 2047)
for path in (longest, b"x/" * 3000, b"y" * 256):
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        pass
os.execv("/bin/true", ["true", "A" * 100_000, "\n\x1b[31m"])
"""


def test_hostile_names(lab: Lab) -> None:
    top = lab.folder / "top"
    top.mkdir()
    session = lab.trace([sys.executable, "-c", PROGRAM.replace("NAMES", repr(NAMES)), str(top)]).whole()
    files = {row["path"]: row for row in session.stats["files"]}
    for name in NAMES:
        row = files[f"{top}/{os.fsdecode(name)}"]
        assert (row["opens"], row["written_bytes"], row["created"]) == (1, 7, True)
    bottom = f"{top}{('/' + 'd' * 200) * 30}/bottom"
    assert files[bottom]["written_bytes"] == 11
    assert [row["ret"] for row in session.calls_of("openat") if row["args"]["path"].startswith("x/")] == [-36]  # ENAMETOOLONG
    (cut,) = (row for row in session.calls_of("openat") if row["args"]["path"].startswith("x/"))
    assert (len(cut["args"]["path"]), cut.get("cut")) == (4096, True)
    (whole,) = (row for row in session.calls_of("openat") if row["args"]["path"].startswith("./."))
    assert (len(whole["args"]["path"]), whole.get("cut"), whole["error"]) == (4093, None, None)
    (process,) = session.stats["processes"]
    assert (process["argv_state"], process["argv"][0]) == ("cut", "true")


def test_names_that_differ_only_where_multiplying_shows_little(lab: Lab) -> None:
    """Two names with one hash would be one file. The upper bit of a word is all that any odd multiplier leaves alone."""
    first = bytes(range(0x41, 0x41 + 24))
    names = {first}
    for upper, lower in ((0x80, 0x80), (0x80, 0), (0, 0x80), (0xC0, 0xC0), (0x80, 0x40), (0x40, 0x80)):
        for place in range(8, 24):
            other = bytearray(first)
            other[7] ^= upper
            other[place] ^= lower
            names.add(bytes(other))
            if place + 4 < 24:
                other[place + 4] ^= upper
                names.add(bytes(other))
    program = "import sys\nfor name in NAMES:\n    try:\n        open(name)\n    except OSError:\n        pass"
    session = lab.trace([sys.executable, "-c", program.replace("NAMES", repr(sorted(names)))]).whole()
    opened = [os.fsencode(call["args"]["path"]) for call in session.calls_of("openat")]
    assert [name for name in opened if name.startswith(first[:7])] == sorted(names)


def test_nothing_of_it_reaches_the_terminal(lab: Lab) -> None:
    top = lab.folder / "top"
    top.mkdir()
    session = lab.trace([sys.executable, "-c", PROGRAM.replace("NAMES", repr(NAMES)), str(top)])
    for words in (("stats", "-n", "0"), ("stats", "--json"), ("export", "--to", "jsonl")):
        shown = cli(words[0], session.path, *words[1:])
        assert shown.returncode == 0
        lines = shown.stdout.split("\n")
        assert all(line.isprintable() for line in lines)
        if words[0] == "export":
            assert all(json.loads(line) for line in lines if line)
