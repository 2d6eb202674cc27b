from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from report.html.wording import socket_address
from tests.unit.html_columns import page_of
from tests.unit.report_sessions import AT_FDCWD, Story
from tracer.kinds import CallFlag

calls = st.lists(st.fixed_dictionaries({
    "name": st.sampled_from(["read", "write", "getppid", "openat", "mmap"]),
    "start": st.integers(-(10**9), 10**12), "duration": st.integers(0, (1 << 48) - 1),
    "ret": st.integers(-(1 << 63), (1 << 63) - 1), "tid": st.integers(1, 5), "proc": st.integers(0, 3), "flags": st.sampled_from([0, 1, 2, 4, 8]),
    "args": st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=3)}), max_size=30)


@given(calls)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_call_comes_back_in_the_order_of_start(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    story = Story()
    for call in told:
        story.call(**call, counted=False)
    found = page_of(story.write(tmp_path / "a.ebt", batch=7)).calls()
    expected = sorted(told, key=lambda call: call["start"])
    assert [(row["name"], row["start"], row["duration"], row["ret"], row["tid"], row["proc"], row["flags"]) for row in found] == [
        (call["name"], call["start"], call["duration"], call["ret"], call["tid"], call["proc"], call["flags"]) for call in expected]
    for row, call in zip(found, expected):
        if call["name"] in ("getppid", "mmap"):
            slots = [value & (1 << 64) - 1 for value in (*call["args"], 0, 0, 0)][:3]
            assert [row["a0"], row["a1"], row["a2"]] == slots


anything = st.integers(0, (1 << 64) - 1)
forged = st.lists(st.fixed_dictionaries({
    **dict.fromkeys(("start_ns", "duration_ns", "a0", "a1", "a2"), anything), "ret": st.integers(-(1 << 63), (1 << 63) - 1),
    "sysno": st.integers(0, (1 << 16) - 1), "flags": st.integers(0, 255), "proc": st.integers(0, (1 << 32) - 1),
    "tid": st.integers(0, (1 << 32) - 1)}), max_size=20)


@given(forged, st.integers(-(1 << 62), 1 << 62), st.sampled_from([1000, 5]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_that_no_kernel_gives_do_no_harm(tmp_path: Path, calls: list[dict[str, int]], origin: int, most: int) -> None:
    story = Story(started_ns=origin)
    story.calls = calls
    found = page_of(story.write(tmp_path / "a.ebt"), max_events=most)
    assert found.level()["calls"].sum() == len(calls)
    rows = found.calls()
    assert len(rows) == found.head["held"] <= max(most, 4)
    if len(calls) <= most:
        assert sorted((row["ret"], row["tid"], row["proc"]) for row in rows) == sorted((call["ret"], call["tid"], call["proc"]) for call in calls)


def test_texts_stand_in_the_place_of_their_ids(tmp_path: Path) -> None:
    told = Story()
    one, two = told.string("/etc/passwd"), told.string("/tmp/\udcff\n", length=5000, flags=1)
    lost = told.string("/lost", sent=False)
    for turn, string in enumerate((one, two, one, lost, 0)):
        told.call("openat", turn * 100, 50, 3, [AT_FDCWD, string, 0])
    told.call("execve", 1000, 50, 0, [told.string("/bin/echo"), told.argv("echo", "a b", "\x1b[31m"), 0], flags=CallFlag.EXECED)
    rows = page_of(told.write(tmp_path / "a.ebt")).calls()
    assert [row["args"]["path"] for row in rows] == ["/etc/passwd", "/tmp/\\xff\\n…", "/etc/passwd", "", "", "/bin/echo"]
    assert rows[0]["args"]["dirfd"] == AT_FDCWD
    assert rows[-1]["args"]["argv"] == "echo 'a b' $'\\e[31m'"


@pytest.mark.parametrize(("raw", "expected"), [
    (b"\x02\x00\x1f\x90\x7f\x00\x00\x01" + b"\0" * 8, "127.0.0.1:8080"),
    (b"\x0a\x00\x00\x50\x00\x00\x00\x00" + b"\0" * 15 + b"\x01\0\0\0\0", "[::1]:80"),
    (b"\x01\x00/run/x\0junk", "/run/x"), (b"\x01\x00\0name\0\0", "@name"), (b"\x01\x00", "(unnamed)"),
    (b"\x10\x00", "AF_NETLINK"), (b"\xff\x00", "address family 255"), (b"", "AF_UNSPEC"), (b"\x02\x00\x01", "AF_INET"),
])
def test_socket_addresses(raw: bytes, expected: str) -> None:
    assert socket_address(raw) == expected


def test_descriptors_have_names_in_every_call(tmp_path: Path) -> None:
    told = Story()
    told.found(0, 1, 100)
    told.call("openat", 1000, 50, 3, [AT_FDCWD, told.string("/a"), 0])
    told.call("fstat", 2000, 50, 0, [3])
    told.call("read", 3000, 50, 1, [3])
    told.call("newfstatat", 3200, 50, 0, [3, told.string(""), 0x1000])
    told.call("dup2", 3500, 50, 7, [3, 7])
    told.call("close", 4000, 50, 0, [3])
    told.call("openat", 5000, 50, 3, [AT_FDCWD, told.string("/b\n"), 0])
    told.call("read", 6000, 50, 1, [3], tid=101)
    told.call("read", 6000, 50, 1, [7], tid=102)
    told.call("read", 6000, 50, 1, [9], tid=103)
    told.call("getppid", 7000, 50, 1, [3])
    rows = page_of(told.write(tmp_path / "a.ebt", batch=3)).calls()
    assert [(row["name"], row["thing"]) for row in rows] == [
        ("openat", ""), ("fstat", "/a"), ("read", "/a"), ("newfstatat", "/a"), ("dup2", "/a"), ("close", "/a"), ("openat", ""),
        ("read", "/b\\n"), ("read", "/a"), ("read", ""), ("getppid", "")]


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    told = Story(expression="trace=read")
    told.call("read", 0, ret=1)
    told.call("openat", 10, ret=3)
    assert [row["name"] for row in page_of(told.write(tmp_path / "a.ebt")).calls()] == ["read"]


def test_another_machine_and_unknown_numbers(tmp_path: Path) -> None:
    told = Story()
    told.call("read", 0, ret=1)
    told.calls[0] |= {"sysno": 60_000}
    told.meta["arch"] = "riscv64"
    rows = page_of(told.write(tmp_path / "a.ebt")).calls()
    assert [row["name"] for row in rows] == ["syscall_60000"]


def test_too_many_calls_are_sampled_and_the_page_says_how(tmp_path: Path) -> None:
    told = Story()
    for turn in range(10_000):
        told.call("read", turn * 1000, 1_000_000 if turn % 1000 == 7 else 100, -4 if turn % 500 == 3 else 1, [3])
    page = page_of(told.write(tmp_path / "a.ebt", batch=999), max_events=1000)
    rows = page.calls()
    assert len(rows) <= 1000
    assert sum(row["ret"] == -4 for row in rows) == 20
    assert sum(row["duration"] == 1_000_000 for row in rows) == 10
    assert page.head["calls"] == 10_000
    assert page.head["held"] == len(rows)
    assert "The session has 10,000 calls, too many for one page." in page.text
    assert f"It holds {len(rows)} of them one by one" in page.text
    assert "all that failed, and one in 11 of the others" in page.text
    assert page.level()["calls"].sum() == 10_000
    assert sum(map(sum, page.head["chart"][:-1])) == 10_000


def test_nothing_at_all(tmp_path: Path) -> None:
    page = page_of(Story().write(tmp_path / "a.ebt"))
    assert page.calls() == []
    assert page.head["held"] == 0
