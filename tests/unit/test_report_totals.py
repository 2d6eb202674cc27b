import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from report.ledger import LaneLedger, ledger_of, rows_held
from report.text import as_json
from report.totals import Totals, document, totals_of
from tests.unit.report_sessions import ORIGIN, TRACER, Story, cat_story
from tracer.records import LANES
from tracer.session.format import BlockKind
from tracer.session.reader import open_session

NUMBER, TEXT, COUNT = (int, float), str, int
CONTRACT: dict[str, Any] = {  # DESIGN section 6
    "session": {"command": list, "pid": COUNT, "started": TEXT, "duration_s": NUMBER, "exit_status": COUNT, "complete": bool, "kernel": TEXT,
                "version": TEXT},
    "syscalls": {"name": TEXT, "calls": COUNT, "errors": COUNT, "total_ns": COUNT, "max_ns": COUNT, "p50_ns": COUNT, "p99_ns": COUNT, "bytes": COUNT},
    "processes": {"pid": COUNT, "ppid": COUNT, "argv": list, "exe": TEXT, "started_ns": COUNT, "ended_ns": COUNT, "exit_status": COUNT},
    "files": {"path": TEXT, "opens": COUNT, "reads": COUNT, "writes": COUNT, "read_bytes": COUNT, "written_bytes": COUNT, "errors": COUNT},
    "connections": {"protocol": TEXT, "local": TEXT, "remote": TEXT, "name": TEXT, "opened_ns": COUNT, "closed_ns": COUNT, "sent_bytes": COUNT,
                    "received_bytes": COUNT},
    "http": {"number": COUNT, "method": TEXT, "url": TEXT, "status": COUNT, "request_bytes": COUNT, "response_bytes": COUNT,
             "request_length": COUNT, "response_length": COUNT, "started_ns": COUNT, "sent_ns": COUNT, "first_byte_ns": COUNT, "ended_ns": COUNT,
             "pid": COUNT, "process": TEXT, "tls": bool, "library": TEXT, "connection": COUNT, "stream": COUNT, "sock": COUNT, "remote": TEXT,
             "redacted": COUNT, "errors": list, "content_type": TEXT, "request_cut": bool, "response_cut": bool,
             "messages": COUNT, "protocol": TEXT, "side": TEXT, "reason": TEXT},
    "llm": {"number": COUNT, "provider": TEXT, "operation": TEXT, "model": TEXT, "response_model": TEXT, "response_id": TEXT, "started_ns": COUNT,
            "first_token_ns": COUNT, "ended_ns": COUNT, "ttft_ms": NUMBER, "tokens_per_s": NUMBER, "input_tokens": COUNT, "output_tokens": COUNT,
            "cached_tokens": COUNT, "cache_write_tokens": COUNT, "reasoning_tokens": COUNT, "finish_reasons": list, "messages": COUNT, "tools": list,
            "tool_calls": list, "text": TEXT, "reasoning": TEXT, "streamed": bool, "error": TEXT, "retry_of": COUNT, "pid": COUNT, "url": TEXT,
            "status": COUNT, "system": TEXT, "prompt": list},
    "tls": {"connections": list, "images": list, "redacted": dict, "plaintext": dict, "percent": NUMBER},
    "tracer": {"startup_ms": NUMBER, "cpu_s": NUMBER, "peak_rss_mb": NUMBER, "session_bytes": COUNT, "bpf_ns_per_call": NUMBER},
}


def totals(told: Story, path: Path, pid: int | None = None, cut: int = 0, **how: Any) -> Totals:
    """``cut``: so many bytes are missing at the end of the file."""
    file = told.write(path / "a.ebt", **how)
    if cut:
        file.write_bytes(file.read_bytes()[:-cut])
    with open_session(str(file)) as session:
        return totals_of(session, pid)


def check_form(value: Any, form: Any) -> None:
    if isinstance(form, dict):
        assert list(value)[: len(form)] == list(form) or form.keys() <= value.keys()
        for name, part in form.items():
            check_form(value[name], part)
    else:
        assert value is None or isinstance(value, form)
        assert isinstance(value, bool) == (form is bool) or value is None


