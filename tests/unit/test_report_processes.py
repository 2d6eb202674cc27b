from pathlib import Path

import pytest

from report.processes import Folders, Process, exit_signal, exit_status, lifecycle, processes_of
from report.samples import samples_of
from report.strings import Strings
from report.syscalls import calls_by_process
from tests.unit.report_sessions import ORIGIN, Story
from tracer.kinds import LifeKind, StringFlag
from tracer.session.format import BlockKind
from tracer.session.reader import open_session


def processes(told: Story, path: Path, folders: Folders | None = None) -> tuple[Process, ...]:
    with open_session(str(told.write(path / "a.ebt"))) as session:
        return processes_of(session, Strings(session), lifecycle(session), calls_by_process(session), folders)


@pytest.mark.parametrize(("code", "status"), [(0, 0), (7 << 8, 7), (255 << 8, 255), (9, 137), (11 | 0x80, 139), (15, 143)])
def test_exit_status_as_a_shell_says_it(code: int, status: int) -> None:
    assert exit_status(code) == status


@pytest.mark.parametrize(("code", "name"), [
    (0, None), (7 << 8, None), (9, "SIGKILL"), (11 | 0x80, "SIGSEGV"), (34, "SIGRTMIN"), (37, "SIGRTMIN+3"), (64, "SIGRTMAX"), (32, "signal 32"),
    (0x7F, "signal 127"),
])
def test_the_signal_that_ended_it(code: int, name: str | None) -> None:
    assert exit_signal(code) == name


def test_a_family(tmp_path: Path) -> None:
    told = Story()
    told.found(5, 1, 100, start_ns=1_000_000_000_000 - 2_000, parent_tgid=99)
    told.exec(50, 1, 100, "/bin/sh", "sh", "-c", "ls; true")
    told.fork(100, 2, 101, parent=1, parent_pid=100)
    told.lived(LifeKind.THREAD, 110, 2, 101, tid=102, comm=b"helper")
    told.exec(120, 2, 101, "/bin/ls", "ls", "", uid=0)
    told.lived(LifeKind.EXIT, 150, 2, 101, tid=102, comm=b"helper", exit_code=0)
    told.exit(200, 2, 101, code=2 << 8, cpu_ns=77, peak_rss_bytes=4096, comm=b"ls")
    told.call("read", 130, ret=4, proc=2, tid=101)
    told.call("read", 131, ret=4, proc=2, tid=102)
    shell, ls = processes(told, tmp_path)
    assert shell == Process(
        proc=1, pid=100, ppid=99, parent=0, argv=("sh", "-c", "ls; true"), argv_state="whole", exe="/bin/sh",
        title="sh -c 'ls; true'", cwd="/home/me", comm="sh", uid=1000, started_ns=-2000,
        ended_ns=None, exit_status=None, calls=0, cpu_ns=None, peak_rss_bytes=None, threads=1, execs=1)
    assert ls == Process(
        proc=2, pid=101, ppid=100, parent=1, argv=("ls", ""), argv_state="whole", exe="/bin/ls", title="ls", cwd="/home/me", comm="ls", uid=1000,
        started_ns=100, ended_ns=200, lifetime_ns=100, exit_status=2, calls=2, cpu_ns=77, peak_rss_bytes=4096, threads=2, execs=1)


