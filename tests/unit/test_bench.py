import http.client
import io
import json
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from tracer.bench import lab as workshop
from tracer.bench import streams, suite, tls
from tracer.bench.calls import SYSCOUNT, _in_units
from tracer.bench.lab import Lab, Session, lab
from tracer.bench.rows import Budget, Row, as_map, broken, figure
from tracer.commands import bench, main
from tracer.errors import EbtraceError

TIME = Budget("time per call", "added to it", "x", 2.5, 3.0, 4.0)
RATE = Budget("events a second", "from one program", "/s", 1_500_000, 1_000_000, 10_000, more_is_better=True)
WHERE = {"kernel": "6.18.0", "machine": "x86_64", "cpus": 2, "load": 0.1}


@pytest.mark.parametrize(("row", "verdict"), [
    (TIME.measured([2.5]), "goal met"), (TIME.measured([3.0]), "target met"),
    (TIME.measured([4.0]), "above target"), (TIME.measured([4.1]), "FAILED"),
    (RATE.measured([1_500_000]), "goal met"), (RATE.measured([1_000_000]), "target met"), (RATE.measured([10_000]), "below target"),
    (RATE.measured([9_999]), "FAILED"), (RATE.measured([2_000_000], broken=True), "FAILED"), (SYSCOUNT.skipped("not installed"), "not measured"),
    (TIME.failed("ebtrace failed"), "FAILED"),
    (Budget("worst case", "there is none worse", "%").measured([400.0]), "no limit"),
])
def test_verdict(row: Row, verdict: str) -> None:
    assert row.verdict == verdict
    assert broken([row]) == ([row] if verdict == "FAILED" else [])


def test_the_median_counts() -> None:
    assert TIME.measured([9.0, 2.0, 1.0]).value == 2.0
    assert SYSCOUNT.skipped("").value is None


