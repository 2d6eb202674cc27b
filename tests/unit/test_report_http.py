import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from report.text import visible
from report.totals import Totals, document, totals_of
from tests.unit.report_sessions import ORIGIN, Story
from tests.unit.test_report_connections import client
from tests.unit.test_report_jsonl import exported
from tests.unit.test_report_tables import HOSTILE, plain, shown
from tracer.session.exchanges import SocketMessage
from tracer.session.format import BlockKind
from tracer.session.reader import open_session

MS = 1_000_000
ASKED = b'{"model": "m1", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
EVENTS = (b'data: {"id": "c1", "model": "m1", "choices": [{"index": 0, "delta": {"content": "Hello"}}]}\n\n',
          b'data: {"choices": [{"index": 0, "delta": {"content": " you"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1200, '
          b'"completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 1000}}}\n\ndata: [DONE]\n\n')
CHAT = {"method": "POST", "scheme": "https", "authority": "localhost:8443", "target": "/v1/chat/completions", "status": 200, "sock": 7,
        "library": "boringssl", "request_headers": [("Authorization", "Bearer [redacted:0a1b2c3d]")],
        "response_headers": [("Content-Type", "text/event-stream")]}


def story() -> Story:
    told = Story()
    told.found(-10, 1, 100)
    told.exec(5, 1, 100, "/usr/bin/opencode", "opencode", "run")
    client(told)
    told.call("write", 3 * MS, 100, 500, [3])
    told.call("read", 4 * MS, 100, 700, [3])
    told.exchange(10 * MS, 11 * MS, 20 * MS, 510 * MS, **CHAT, request_body=ASKED, response_body=b"".join(EVENTS), redacted=1,
                  response_marks=[(0, ORIGIN + 111 * MS), (len(EVENTS[0]), ORIGIN + 411 * MS)])
    told.exchange(5 * MS, method="GET", scheme="http", authority="a.example", target=f"/{HOSTILE}", errors=["the connection was reset"], proc=9)
    told.exchange(600 * MS, 601 * MS, 602 * MS, None, method="GET", scheme="wss", authority="a.example", target="/ws", status=101,
                  protocol="websocket", messages=[SocketMessage(ORIGIN + 603 * MS, True, "text", b"hi", 2),
                                                  SocketMessage(ORIGIN + 604 * MS, False, "binary", b"\xff", 9)])
    told.maps.append((BlockKind.TLS, {
        "connections": [{"sock": 7, "proc": 1, "library": "boringssl", "sni": "localhost", "app_sent": 480, "app_received": 650, "seen_sent": 480,
                         "seen_received": 650},
                        {"sock": 8, "proc": 1, "sni": "b.example", "app_sent": 70, "app_received": 1000},
                        {"sock": 9, "proc": 1, "sni": HOSTILE, "app_sent": 0, "app_received": 800}],
        "images": [], "plaintext": {"bytes": 5000, "kept": 3700, "cut": 1000, "lost": 300},
        "redacted": {"header": 3, "url": 1, HOSTILE: 2}}))
    return told


def totals(told: Story, path: Path) -> Totals:
    with open_session(str(told.write(path / "a.ebt"))) as session:
        return totals_of(session)


def test_rows_of_the_document(tmp_path: Path) -> None:
    found = document(totals(story(), tmp_path))
    assert [(row["number"], row["started_ns"]) for row in found["http"]] == [(2, 5 * MS), (1, 10 * MS), (3, 600 * MS)]
    assert found["http"][1] == {
        "number": 1, "method": "POST", "url": "https://localhost:8443/v1/chat/completions", "status": 200, "reason": "", "protocol": "http/1.1",
        "side": "client", "request_bytes": len(ASKED), "response_bytes": 306, "request_length": len(ASKED), "response_length": 306,
        "started_ns": 10 * MS, "sent_ns": 11 * MS, "first_byte_ns": 20 * MS, "ended_ns": 510 * MS, "pid": 100, "process": "opencode", "tls": True,
        "library": "boringssl", "connection": 1, "stream": 0, "sock": 7, "remote": "198.51.100.7:443", "redacted": 1, "errors": (),
        "content_type": "text/event-stream", "request_cut": False, "response_cut": False, "messages": 0}
    unknown = found["http"][0]
    assert (unknown["pid"], unknown["process"], unknown["remote"], unknown["status"], unknown["ended_ns"], unknown["errors"]) == (
        None, None, None, None, None, ("the connection was reset",))
    assert (found["http"][2]["messages"], found["http"][2]["protocol"]) == (2, "websocket")
    call, = found["llm"]
    assert {name: call[name] for name in ("number", "pid", "started_ns", "first_token_ns", "ended_ns", "ttft_ms", "tokens_per_s", "input_tokens",
                                          "output_tokens", "cached_tokens", "text", "finish_reasons", "prompt")} == {
        "number": 1, "pid": 100, "started_ns": 10 * MS, "first_token_ns": 111 * MS, "ended_ns": 510 * MS, "ttft_ms": 100.0, "tokens_per_s": 100.0,
        "input_tokens": 1200, "output_tokens": 30, "cached_tokens": 1000, "text": "Hello you", "finish_reasons": ("stop",),
        "prompt": [{"role": "user", "text": "hi", "tool_calls": (), "answers": "", "attached": ()}]}
    assert [(row["sock"], row["tls"], row["sni"]) for row in found["connections"]] == [(7, "boringssl", "localhost")]
    assert found["tls"]["percent"] == 100 * 1130 / 3000
    assert [(row["sock"], row["percent"], row["reason"]) for row in found["tls"]["connections"]] == [
        (7, 100.0, ""), *((sock, 0.0, "no TLS library was recognised in /usr/bin/opencode") for sock in (8, 9))]


