import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from report.layout import Column, fit, flow, table, wrapped
from report.tables import print_totals, sections
from report.totals import totals_of
from report.tree import process_rows
from tests.unit.report_sessions import AT_FDCWD, Story
from tracer.kinds import CallFlag, StringFlag
from tracer.session.format import BlockKind
from tracer.session.reader import open_session

HOSTILE = "/tmp/\x1b]0;owned\x07\n\r\x9b2J\u202egnp.\udcff日本語 [red]:smile:"


def story(**meta: Any) -> Story:
    told = Story(**{"command": ["opencode", "run", HOSTILE], **meta})
    told.found(-2_000_000, 1, 100)
    told.exec(5, 1, 100, "/usr/bin/opencode", "opencode", "run", HOSTILE)
    for child in range(2, 40):
        told.fork(1000 * child, child, 100 + child, parent=1, parent_pid=100)
        told.exec(1000 * child + 10, child, 100 + child, "/bin/sh", "sh", "-c", HOSTILE, "x" * 300)
        for turn in range(child):
            told.call("openat", 1000 * child + 20 + turn, 700, 3, [AT_FDCWD, told.string(f"{HOSTILE}/{child}/{'y' * 200}"), 0], proc=child)
            told.call("read", 1000 * child + 800 + turn, 123_456, 1_234_567, [3, 0x7000, 4096], proc=child)
        told.exit(1000 * child + 900, child, 100 + child, code=9 if child % 2 else 0)
    told.call("openat", 90_000, 100, -2, [AT_FDCWD, told.string("/missing"), 0])
    told.call("exit_group", 95_000, 0, flags=CallFlag.UNFINISHED)
    told.maps.append((BlockKind.SNAPSHOT, {"connections": [{"protocol": "tcp\x1b", "local": "127.0.0.1:1", "remote": HOSTILE}]}))
    return told


def shown(told: Story, path: Path, width: int, top: int = 20, terminal: bool = True, **how: Any) -> str:
    with open_session(str(told.write(path / "a.ebt", **how))) as session:
        totals = totals_of(session)
    out = io.StringIO()
    print_totals(totals, Console(file=out, width=width, force_terminal=terminal, color_system="standard" if terminal else None), top)
    return out.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize("complete", [True, False])
def test_every_line_fits_and_the_terminal_is_safe(tmp_path: Path, width: int, complete: bool) -> None:
    lines = plain(shown(story(), tmp_path, width, complete=complete)).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)
    assert any("…" in line for line in lines)
    for word in ("Ledger", "delivered", "Cost of the trace", "Syscalls", "openat", "Processes: 39", "Files: 39"):
        assert any(word in line for line in lines), word


def test_absurdly_narrow(tmp_path: Path) -> None:
    assert shown(story(), tmp_path, 1)


def test_nothing_is_cut_or_coloured_in_a_pipe(tmp_path: Path) -> None:
    text = shown(story(), tmp_path, 80, top=0, terminal=False)
    assert text.isascii() is False
    assert all(line.isprintable() for line in text.splitlines())
    assert "…" not in text
    assert "x" * 300 in text
    assert "y" * 200 in text
    assert "[red]:smile:" in text
    assert "no room" not in text


def test_numbers_stand_to_the_right_and_are_exact(tmp_path: Path) -> None:
    told = Story()
    told.found(-1000, 1, 100)
    told.exec(5, 1, 100, "/bin/cat", "cat", "a b")
    for _ in range(1009):
        told.call("read", 10, 1500, 100)
    told.call("close", 10, 64, -9)
    told.exit(2_000_000, 1, 100, code=2 << 8)
    lines = shown(told, tmp_path, 100, terminal=False).splitlines()
    start = lines.index("Syscalls: 1,010 calls, 1 errors")
    assert lines[start + 1:start + 4] == [
        "syscall  calls  errors  unfinished    total      max      p50      p99   bytes",
        "read     1,009       0           0  1.51 ms  1.50 us  1.45 us  1.50 us  101 kB",
        "close        1       1           0    64 ns    64 ns    64 ns    64 ns       -",
    ]
    start = lines.index("Processes: 1")
    assert lines[start + 1:start + 3] == [
        "pid     start    lived  exit  calls      cpu     peak  threads  process",
        "100  -1.00 us  2.00 ms     2  1,010  5.00 ms  4.19 MB        1  cat 'a b'",
    ]
    start = lines.index("Ledger: nothing was lost")
    assert lines[start + 1:start + 5] == [
        "lane       counted  delivered  sampled out  lost",
        "syscalls     1,010      1,010            0     0",
        "lifecycle        3          3            0     0",
        "strings          2          2            0     0",
    ]