@pytest.mark.parametrize(("value", "unit", "text"), [
    (2.309, "x", "2.31 x"), (3, "x", "3 x"), (84.04, "ms", "84.0 ms"),
    (1499.6, "ms", "1,500 ms"), (1_613_421, "/s", "1,613,000 /s"), (-0.614, "%", "-0.61 %"),
])
def test_figure(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_units_of_empty_probes() -> None:
    rounds = [
        {"none": 200.0, "empty": 300.0, "full": 450.0}, {"none": 220.0, "empty": 320.0, "full": 420.0},
        {"none": 200.0, "empty": 350.0, "full": 500.0},
    ]
    row = _in_units(TIME, "full", rounds)
    assert row.samples == (2.5, 2.0, 2.0)
    assert row.value == 2.0
    assert row.note == "getppid 200 ns, two empty probes +100 ns, ebtrace +250 ns"


def test_empty_probes_that_cost_nothing_divide_by_no_zero() -> None:
    assert _in_units(TIME, "full", [{"none": 200.0, "empty": 199.0, "full": 450.0}]).value == 250.0


LANE = {"counted": 5, "delivered": 5, "sampled_out": 0, "lost": 0}


@pytest.mark.parametrize(("lane", "counted", "wrong"), [
    ({}, 5, []),
    ({"delivered": 3, "lost": 2}, 5, ["2 lost of syscalls"]),
    ({"delivered": 3}, 5, ["the ledger of syscalls does not close"]),
    ({}, 4, ["5 calls made, 4 counted"]),
])
def test_what_does_not_add_up_is_said(lane: dict[str, int], counted: int, wrong: list[str]) -> None:
    assert streams._wrong(Session(ledger={"syscalls": LANE | lane}), 5, counted) == wrong


def rows() -> list[Row]:
    times = TIME.measured([2.0, 2.6, 2.2], "getppid 200 ns")
    return [times, RATE.measured([1_600_000.0]), SYSCOUNT.skipped("not installed: apt install bpfcc-tools")]


def shown(width: int | None, **where: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width or 500, force_terminal=width is not None, color_system=None)
    for line in bench.lines(rows(), WHERE | where, width):
        console.print(line, soft_wrap=True, highlight=False)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_table_fits_any_terminal(width: int) -> None:
    text = shown(width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "2.20 x" in text
    assert "goal met" in text
    assert "apt install bpfcc-tools" in " ".join(text.split())


def test_piped_nothing_is_cut() -> None:
    text = shown(None)
    line = next(line for line in text.splitlines() if line.startswith("time per call "))
    assert line.split("  ")[0] == "time per call"
    for part in ("2.20 x", "2 - 2.60", "< 2.50 x", "< 3 x", "< 4 x", "goal met"):
        assert part in line


def test_a_busy_machine_is_mentioned() -> None:
    assert "busy" not in shown(None)
    assert "busy" in shown(None, load=1.5)


@pytest.mark.parametrize("options", [(), ("--json",), ("--quick",)])
def test_without_rights(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "can_trace", lambda: False)
    assert main(["bench", *options]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ebtrace: the benchmark loads probes of its own, which needs root rights\nrun it as root: sudo ")


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "can_trace", lambda: True)
    monkeypatch.setattr(workshop.shutil, "which", lambda name: None)
    assert main(["bench"]) == 3
    assert "there is no C compiler\ninstall one: apt install gcc" in capsys.readouterr().err


@pytest.mark.parametrize(("measured", "status"), [(rows(), 0), ([*rows(), TIME.measured([9.0])], 1)])
def test_command(measured: list[Row], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "can_trace", lambda: True)
    monkeypatch.setattr(suite, "measure", lambda effort, told: measured)
    monkeypatch.setattr(suite, "host", lambda: WHERE)
    assert main(["bench", "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert document == as_map(measured, WHERE)
    assert document["rows"][0] == {
        "what": "time per call", "meaning": "added to it", "unit": "x", "median": 2.2, "spread": [2.0, 2.6], "samples": [2.0, 2.6, 2.2],
        "goal": 2.5, "target": 3.0, "critical": 4.0, "verdict": "goal met", "note": "getppid 200 ns",
    }
    assert main(["bench"]) == status
    assert "time per call" in capsys.readouterr().out


def test_a_command_of_the_users(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []

    def measure_one(words: tuple[str, ...], effort: suite.Effort, _: object) -> list[Row]:
        asked.append((words, effort))
        return rows()

    monkeypatch.setattr(bench, "can_trace", lambda: True)
    monkeypatch.setattr(suite, "measure_one", measure_one)
    monkeypatch.setattr(suite, "host", lambda: WHERE)
    assert main(["bench", "--quick", "--", "make", "-j2", "--json"]) == 0
    assert asked == [(("make", "-j2", "--json"), suite.QUICK)]
    assert "time per call" in capsys.readouterr().out


def test_a_measurement_that_fails_costs_its_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[Row]:
        raise EbtraceError("ebtrace attach failed with status 1")

    for name in ("overhead", "warm_start", "first_start", "network", "disk", "download", "report"):
        monkeypatch.setattr(suite, name, lambda *_: TIME.measured([1.0]))
    monkeypatch.setattr(suite, "flood", lambda *_: [RATE.measured([2_000_000.0])])
    monkeypatch.setattr(suite, "tls_calls", lambda *_: [TIME.measured([1.0])] * 2)
    monkeypatch.setattr(suite, "added_time", fails)
    monkeypatch.setattr(suite, "image", lambda *_: ({}, True))
    monkeypatch.setattr(suite, "lab", lambda: nullcontext(None))
    rows = suite.measure(suite.QUICK, lambda what: None)
    assert [row.budget.what for row in broken(rows)] == ["time per call", "time per call, --summary", "time per call, --counts", SYSCOUNT.what]
    assert all(row.note == "ebtrace attach failed with status 1" for row in broken(rows))
    assert sum(row.verdict == "goal met" for row in rows) == 15


@pytest.fixture(scope="module")
def here() -> Iterator[Lab]:
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("needs a C compiler")
    with lab() as made:
        yield made
    assert not os.path.exists(made.folder)


@pytest.mark.parametrize("kind", ["getppid", "read", "open"])
def test_storm_of_calls(here: Lab, kind: str) -> None:
    with here.start("calls", kind, "1000") as storm:
        assert float(storm.round()) > 0
        assert float(storm.round()) > 0


def test_storm_flood_says_how_many(here: Lab) -> None:
    with here.start("flood", "1") as storm:
        calls, ns = map(int, storm.round().split())
        assert calls % 1024 == 0
        assert calls > 0
        assert ns >= 1_000_000


def test_storm_echo_and_disk(here: Lab) -> None:
    with here.start("echo", "100") as storm:
        assert float(storm.round()) > 0
    path = os.path.join(here.folder, "written")
    with here.start("disk", path, "1") as storm:
        assert int(storm.round()) > 0
    assert os.path.getsize(path) == 1 << 20


def test_storm_of_tls(here: Lab) -> None:
    storm = tls._compiled(here)
    if storm is None:
        pytest.skip("needs OpenSSL's headers")
    for kind in tls.CALLS:
        with tls._started(here, storm, kind, "1000") as program:
            assert all(ns > 0 for ns in tls._ns(program))
            assert len(tls._ns(program)) == 2
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for rate in (0, 4 << 20):
        with tls._started(here, storm, "serve", "1", str(rate)) as server:
            port = int(server.line())
            for _ in range(2):  # one connection after the other
                began = time.monotonic()
                connection = http.client.HTTPSConnection("localhost", port, context=context)
                connection.request("GET", "/")
                assert len(connection.getresponse().read()) == 1 << 20
                connection.close()
                assert not rate or time.monotonic() - began > 0.2  # 0.25, but for what TCP sends at once


def test_without_openssl_the_rows_of_tls_say_so(here: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_compiled", lambda lab: None)
    rows = [*tls.tls_calls(here, "memory", 1, 200, lambda what: None), tls.download(here, tls.GIGABIT, 1, lambda what: None)]
    assert [row.verdict for row in rows] == ["not measured"] * 3
    assert all(row.note == "needs OpenSSL's headers: apt install libssl-dev" for row in rows)


@pytest.mark.parametrize(("ledger", "wrong"), [
    ({"plaintext": {"counted": 7}}, ""), ({"plaintext": {"counted": 6}}, "7 calls were made, and 6 seen"), ({}, "7 calls were made, and 0 seen")])
def test_calls_of_tls_that_were_not_seen_cost_nothing_and_prove_nothing(ledger: dict[str, Any], wrong: str) -> None:
    assert tls._unseen(Session(ledger=ledger), 7) == wrong


def test_storm_of_whole_programs(here: Lab) -> None:
    first, second = int(here.output([here.storm, "clock"])), int(here.output([here.storm, "clock"]))
    assert 0 < first < second
    wall, cpu = map(int, here.output([here.storm, "time", "true"]).split())
    assert wall > 0
    assert cpu >= 0
    with pytest.raises(EbtraceError, match="storm time failed with status 1"):
        here.output([here.storm, "time", "false"])


def test_a_program_that_gives_no_answer(here: Lab) -> None:
    with pytest.raises(EbtraceError, match="storm nonsense gave no answer"), here.start("nonsense"):
        pass