def test_the_document_keeps_the_contract(tmp_path: Path) -> None:
    told = cat_story()
    told.maps.append((BlockKind.SNAPSHOT, {"connections": [{"pid": 100, "fd": 5, "protocol": "tcp", "local": "127.0.0.1:1", "remote": "127.0.0.1:2",
                                                            "state": "ESTABLISHED"}]}))
    told.exchange(2000, 2100, 2200, 2300, method="POST", scheme="https", authority="api.openai.com", target="/v1/chat/completions",
                  request_body=b'{"model": "m", "messages": []}', response_body=b'{"choices": []}', status=200)
    found = json.loads(as_json(document(totals(told, tmp_path)), indent=2))
    assert list(found) == ["session", "ledger", "syscalls", "processes", "files", "searches", "connections", "dns", "http", "llm", "tls", "tracer"]
    for part, form in CONTRACT.items():
        rows = found[part] if isinstance(found[part], list) else [found[part]]
        assert rows
        for row in rows:
            check_form(row, form)
    assert {*CONTRACT["http"]} == {*found["http"][0]}
    assert found["ledger"].keys() == set(LANES)
    for account in found["ledger"].values():
        assert account["delivered"] + account["sampled_out"] + account["lost"] == account["counted"]


def test_facts_of_a_complete_session(tmp_path: Path) -> None:
    found = totals(cat_story(), tmp_path)
    facts = found.session
    assert (facts.command, facts.pid, facts.started, facts.duration_s, facts.exit_status, facts.complete, facts.reason, facts.problems) == (
        ("sh", "-c", "true"), 100, "2023-11-14T22:13:20.123456Z", 2.5, 0, True, "target ended", ())
    assert found.tracer.session_bytes == (tmp_path / "a.ebt").stat().st_size
    assert {name: value for name, value in vars(found.tracer).items() if name != "session_bytes"} == {
        name: value for name, value in TRACER.items() if name != "session_bytes"}
    assert found.ledger == {"syscalls": LaneLedger(3, 3, 0, 0), "lifecycle": LaneLedger(3, 3, 0, 0), "strings": LaneLedger(4, 4, 0, 0),
                            **dict.fromkeys(("sockets", "payload", "plaintext", "images"), LaneLedger(0, 0, 0, 0))}


def test_the_exit_status_of_the_target_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    facts = totals(cat_story(), tmp_path, end={"ended_ns": ORIGIN + 1, "exit_status": None, "reason": "stopped"}).session
    assert (facts.exit_status, facts.reason) == (3, "stopped")


def test_a_session_without_an_end(tmp_path: Path) -> None:
    found = totals(cat_story(), tmp_path, complete=False)
    assert (found.session.complete, found.session.reason, found.session.duration_s) == (False, None, 2.0)
    assert any("END" in problem for problem in found.session.problems)
    assert found.tracer.startup_ms is None
    assert found.ledger["syscalls"] == LaneLedger(3, 3, 0, 0)


@pytest.mark.parametrize(("told", "expected"), [
    ({"counted": 10, "sampled_out": 2, "lost": 1}, LaneLedger(10, 3, 2, 5)),  # 4 went with the end of the file
    ({"counted": 2, "sampled_out": 0, "lost": 0}, LaneLedger(3, 3, 0, 0)),    # counted before the last records came
    ({"counted": 2, "sampled_out": 1, "lost": 1}, LaneLedger(5, 3, 1, 1)),
    ({}, LaneLedger(3, 3, 0, 0)),
])
def test_the_ledger_of_a_session_without_an_end_closes(tmp_path: Path, told: dict[str, int], expected: LaneLedger) -> None:
    account = totals(cat_story(), tmp_path, complete=False, ledger={"syscalls": told}).ledger["syscalls"]
    assert account == expected
    assert account.delivered + account.sampled_out + account.lost == account.counted


@pytest.mark.parametrize(("counted", "unaccounted"), [(10, 6), (2, -2)])
def test_a_ledger_that_does_not_close_says_so(tmp_path: Path, counted: int, unaccounted: int) -> None:
    found = totals(cat_story(), tmp_path, ledger={"syscalls": {"counted": counted, "delivered": counted, "sampled_out": 0, "lost": 1}})
    assert found.ledger["syscalls"] == LaneLedger(counted, 3, 0, 1, unaccounted)


def test_a_file_cut_anywhere_is_read_as_far_as_it_goes_and_its_ledger_closes(tmp_path: Path) -> None:
    told = cat_story()
    for step in range(3000):
        told.call("read", 12_000 + step, 10, 1, [3, step % 97, 1])
    whole = told.write(tmp_path / "a.ebt", batch=100).stat().st_size
    seen = set()
    for cut in range(1, whole - 600, 97):
        found = totals(told, tmp_path, cut=cut, batch=100)
        account = found.ledger["syscalls"]
        assert account.delivered + account.sampled_out + account.lost == account.counted
        assert account.unaccounted == 0
        assert found.session.complete == (found.session.reason is not None)  # only the index may be missing
        seen.add(account.delivered)
    assert len(seen) > 20
    assert max(seen) == 3003