def test_a_pid_that_is_used_again(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    for turn in range(3):
        told.fork(100 * turn + 10, 2 + turn, 555, parent=1, parent_pid=100)
        told.exec(100 * turn + 20, 2 + turn, 555, f"/bin/tool{turn}", f"tool{turn}")
        told.exit(100 * turn + 30, 2 + turn, 555, code=turn << 8)
        told.call("read", 100 * turn + 25, ret=1, proc=2 + turn, tid=555)
    assert [(row.proc, row.pid, row.argv, row.started_ns, row.ended_ns, row.exit_status, row.calls) for row in processes(told, tmp_path)[1:]] == [
        (2, 555, ("tool0",), 10, 30, 0, 1), (3, 555, ("tool1",), 110, 130, 1, 1), (4, 555, ("tool2",), 210, 230, 2, 1)]


def test_a_fork_that_never_execs_is_what_its_parent_was_then(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.exec(5, 1, 100, "/bin/first", "first")
    told.fork(10, 2, 101, parent=1, parent_pid=100)
    told.exec(15, 1, 100, "/bin/second", "second")
    first, child = processes(told, tmp_path)
    assert (first.argv, first.execs, child.argv, child.exe, child.execs) == (("second",), 2, ("first",), "/bin/first", 0)


def test_records_in_another_order_than_time(tmp_path: Path) -> None:
    told = Story()
    told.exit(30, 2, 101)
    told.exec(20, 2, 101, "/bin/ls", "ls")
    told.fork(10, 2, 101, parent=1, parent_pid=100)
    told.found(0, 1, 100)
    assert [(row.pid, row.argv, row.ended_ns) for row in processes(told, tmp_path)] == [(100, (), None), (101, ("ls",), 30)]


def test_of_several_last_threads_the_latest_is(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.lived(LifeKind.EXIT, 20, 1, 100, process_ended=1, exit_code=0, cpu_ns=5)
    told.lived(LifeKind.EXIT, 21, 1, 100, tid=103, process_ended=1, exit_code=3 << 8, cpu_ns=6, comm=b"pool")
    row, = processes(told, tmp_path)
    assert (row.ended_ns, row.exit_status, row.cpu_ns, row.comm) == (21, 3, 6, "sh")


def test_arguments_that_are_cut_lost_unreadable_or_no_utf8(tmp_path: Path) -> None:
    told = Story()
    names = {"argv_id": told.string(b"cc\0-o\0lon", length=90_000, flags=StringFlag.CUT)}
    told.exec(1, 1, 100, "/bin/cc", "x", **names)
    told.exec(1, 2, 101, "/bin/b", "x", argv_id=told.string("gone", sent=False), filename_id=told.string("gone too", sent=False))
    told.exec(1, 3, 102, "/bin/c", "x", argv_id=0)
    told.exec(1, 4, 103, "/tmp/\udcff", "\udcff", "\n\x1b[2J", "")
    assert [(row.argv, row.argv_state, row.exe) for row in processes(told, tmp_path)] == [
        (("cc", "-o", "lon"), "cut", "/bin/cc"), ((), "lost", None), ((), "unknown", "/bin/c"), (("\udcff", "\n\x1b[2J", ""), "whole", "/tmp/\udcff")]


def test_found_by_attach(tmp_path: Path) -> None:
    told = Story(kind="attach")
    told.maps.append((BlockKind.SNAPSHOT, {"processes": [
        {"pid": 100, "ppid": 1, "argv": ["server", "--port", "80"], "exe": "/usr/bin/server", "started_unix_ns": 1}, "no map", {"pid": "100"}]}))
    told.found(5, 1, 100, start_ns=1_000_000_000_000 - 10**9, parent_tgid=1)
    told.found(5, 1, 100, tid=107, parent_tgid=1, start_ns=1_000_000_000_000 - 10**8, comm=b"worker")
    told.found(6, 2, 105, parent_proc=1, parent_tgid=100)
    server, child = processes(told, tmp_path)
    assert (server.argv, server.argv_state, server.exe, server.started_ns, server.threads, server.comm, server.ppid) == (
        ("server", "--port", "80"), "whole", "/usr/bin/server", -10**9, 2, "sh", 1)
    assert (child.argv, child.argv_state, child.parent, child.ppid) == ((), "unknown", 1, 100)


def test_a_process_known_only_by_its_calls_is_not_dropped(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("read", 1, ret=1, proc=9)
    told.call("read", 1, ret=1, proc=0)
    assert [(row.proc, row.pid, row.calls) for row in processes(told, tmp_path)] == [(1, 100, 0), (9, None, 1)]


def test_cpu_time_and_memory_of_what_was_not_seen_to_end(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.fork(10, 2, 101, parent=1, parent_pid=100)
    told.sample(500, 2, 101, cpu_ns=30, rss_bytes=1, peak_rss_bytes=9 << 20)
    told.sample(100, 1, 100, cpu_ns=5, rss_bytes=2000, peak_rss_bytes=3000)
    told.sample(900, 1, 100, cpu_ns=7, rss_bytes=1000, peak_rss_bytes=3000)
    told.sample(901, 1, 100, cpu_ns=8)  # its first thread has ended
    told.exit(800, 2, 101, code=9, cpu_ns=40, peak_rss_bytes=5 << 20)  # the last program was smaller than the one before
    told.sample(801, 2, 101, cpu_ns=10**15, peak_rss_bytes=1 << 50)  # another's, which has the pid now
    told.sample(5, 77, 177, cpu_ns=1)
    first, second = processes(told, tmp_path)
    assert (first.cpu_ns, first.peak_rss_bytes, first.ended_ns, first.lifetime_ns) == (8, 3000, None, None)
    assert (second.cpu_ns, second.peak_rss_bytes, second.lifetime_ns, second.exit_status, second.signal) == (40, 9 << 20, 790, 137, "SIGKILL")
    with open_session(str(tmp_path / "a.ebt")) as session:
        samples = samples_of(session, {2: 800})
    assert list(zip(samples["proc"].tolist(), samples["at_ns"].tolist(), strict=True)) == [(1, 100), (1, 900), (1, 901), (2, 500), (77, 5)]


def test_samples_that_nobody_can_have_taken(tmp_path: Path) -> None:
    told = Story(started_ns=1 << 63)
    told.fork(10, 2, 101, parent=1, parent_pid=100)
    told.exit(20, 2, 101, at_ns=(1 << 64) - 1, cpu_ns=1, peak_rss_bytes=1)
    for at in (-ORIGIN, (1 << 64) - 1 - ORIGIN):
        told.sample(at, 2, 101, cpu_ns=(1 << 64) - 1, peak_rss_bytes=(1 << 64) - 1)
    row, = processes(told, tmp_path)
    assert row.cpu_ns == row.peak_rss_bytes == (1 << 64) - 1


def test_scripts_and_where_they_ran(tmp_path: Path) -> None:
    told = Story(kind="attach")
    told.maps.append((BlockKind.SNAPSHOT, {"processes": [
        {"pid": 100, "argv": ["python3", "/srv/serve.py"], "exe": "/usr/bin/python3", "cwd": "/srv"}]}))
    told.found(5, 1, 100)
    told.fork(10, 2, 101, parent=1, parent_pid=100)
    told.exec(20, 2, 101, "./tool.sh", "/bin/sh", "./tool.sh", "x", interp_id=told.string("/bin/sh"))
    told.fork(30, 3, 102, parent=2, parent_pid=101)
    told.fork(40, 4, 103, parent=9, parent_pid=109, comm=b"orphan")
    rows = processes(told, tmp_path)
    assert [(row.title, row.exe, row.interp, row.cwd) for row in rows] == [
        ("serve.py", "/usr/bin/python3", None, "/srv"), ("tool.sh", "./tool.sh", "/bin/sh", "/srv"),
        ("tool.sh", "./tool.sh", "/bin/sh", "/srv"), ("orphan", None, None, None)]
    rows = processes(told, tmp_path, Folders({(2, ORIGIN + 20): "/opt/x/"}, {1: "/srv", 2: "/", 3: "/opt/x"}))
    assert [(row.exe, row.cwd) for row in rows] == [
        ("/usr/bin/python3", "/srv"), ("/opt/x/tool.sh", "/"), ("/opt/x/tool.sh", "/opt/x"), (None, None)]
