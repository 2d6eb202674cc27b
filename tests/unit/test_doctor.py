import errno
import io
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from tracer.commands import main
from tracer.commands.doctor import lines
from tracer.doctor import abilities, examine, host
from tracer.doctor.checks import Capability, Check, as_map, lacking
from tracer.errors import HostError
from tracer.kernel import cost, image
from tracer.records import PLAN, SYSNO_LIMIT, PlanFlag

NEEDED = Capability("probes", "see every call")
EXTRA = Capability("extra", "makes it faster", required=False)
ALL_GOOD = [NEEDED.found("loaded"), EXTRA.found("there")]
RIGHTS_MISSING = [NEEDED.untested("needs root rights", "sudo ebtrace doctor"), EXTRA.untested("needs root rights", "sudo ebtrace doctor")]
BROKEN = [NEEDED.missing("the kernel refused", "use another kernel"), EXTRA.missing("not there", "apt install extra")]


def shown(checks: list[Check], width: int | None) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width or 500, force_terminal=width is not None, color_system=None)
    for line in lines(checks, width):
        console.print(line, soft_wrap=width is None, highlight=False)
    return out.getvalue()


@pytest.mark.parametrize(("check", "status"), [
    (NEEDED.found(""), "ok"), (NEEDED.missing("", ""), "missing"), (NEEDED.untested("", ""), "untested"),
    (EXTRA.found(""), "ok"), (EXTRA.missing("", ""), "optional"), (EXTRA.untested("", ""), "untested"),
])
def test_status(check: Check, status: str) -> None:
    assert check.status == status


def test_only_what_is_required_and_not_ok_is_lacking() -> None:
    assert lacking(ALL_GOOD) == []
    assert [check.name for check in lacking(BROKEN)] == ["probes"]
    assert [check.name for check in lacking(RIGHTS_MISSING)] == ["probes"]


def test_document() -> None:
    document = as_map(BROKEN)
    assert document["ok"] is False
    assert document["checks"][0] == {
        "name": "probes", "ok": False, "required": True, "detail": "the kernel refused", "remedy": "use another kernel", "status": "missing",
        "purpose": "see every call",
    }
    assert as_map([EXTRA.missing("", "")])["ok"] is True