def test_tables_say_the_same(tmp_path: Path) -> None:
    lines = plain(shown(story(), tmp_path, 200, terminal=False)).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("TLS"))
    assert lines[start:start + 4] == [
        "TLS: 1.13 kB of 3.00 kB in clear (37.6 %)",
        f"  1.87 kB not read: 2 connections of opencode to b.example, {visible(HOSTILE)}: no TLS library was recognised in /usr/bin/opencode",
        "Of 5.00 kB in clear 3.70 kB were kept: 1.00 kB beyond the limits, 300 B lost",
        f"Redacted: 3 headers, 1 URL parameter, 2 {visible(HOSTILE)}"]
    start = lines.index("HTTP: 3, 1 secret taken out")
    assert lines[start + 1].split() == ["status", "method", "time", "first", "byte", "sent", "received", "protocol", "pid", "url"]
    assert lines[start + 2].split()[:9] == ["-", "GET", "-", "-", "0", "B", "0", "B", "http/1.1"]
    assert lines[start + 2].endswith(" the connection was reset")
    assert lines[start + 3].split() == ["200", "POST", "500", "ms", "10.0", "ms", "80", "B", "306", "B", "http/1.1", "100",
                                        "https://localhost:8443/v1/chat/completions"]
    assert " ".join(lines[start + 4].split()) == "101 GET - 2.00 ms 0 B 0 B websocket 100 wss://a.example/ws 2 messages"
    start = next(number for number, line in enumerate(lines) if line.startswith("LLM"))
    assert lines[start] == "LLM calls: 1, 500 ms of 2.50 s waiting for them; tokens: 1,200 in (1,000 of them cached), 30 out"
    assert lines[start + 2].split() == ["500", "ms", "1,200", "1,000", "30", "100", "ms", "100.0", "100", "stop", "m1"]


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_every_line_fits_and_the_terminal_is_safe(tmp_path: Path, width: int) -> None:
    lines = plain(shown(story(), tmp_path, width)).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)


def test_long_tables_are_cut(tmp_path: Path) -> None:
    told = story()
    for number in range(30):
        told.exchange(700 * MS + number, target=f"/{number}")
    assert sum("more (-n 0 shows all)" in line for line in plain(shown(told, tmp_path, 80, top=5)).splitlines()) == 1


def test_lines_of_the_export(tmp_path: Path) -> None:
    events = exported(story(), tmp_path)
    assert [(event["type"], event["ts_ns"]) for event in events[1:-1]] == [
        ("found", -10), ("exec", 5),
        ("syscall", 1000), ("syscall", 1200), ("syscall", 3 * MS), ("syscall", 4 * MS), ("http", 5 * MS), ("http", 10 * MS), ("llm", 10 * MS),
        ("http", 600 * MS)]
    bare, chat, call, socket = events[7:11]
    assert (bare["pid"], bare["tid"], bare["status"], bare["errors"]) == (None, 100, None, ["the connection was reset"])
    assert chat["request_headers"] == [["Authorization", "Bearer [redacted:0a1b2c3d]"]]
    assert json.loads(chat["request_body"])["model"] == "m1"
    assert chat["response_body"] == b"".join(EVENTS).decode()
    assert chat["response_marks"] == [[0, 111 * MS], [len(EVENTS[0]), 411 * MS]]
    assert (call["number"], call["text"], call["pid"], call["ttft_ms"]) == (1, "Hello you", 100, 100.0)
    assert socket["messages"] == [{"ts_ns": 603 * MS, "sent": True, "kind": "text", "length": 2, "data": "hi"},
                                  {"ts_ns": 604 * MS, "sent": False, "kind": "binary", "length": 9, "data_base64": "/w=="}]


def test_lines_stand_among_calls_and_lives(tmp_path: Path) -> None:
    told = Story()
    told.found(-10, 1, 100)
    for at in range(0, 100, 10):
        told.call("getpid", at)
    for at in (0, 35, 40, 95, 2000):
        told.exchange(at)
    told.exit(1000, 1, 100)
    order: list[tuple[str, int]] = [(event["type"], event["ts_ns"]) for event in exported(told, tmp_path, batch=3)[1:-1]]
    assert [at for _, at in order] == sorted(at for _, at in order)
    assert [kind for kind, at in order if at in (0, 40)] == ["http", "syscall", "http", "syscall"]
    assert order[-2:] == [("exit", 1000), ("http", 2000)]


def test_what_is_left_out_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("report.exchanges._MOST", 2)
    problem = "HTTP exchanges beyond the first 2 were left out: 1."
    assert problem in totals(story(), tmp_path).session.problems
    first: dict[str, Any] = exported(story(), tmp_path)[0]
    assert problem in first["problems"]
