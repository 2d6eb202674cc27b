"""bpf/strings.h: path arguments come out byte by byte, or are marked; each is sent once."""

from __future__ import annotations

import re

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.support import cli

READABLE = {
    "plain": "/nonexistent/plain",
    "longest": "/" * 4084 + "nonexistent",
    "bytes": "/nonexistent/\udcff\udcfe\udc80",
    "newline": '/nonexistent/line\nbreak\t"quoted"\\',
    "utf8": "/nonexistent/\u00e9\u20ac\U0001f41d",
    "empty": "",
    "edge": "/nonexistent/edge",
    "untouched": "/nonexistent/untouched",
}


def the_open(session: Session) -> dict:
    """The last openat: the one that the target is for."""
    return session.calls_of("openat")[-1]


@pytest.mark.parametrize(("case", "transport"), [*((case, "ring") for case in READABLE), ("longest", "perf"), ("bytes", "perf")])
def test_paths_are_kept_byte_by_byte(lab: Lab, case: str, transport: str) -> None:
    session = lab.trace(f"paths {case}", "--transport", transport).whole()
    call = the_open(session)
    assert call["error"] == "ENOENT"
    assert call["args"]["path"] == READABLE[case]
    # An empty path names no file; of others, slashes in a row count once.
    files = {row["path"] for row in session.stats["files"]}
    assert not READABLE[case] or re.sub("/+", "/", READABLE[case]) in files


@pytest.mark.parametrize("case", ["unmapped", "kernel", "unended"])
def test_a_path_that_nobody_can_read_is_marked(lab: Lab, case: str) -> None:
    session = lab.trace(f"paths {case}").whole()
    call = the_open(session)
    assert call["error"] == "EFAULT"
    assert call["unreadable"] is True


def test_a_path_longer_than_any_path_is_marked_as_cut(lab: Lab) -> None:
    call = the_open(lab.trace("paths overlong").whole())
    assert call["error"] == "ENAMETOOLONG"
    assert call["args"]["path"].startswith("/" * 4000)
    assert call["cut"]


def test_a_path_is_sent_once(lab: Lab) -> None:
    session = lab.trace("calls access 1009 openat 1013").whole()
    assert {call["args"]["path"] for call in session.calls_of("faccessat")} == {"/nonexistent/path"}
    assert [call["args"]["path"] for call in session.calls_of("openat")].count("/etc/passwd") == 1013
    assert session.stats["ledger"]["strings"]["delivered"] < 30


def test_files_are_counted_by_name(lab: Lab) -> None:
    session = lab.trace("calls zero 1009 null 2003 openat 503").whole()
    files = {row["path"]: row for row in session.stats["files"]}
    zero, null, passwd = files["/dev/zero"], files["/dev/null"], files["/etc/passwd"]
    assert (zero["opens"], zero["reads"], zero["read_bytes"], zero["errors"]) == (1, 1009, 7063, 0)
    assert (null["opens"], null["writes"], null["written_bytes"], null["errors"]) == (1, 2003, 6009, 0)
    assert (passwd["opens"], passwd["reads"], passwd["writes"]) == (503, 0, 0)


def test_a_path_changed_by_another_thread_does_no_harm(lab: Lab) -> None:
    session = lab.trace("torn 20011").whole()
    assert len(session.calls_of("openat")) == session.calls("openat") >= 20011


def test_a_terminal_is_safe_from_hostile_names(lab: Lab) -> None:
    session = lab.trace(["/bin/sh", "-c", "cat \"$(printf '/nonexistent/\\033[31mred\\nTOTAL\\r')\"; true"]).whole()
    shown = cli("stats", session.path).stdout
    assert "red" in shown
    assert "\x1b[31m" not in shown
    assert "\r" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("TOTAL")]