def test_a_damaged_block_counts_as_lost(tmp_path: Path) -> None:
    told = cat_story()
    for step in range(300):
        told.call("read", 12_000 + step, 10, 1, [3, step, 1])
    file = told.write(tmp_path / "a.ebt", batch=100)
    with open_session(str(file)) as session:
        tables = [len(table["start_ns"]) for table in session.tables(BlockKind.SYSCALLS)]
        offset = int(session._bounds[np.flatnonzero(session._blocks.kinds == BlockKind.SYSCALLS)[1]])
    data = bytearray(file.read_bytes())
    data[offset + 40] ^= 0xFF
    file.write_bytes(data)
    with open_session(str(file)) as session:
        found = totals_of(session)
    assert tables == [100, 100, 100, 3]
    assert found.ledger["syscalls"] == LaneLedger(303, 203, 0, 100)
    assert not found.session.complete
    assert any("damaged" in problem for problem in found.session.problems)


def test_a_session_of_totals_only(tmp_path: Path) -> None:
    told = Story(mode="summary")
    for _ in range(5):
        told.call("read", 0, 100, 10, delivered=False)
    told.sampled_out["syscalls"] = 5
    found = totals(told, tmp_path)
    assert found.ledger["syscalls"] == LaneLedger(5, 0, 5, 0)
    assert (found.files, found.syscalls[0].calls) == ((), 5)


def test_what_could_not_be_followed_or_told_apart_is_a_problem(tmp_path: Path) -> None:
    told = cat_story()
    told.call("read", 1, ret=1, proc=0)
    told.missed_tasks = 3
    told.maps += [(BlockKind.LEDGER, {"missed_tasks": 2}), (BlockKind.TRACER, {"problems": ["of the tracer"]})]
    facts = totals(told, tmp_path, complete=False).session
    assert facts.missed_tasks == 3  # the last ledger counts
    assert "of the tracer" in facts.problems
    assert sum("nothing is known: 3." in problem for problem in facts.problems) == 1
    assert sum("1 calls are counted" in problem for problem in facts.problems) == 1


def test_only_one_process(tmp_path: Path) -> None:
    told = cat_story()
    told.fork(100, 2, 101, parent=1, parent_pid=100)
    told.call("read", 200, ret=1, proc=2)
    assert [(row.name, row.calls) for row in totals(told, tmp_path, pid=101).syscalls] == [("read", 1)]
    assert sum(row.calls for row in totals(told, tmp_path).syscalls) == 4


def test_maps_of_any_form_do_no_harm(tmp_path: Path) -> None:
    told = cat_story()
    for kind in (BlockKind.SNAPSHOT, BlockKind.TRACER, BlockKind.LEDGER, BlockKind.TLS):
        for value in (None, 7, "x", [1], {"a": [None]}, 1.5, float("nan"), b"x"):
            told.maps.append((kind, dict.fromkeys((
                "files", "connections", "processes", "lanes", "at_ns", "missed_tasks", "startup_ms", "cpu_s", "problems", "kernel_map_mb", "images",
                "redacted", "plaintext"), value)))
            told.maps.append((kind, {name: [{"pid": value, "fd": value, "path": value, "argv": value, "exe": value, "local": value, "flags": value,
                                             "protocol": value, "sock": value, "proc": value, "seen_sent": value, "app_sent": value, "library": value,
                                             "reason": value}] for name in ("files", "connections", "processes", "images")}))
    found = totals(told, tmp_path, complete=False, ledger={"syscalls": 7, "other": {"counted": "many"}})  # type: ignore[dict-item]
    as_json(document(found))
    assert found.ledger["syscalls"] == LaneLedger(3, 3, 0, 0)


def test_what_is_held_is_recounted(tmp_path: Path) -> None:
    claimed = {lane: {"counted": 99, "delivered": 99} for lane in ("syscalls", "strings")}
    with open_session(str(cat_story().write(tmp_path / "a.ebt", ledger=claimed))) as session:
        assert rows_held(session) == {"syscalls": 3, "lifecycle": 3, "strings": 4, "sockets": 0, "payload": 0}
        assert ledger_of(session, rows_held(session))["strings"].unaccounted == 95
