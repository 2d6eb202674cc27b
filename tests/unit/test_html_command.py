"""`ebtrace report` as a program."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.html_columns import Page
from tests.unit.report_sessions import Story

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture
def session(tmp_path: Path) -> Path:
    told = Story()
    told.found(0, 1, 100)
    for turn in range(3000):
        told.call("read", turn * 100, 50, 3, [turn])
    return told.write(tmp_path / "a.ebt")


def report(*words: str | Path, cwd: Path, **how: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from tracer.commands import entry; entry()", "report"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **how}
    return subprocess.run([*program, *words], capture_output=True, text=True, timeout=30, env=environment, cwd=cwd, check=False)


def test_the_file_is_named_like_the_session_and_private(session: Path, tmp_path: Path) -> None:
    done = report(session, cwd=tmp_path)
    out = tmp_path / "a.html"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"ebtrace: {out.stat().st_size:,} bytes in a.html\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text().startswith("<!doctype html>")
    again = report(session, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (1, "ebtrace: a.html exists already\noverwrite it with --force, or name another file: -o FILE\n")
    assert report(session, "--force", "--title", "T<b>", cwd=tmp_path).returncode == 0
    assert "<title>T&lt;b&gt; · ebtrace</title>" in out.read_text()


def test_the_session_is_never_overwritten(session: Path, tmp_path: Path) -> None:
    before = session.read_bytes()
    done = report(session, "-o", session, "--force", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"ebtrace: {session} is the session itself\nname another file: -o FILE\n")
    assert session.read_bytes() == before


def test_fewer_events(session: Path, tmp_path: Path) -> None:
    assert report(session, "--max-events", "1000", cwd=tmp_path).returncode == 0
    assert "The session has 3,000 calls, too many for one page." in (tmp_path / "a.html").read_text()
    assert report(session, "--max-events", "5", cwd=tmp_path).returncode == 2


def test_without_bodies(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.exchange(1, 2, 3, 4, method="GET", scheme="http", authority="a.example", target="/", status=200, response_body=b"said and done")
    told.write(tmp_path / "a.ebt")
    for words, expected in (((), b"said and done"), (("--no-bodies",), b"")):
        assert report("a.ebt", "--force", *words, cwd=tmp_path).returncode == 0
        page = Page((tmp_path / "a.html").read_text())
        assert page.body(0, 1) == expected
        assert page.tables["http"]["response_bytes"] == [13]


def test_what_is_no_session_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "b.ebt").write_text("hello")
    done = report("b.ebt", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith("ebtrace: b.ebt")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b.html").exists()


def test_a_folder_that_is_not_there(session: Path, tmp_path: Path) -> None:
    done = report(session, "-o", "absent/a.html", cwd=tmp_path)
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_open_asks_for_a_browser(session: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > "$(dirname "$0")/asked"\n')
    browser.chmod(0o755)
    assert report(session, "--open", cwd=tmp_path, BROWSER=f"{browser} %s").returncode == 0
    assert (tmp_path / "asked").read_text() == f"file://{tmp_path}/a.html"
