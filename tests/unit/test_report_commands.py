"""`ebtrace stats` and `ebtrace export` as programs."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.report_sessions import AT_FDCWD, Story

ENTRY = "from tracer.commands import entry; entry()"
CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture
def session(tmp_path: Path) -> Path:
    told = Story()
    told.found(0, 1, 100)
    told.exec(5, 1, 100, "/bin/cat", "cat", "\udcff\x1b")
    for turn in range(2000):
        told.call("openat", turn * 100, 50, 3, [AT_FDCWD, told.string(f"/é/{turn}"), 0])
    return told.write(tmp_path / "a.ebt")


def ebtrace(*words: str | Path, **how: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **how}
    return subprocess.run([sys.executable, "-c", ENTRY, *words], capture_output=True, text=True, timeout=30, env=environment, check=False)


def test_stats_as_tables_and_as_json(session: Path) -> None:
    done = ebtrace("stats", session)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Ledger: nothing was lost" in done.stdout
    assert "… 1,980 more" in done.stdout
    assert "\x1b" not in done.stdout
    done = ebtrace("stats", session, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (len(found["files"]), found["processes"][0]["argv"]) == (2000, ["cat", "\udcff\x1b"])


def test_stats_in_a_world_of_ascii(session: Path) -> None:
    done = ebtrace("stats", session, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "Ledger: nothing was lost" in done.stdout
    done = ebtrace("stats", session, "--json", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(done.stdout)["files"]


def test_one_process_only(session: Path) -> None:
    assert "Syscalls of process 100: 2,000 calls" in ebtrace("stats", session, "-p", "100").stdout
    done = ebtrace("stats", session, "-p", "101")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no process" in done.stderr


def test_files_that_are_no_sessions(tmp_path: Path, session: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_text("hello")
    for command in (["stats"], ["export", "--to", "jsonl"]):
        for file in (foreign, tmp_path / "absent", tmp_path):
            done = ebtrace(*command, file)
            assert (done.returncode, done.stdout) == (4, "")
            assert done.stderr.startswith("ebtrace: ")
            assert "Traceback" not in done.stderr


def test_export_to_a_file_of_ones_own(tmp_path: Path, session: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert ebtrace("export", session, "--to", "jsonl", "-o", out).returncode == 0
    text = out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert text == ebtrace("export", session, "--to", "jsonl").stdout.encode()
    assert len(text.splitlines()) == 2004
    out.write_text("precious")
    done = ebtrace("export", session, "--to", "jsonl", "-o", out)
    assert (done.returncode, out.read_text()) == (1, "precious")
    assert "--force" in done.stderr
    assert ebtrace("export", session, "--to", "jsonl", "-o", out, "--force").returncode == 0
    assert out.read_bytes() == text


def test_export_never_replaces_the_session(session: Path) -> None:
    before = session.read_bytes()
    done = ebtrace("export", session, "--to", "jsonl", "-o", session, "--force")
    assert (done.returncode, session.read_bytes()) == (2, before)


def test_a_disk_that_fills_up_leaves_nothing_that_looks_whole(tmp_path: Path, session: Path) -> None:
    out = tmp_path / "out.jsonl"
    deaf = f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {ENTRY}"
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", sys.executable, "-c", deaf]
    done = subprocess.run([*limited, "export", session, "--to", "jsonl", "-o", out], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, check=False)
    assert done.returncode == 1
    assert "cannot be written: file too large" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("command", ["stats -n 0", "stats --json", "export --to jsonl"])
def test_a_reader_that_goes_away_is_no_error_to_talk_about(session: Path, command: str) -> None:
    name, *options = command.split()
    with subprocess.Popen([sys.executable, "-c", ENTRY, name, session, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": str(CHECKOUT)}) as program:
        assert program.stdout
        assert program.stderr
        program.stdout.read(10)
        program.stdout.close()
        assert program.stderr.read() == b""


def test_bad_usage(session: Path) -> None:
    assert ebtrace("export", session).returncode == 2
    assert ebtrace("export", session, "--to", "xml").returncode == 2
    assert ebtrace("stats").returncode == 2


@pytest.mark.parametrize("command", ["stats", "export"])
def test_help(command: str) -> None:
    done = ebtrace(command, "--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_reading_needs_no_bcc() -> None:
    code = ("import sys; import report.totals, report.tables, report.jsonl, tracer.commands.stats, tracer.commands.export; "
            "print([name for name in sys.modules if name.split('.')[0] in ('bcc', 'psutil') or name.startswith(('tracer.kernel', 'tracer.target'))])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                          check=True)
    assert "bcc" not in done.stdout
    assert "psutil" not in done.stdout