@pytest.mark.parametrize(("change", "verdict", "colour"), [
    ({}, "Ledger: nothing was lost", "green"),
    ({"lost": {"syscalls": 1234}}, "Ledger: 1,234 records were lost", "red"),
    ({"sampled_out": {"syscalls": 7}}, "Ledger: nothing was lost; 7 records were left out as asked", "green"),
    ({"missed_tasks": 1}, "Ledger: nothing that was counted is missing, but the trace is not whole", "yellow"),
])
def test_the_verdict_is_green_only_if_nothing_was_lost(tmp_path: Path, change: dict[str, Any], verdict: str, colour: str) -> None:
    told = story()
    for name, value in change.items():
        setattr(told, name, value)
    with open_session(str(told.write(tmp_path / "a.ebt"))) as session:
        line = list(sections(totals_of(session), 120, 20))[1][0]
    assert line.plain == verdict
    assert colour in str(line.style)


def test_what_is_unaccounted_for_is_shown(tmp_path: Path) -> None:
    text = shown(story(), tmp_path, 80, terminal=False, ledger={"syscalls": {"counted": 10**6}})
    assert "unaccounted" in text
    assert "are unaccounted for" in text


def test_a_session_without_latencies_shows_none(tmp_path: Path) -> None:
    told = Story(mode="counts")
    told.call("read", 10, 1500, 100, delivered=False)
    assert "read         1       0           0      -    -    -    -  100 B" in shown(told, tmp_path, 100, terminal=False)


def test_columns_of_little_worth_go_first_and_are_named() -> None:
    columns = [Column("name", left=True, flexible=True), Column("calls"), Column("max", 4), Column("bytes", 3)]
    rows = [["a-very-long-name-indeed", "1,234", "5.00 ms", "10 kB"]]
    assert [line.plain for line in table(columns, rows, None)] == [
        "name                     calls      max  bytes", "a-very-long-name-indeed  1,234  5.00 ms  10 kB"]
    assert [line.plain for line in table(columns, rows, 39)] == [
        "name              calls      max  bytes", "a-very-long-nam…  1,234  5.00 ms  10 kB"]
    assert [line.plain for line in table(columns, rows, 32)] == [
        "name              calls      max", "a-very-long-nam…  1,234  5.00 ms", "(no room for: bytes)"]
    assert [line.plain for line in table(columns, rows, 20)] == [
        "name           calls", "a-very-long-…  1,234", "(no room for: max,", "bytes)"]


@pytest.mark.parametrize(("text", "width", "cut_start", "expected"), [
    ("abcdef", 6, False, "abcdef"), ("abcdef", 5, False, "abcd…"), ("abcdef", 5, True, "…cdef"), ("abcdef", 1, True, "…"),
    ("abcdef", None, True, "abcdef"),
    ("日本語", 5, False, "日本…"), ("日本語", 4, False, "日…"), ("日本語", 4, True, "…語"),
])
def test_cuts_are_marked(text: str, width: int | None, cut_start: bool, expected: str) -> None:
    assert fit(text, width, cut_start) == expected


def test_parts_flow_over_lines() -> None:
    assert [line.plain for line in flow(["one", Text("two", "red"), "three", "x" * 20], 13)] == ["one · two", "three", "xxxxxxxxxxxx…"]
    assert [line.plain for line in flow(["one", "two"], None)] == ["one · two"]
    assert wrapped("some words here", 10) == ["some words", "here"]