@pytest.mark.parametrize("width", [40, 59, 60, 80, 99, 100, 200])
@pytest.mark.parametrize("checks", [ALL_GOOD, RIGHTS_MISSING, BROKEN])
def test_table_fits_any_terminal_and_says_everything(checks: list[Check], width: int) -> None:
    text = shown(checks, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    for check in checks:
        assert check.status in words
        assert check.name in words
        assert check.purpose in words
        assert check.detail in words
        assert check.remedy in words


def test_piped_each_capability_is_one_line() -> None:
    text = shown(ALL_GOOD, None).splitlines()
    assert text[0].split() == ["ok", "probes", "see", "every", "call", "loaded"]
    assert text[1].split() == ["ok", "extra", "makes", "it", "faster", "there"]


def test_one_remedy_is_said_once() -> None:
    checks = [Capability(name, "").untested("", "sudo ebtrace doctor") for name in "abcde"]
    assert shown(checks, 100).count("sudo ebtrace doctor") == 1
    assert "a, b and 3 more: sudo ebtrace doctor" in shown(checks, 100)


@pytest.mark.parametrize(("checks", "verdict"), [
    (ALL_GOOD, "Everything that tracing needs works here."),
    (RIGHTS_MISSING, "Not everything could be tested without root rights."),
    (BROKEN, "Tracing does not work here. Missing: probes."),
])
def test_verdict(checks: list[Check], verdict: str) -> None:
    assert shown(checks, 120).rstrip().endswith(verdict)


@pytest.mark.parametrize(("checks", "status"), [(ALL_GOOD, 0), (RIGHTS_MISSING, 3), (BROKEN, 3)])
def test_command(checks: list[Check], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(examine, "examine", lambda: checks)
    assert main(["doctor", "--json"]) == status
    assert json.loads(capsys.readouterr().out) == as_map(checks)
    assert main(["doctor"]) == status
    assert "probes" in capsys.readouterr().out


def settings_with(monkeypatch: pytest.MonkeyPatch, **values: str) -> Check:
    monkeypatch.setattr(host, "_read", lambda path: values.get(os.path.basename(path), ""))
    return host.settings()


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    good = settings_with(monkeypatch, lockdown="none [integrity] confidentiality", perf_event_paranoid="2")
    assert (good.ok, good.detail) == (True, "lockdown integrity, perf_event_paranoid 2")
    assert settings_with(monkeypatch).detail == "lockdown unknown"


def test_settings_that_stand_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = settings_with(monkeypatch, lockdown="none integrity [confidentiality]")
    assert (locked.ok, locked.required) == (False, False)
    assert "lockdown=integrity" in locked.remedy
    timed = settings_with(monkeypatch, bpf_stats_enabled="1")
    assert "kernel.bpf_stats_enabled=0" in timed.remedy


def as_user(monkeypatch: pytest.MonkeyPatch, capabilities: set[int], uid: int = 1000, sudo: str | None = "/usr/bin/sudo") -> Check:
    monkeypatch.setattr(host, "capable", lambda number: number in capabilities)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(host.shutil, "which", lambda name: sudo)
    return host.rights()


@pytest.mark.parametrize("capabilities", [{host.CAP_BPF, host.CAP_PERFMON}, {host.CAP_SYS_ADMIN}])
def test_rights_without_root(capabilities: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_user(monkeypatch, capabilities).ok


@pytest.mark.parametrize(("capabilities", "lacks"), [
    (set(), "CAP_BPF and CAP_PERFMON"), ({host.CAP_BPF}, "CAP_PERFMON"), ({host.CAP_PERFMON}, "CAP_BPF"),
])
def test_rights_that_are_missing_are_named(capabilities: set[int], lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    through_sudo = as_user(monkeypatch, capabilities)
    assert through_sudo.detail.endswith(f"without {lacks}")
    assert "sudo" in through_sudo.remedy
    alone = as_user(monkeypatch, capabilities, sudo=None)
    assert (alone.status, "become root" in alone.remedy) == ("missing", True)
    contained = as_user(monkeypatch, capabilities, uid=0)
    assert contained.detail == f"root without {lacks}"
    assert "container" in contained.remedy


@pytest.mark.parametrize(("rights", "number", "status"), [
    (False, errno.EPERM, "untested"), (True, errno.EPERM, "missing"), (True, errno.EINVAL, "missing"), (False, errno.EINVAL, "missing"),
])
def test_a_refused_try(rights: bool, number: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "can_trace", lambda: rights)

    def use() -> str:
        raise OSError(number, os.strerror(number))

    check = abilities._try(NEEDED, use, "get a newer one")
    assert check.status == status
    assert check.detail
    assert check.remedy


def test_a_try_that_explains_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "can_trace", lambda: True)

    def use() -> str:
        raise HostError("it is interpreted", "turn it on")

    check = abilities._try(EXTRA, use, "something else")
    assert (check.status, check.detail, check.remedy) == ("optional", "it is interpreted", "turn it on")


def plans(keep_one_in: int) -> bytes:
    return struct.pack(PLAN, 0, keep_one_in, *bytes(12), 0) * SYSNO_LIMIT


def test_cost_traces_its_call_whatever_was_asked_for() -> None:
    changed = cost._with_traced(plans(3), 110)
    size = struct.calcsize(PLAN)
    for sysno in (109, 110, 111):
        flags, keep = struct.unpack_from("<II", changed, sysno * size)
        assert (flags, keep) == (PlanFlag.TRACED if sysno == 110 else 0, 3)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    for module in (image, cost):
        monkeypatch.setattr(module, "cache_folder", lambda: str(folder))
    return folder


PROBES: dict[str, Any] = {"mode": "full", "transport": "ring", "identity": "this kernel, these sources"}


def test_cost_is_remembered(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cost.bpf_ns_per_call(PROBES, plans(1), measure=False) == (None, "not measured")
    monkeypatch.setattr(cost, "added_ns", lambda *_: 345.5)
    assert cost.bpf_ns_per_call(PROBES, plans(1), measure=True) == (345.5, "measured now")
    assert cost.bpf_ns_per_call(PROBES, plans(1), measure=False) == (345.5, "measured earlier on this machine")
    assert cache.stat().st_mode & 0o777 == 0o700


def test_cost_of_something_else_is_not_taken_for_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "added_ns", lambda *_: 345.5)
    cost.bpf_ns_per_call(PROBES, plans(1), measure=True)
    assert cost.bpf_ns_per_call(PROBES, plans(100), measure=False)[0] is None
    assert cost.bpf_ns_per_call(PROBES | {"identity": "another kernel"}, plans(1), measure=False)[0] is None
    cache.chmod(0o777)  # anybody may have written there
    assert cost.bpf_ns_per_call(PROBES, plans(1), measure=False)[0] is None


def test_cost_that_cannot_be_measured_is_what_it_was(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> float:
        raise HostError("no memory")

    monkeypatch.setattr(cost, "added_ns", fails)
    assert cost.bpf_ns_per_call(PROBES, plans(1), measure=True) == (None, "not measured")
    monkeypatch.setattr(cost, "added_ns", lambda *_: 7.0)
    cost.bpf_ns_per_call(PROBES, plans(1), measure=True)
    monkeypatch.setattr(cost, "added_ns", fails)
    assert cost.bpf_ns_per_call(PROBES, plans(1), measure=True) == (7.0, "measured earlier on this machine")