def tree(told: Story, path: Path, top: int, ascii_only: bool = False) -> tuple[list[str], int]:
    with open_session(str(told.write(path / "a.ebt"))) as session:
        rows, hidden = process_rows(totals_of(session).processes, top, ascii_only)
    return [str(row[-1]) for row in rows], hidden


def test_the_tree(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.exec(1, 1, 100, "/bin/make", "make")
    for proc, parent in ((2, 1), (3, 2), (4, 2), (5, 1), (6, 5)):
        told.fork(10 * proc, proc, 100 + proc, parent=parent, parent_pid=100 + parent)
        if proc != 6:
            told.exec(10 * proc + 1, proc, 100 + proc, "/bin/cc", f"cc{proc}")
        for _ in range(proc):
            told.call("read", 100, ret=1, proc=proc)
    assert tree(told, tmp_path, 0) == (["make", "├─ cc2", "│  ├─ cc3", "│  └─ cc4", "└─ cc5", "   └─ (fork) cc5"], 0)
    assert tree(told, tmp_path, 0, ascii_only=True)[0] == ["make", "|- cc2", "|  |- cc3", "|  `- cc4", "`- cc5", "   `- (fork) cc5"]
    assert tree(told, tmp_path, 3) == (["make", "└─ cc5", "   └─ (fork) cc5"], 3)  # the busiest and its line
    assert tree(told, tmp_path, 5) == (["make", "├─ cc2", "│  └─ cc4", "└─ cc5", "   └─ (fork) cc5"], 1)


def test_what_a_person_calls_it_comes_first_in_the_tree(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.exec(1, 1, 100, "/usr/bin/timeout", "timeout", "5", "python3", "-u", "/opt/a/tool.py", "--size", "a b")
    told.fork(2, 2, 101, parent=1, parent_pid=100)
    told.exec(3, 2, 101, "/usr/bin/python3", "/usr/bin/python3", "-m", "http.server", "80", argv_id=told.string(
        b"/usr/bin/python3\0-m\0http.server\0008", length=90_000, flags=StringFlag.CUT))
    told.fork(4, 3, 102, parent=1, parent_pid=100)
    told.exec(5, 3, 102, "/bin/sh", "x", argv_id=told.string("gone", sent=False))
    assert tree(told, tmp_path, 0)[0] == [
        "tool.py (timeout 5 python3 -u /opt/a/tool.py) --size 'a b'",
        "├─ http.server 8 … (/usr/bin/python3 -m http.server)", "└─ sh (arguments lost)"]


def test_colours_are_cut_with_their_text() -> None:
    cell = Text.assemble("make", (" all install", "dim"))
    line = table([Column("x", left=True, flexible=True)], [[cell]], 10)[1]
    assert (line.plain, [(span.start, span.end) for span in line.spans]) == ("make all …", [(4, 10)])
    line = table([Column("x", left=True, flexible=True)], [[cell]], 4)[1]
    assert (line.plain, line.spans) == ("mak…", [])


def test_a_tree_deeper_than_pythons_stack(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    for proc in range(2, 5000):
        told.fork(proc, proc, 100 + proc, parent=proc - 1, parent_pid=99 + proc)
    rows, hidden = tree(told, tmp_path, 0)
    assert (len(rows), hidden) == (4999, 0)
    assert rows[-1].startswith("(4998 deep) ")


def test_parents_that_nobody_should_have(tmp_path: Path) -> None:
    told = Story()
    told.fork(1, 1, 100, parent=1, parent_pid=100)   # its own
    told.fork(2, 0, 101, parent=0, parent_pid=101)
    told.fork(3, 3, 103, parent=77, parent_pid=50)   # never seen
    told.fork(4, 4, 104, parent=5, parent_pid=105)   # a circle
    told.fork(5, 5, 105, parent=4, parent_pid=104)
    rows, hidden = tree(told, tmp_path, 0)
    assert len(rows) + hidden == 5
    assert len(rows) == 3
