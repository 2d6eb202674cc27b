"""A made-up agent: it talks to a model, which asks for tools, fails once and streams its answers; and to other servers."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.report_sessions import ORIGIN, Story
from tracer.kinds import SocketKind
from tracer.session.exchanges import Exchange, Headers, SocketMessage
from tracer.session.format import BlockKind

MS = 1_000_000
API = "api.anthropic.com"
SOCK = 7
_TCP = {"family": 2, "type": 1, "protocol": 6}
_ENDS = {"local": bytes((192, 0, 2, 1)), "local_port": 40000, "remote": bytes((198, 51, 100, 7)), "remote_port": 443}
_SOCKET, _CONNECT = 41, 42
_SECRET_TAG = "[redacted:1a2b3c4d]"
_SYSTEM = "You are a careful assistant.\nAnswer briefly; use the tools." + "\nMore rules follow." * 40
_QUESTION = "What is in report.txt? Here is how I read it:\n```sh\ncat report.txt\n```\nThanks!"
_CODE = "The file says **42**.\n\n```python\nprint(42)\n```\nAnything else?"
_USES = [{"type": "text", "text": "I will look."}, {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "report.txt"}}]
_RESULT = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "line one\nline two\nthe answer is 42"}]


def agent(**meta: Any) -> Story:
    """The whole story: 2.5 s, nine exchanges, four of them LLM calls of which one failed and one tried that again."""
    told = Story(**{"command": ["agent", "--ask", "what is in report.txt?"], **meta})
    told.found(-1000, 1, 100)
    told.exec(10, 1, 100, "/usr/bin/agent", "agent", "--ask", "what is in report.txt?")
    told.fork(1_000, 2, 101, parent=1, parent_pid=100)
    told.exec(2_000, 2, 101, "/usr/bin/server", "server")
    for turn in range(60):
        told.call("read", 20 * MS + turn * 40 * MS, 9 * MS, 100, [3])
        told.call("futex", 30 * MS + turn * 40 * MS, 25 * MS, 0, [0x1000])
    connect(told)
    fill(told)
    told.maps.append((BlockKind.TLS, tls()))
    told.exit(2400 * MS, 2, 101)
    told.exit(2450 * MS, 1, 100)
    return told


def connect(told: Story) -> None:
    """The name is looked up in 8 ms, and the connection to the model opened in 12 ms."""
    question = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x03api\x09anthropic\x03com\0\0\x01\0\x01"
    answer = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0" + question[12:] + b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + _ENDS["remote"]
    told.payload(40 * MS, 1, question, sent=True)
    told.payload(48 * MS, 1, answer, sent=False)
    told.call("socket", 49 * MS, 100, 5, [2 | 1 << 32, 0])
    told.socket(SocketKind.BOUND, 49 * MS + 150, SOCK, 5, call=_SOCKET, **_TCP)
    told.socket(SocketKind.STATE, 50 * MS, SOCK, old_state=7, new_state=2, **_TCP, **_ENDS)
    told.socket(SocketKind.STATE, 62 * MS, SOCK, old_state=2, new_state=1, srtt_us=11_000, min_rtt_us=10_000, **_TCP, **_ENDS)
    told.call("connect", 50 * MS, 12 * MS, 0, [5, 0])
    told.socket(SocketKind.BOUND, 62 * MS + 500, SOCK, 5, call=_CONNECT, new_state=1, **_TCP, **_ENDS)
    told.call("sendto", 100 * MS, 500, 2000, [5, 2000, 0])
    told.socket(SocketKind.RETRANSMIT, 110 * MS, SOCK, retransmits=2, bytes_sent=2000, srtt_us=11_500, min_rtt_us=10_000, **_TCP, **_ENDS)
    told.call("recvfrom", 400 * MS, 700, 5000, [5, 0x7000, 0])


def fill(told: Story) -> None:
    """The exchanges."""
    asked: list[dict[str, Any]] = [{"role": "user", "content": _QUESTION}]
    listed = {"models": [{"id": f"m{number}", "price": 1.5, "tags": []} for number in range(3)], "big": 2**70}
    told.exchange(20 * MS, 21 * MS, 35 * MS, 38 * MS, method="GET", scheme="https", authority="models.example", target="/api.json?all=1&x=[1]",
                  status=200, reason="OK", library="openssl", connection=9, response_body=json.dumps(listed).encode(), response_bytes=120,
                  request_headers=[("Host", "models.example"), ("Accept", "*/*"), ("X-Quote", "it's \"so\"\\")],
                  response_headers=[("Content-Type", "application/json"), ("X-Cache", "HIT")])
    told.exchange(80 * MS, 84 * MS, 300 * MS, 700 * MS, **_post(asked), **_streamed(
        300 * MS, 400 * MS, [("text", "I will "), ("text", "look.")], tool=("toolu_1", "read_file", ['{"path": ', '"report.txt"}'])), redacted=1)
    asked = [*asked, {"role": "assistant", "content": _USES}, {"role": "user", "content": _RESULT}]
    told.exchange(760 * MS, 764 * MS, 900 * MS, 901 * MS, **_post(asked), status=529, reason="Overloaded",
                  response_headers=[("content-type", "application/json"), ("retry-after", "1")],
                  response_body=b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', redacted=1)
    parts = [("thinking", "The last line "), ("thinking", "has it."), *(("text", piece) for piece in _pieces(_CODE))]
    told.exchange(1100 * MS, 1104 * MS, 1350 * MS, 1900 * MS, **_post(asked), **_streamed(1350 * MS, 550 * MS, parts), redacted=1)
    told.exchange(1950 * MS, 1951 * MS, None, None, method="GET", scheme="http", authority="slow.example:8080", target="/never", connection=12,
                  errors=["The trace ended before the response did."])
    told.exchange(600 * MS, 602 * MS, 640 * MS, 641 * MS, method="POST", scheme="http", authority="forms.example", target="/send",
                  status=404, reason="Not Found", connection=13,
                  request_headers=[("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", _SECRET_TAG)],
                  request_body=b"name=J%C3%BCrgen&note=a+b", response_headers=[("Content-Type", "text/plain; charset=iso-8859-1")],
                  response_body="nicht gefunden: äöü".encode("latin-1"), redacted=1)
    told.exchange(650 * MS, 651 * MS, 660 * MS, 2300 * MS, method="GET", scheme="wss", authority="live.example", target="/feed", status=101,
                  reason="Switching Protocols", protocol="websocket", library="openssl", connection=14, messages=[
                      SocketMessage(ORIGIN + 700 * MS, True, "text", b'{"subscribe":["a","b"]}', 23),
                      SocketMessage(ORIGIN + 720 * MS, False, "text", '{"price":1,"name":"Äpfel"}'.encode(), 27),
                      SocketMessage(ORIGIN + 900 * MS, False, "binary", bytes(range(64)), 100_000),
                      SocketMessage(ORIGIN + 2300 * MS, True, "close", b"", 2)])
    told.exchange(1000 * MS, 1001 * MS, 1003 * MS, 1004 * MS, method="GET", scheme="http", authority="localhost:9000", target="/health", status=204,
                  reason="No Content", side="server", proc=2, tid=101, connection=15)
    told.exchange(2000 * MS, 2002 * MS, 2030 * MS, 2040 * MS, method="GET", scheme="https", authority="models.example", target="/logo.png",
                  status=200, reason="OK", library="openssl", connection=9, response_headers=[("Content-Type", "image/png")],
                  response_body=b"\x89PNG\r\n\x1a\n" + bytes(300), response_bytes=9000, response_length=9000, response_cut=True)


def tls(**fields: Any) -> dict[str, Any]:
    """Nearly all was read; one library cannot be."""
    def row(sock: int, name: str, library: str, sent: int, received: int, seen: float, reason: str = "") -> dict[str, Any]:
        return {"sock": sock, "proc": 1, "library": library, "sni": name, "alpn": "http/1.1", "version": "TLS 1.3",
                "first_ns": ORIGIN + 50 * MS, "last_ns": ORIGIN + 2000 * MS, "app_sent": sent, "app_received": received,
                "seen_sent": int(sent * seen), "seen_received": int(received * seen), "reason": reason}

    return {"connections": [row(SOCK, API, "openssl", 8000, 20_000, 1), row(70, "models.example", "openssl", 400, 9500, 1),
                            row(71, "telemetry.example", "", 3000, 1000, 0, "rustls cannot be read")],
            "images": [{"path": "/usr/lib/libssl.so.3", "library": "openssl", "version": "3.5.1", "how": "symbols", "build_id": "ab" * 20, "note": "",
                        "verified": True, "attached_ns": ORIGIN}],
            "redacted": {"header": 4, "body": 1}, "plaintext": {"bytes": 42_000, "kept": 42_000, "cut": 0, "lost": 0}, **fields}


def _post(messages: list[dict[str, Any]]) -> dict[str, Any]:
    body = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 1024, "stream": True, "system": _SYSTEM, "messages": messages,
                       "tools": [{"name": "read_file", "input_schema": {}}, {"name": "run", "input_schema": {}}]}).encode()
    headers: Headers = [("host", API), ("content-type", "application/json"), ("x-api-key", _SECRET_TAG), ("anthropic-version", "2023-06-01")]
    return {"method": "POST", "scheme": "https", "authority": API, "target": "/v1/messages", "library": "openssl", "sock": SOCK, "connection": 3,
            "request_headers": headers, "request_body": body}


def _streamed(first: int, length: int, parts: list[tuple[str, str]], tool: tuple[str, str, list[str]] | None = None) -> dict[str, Any]:
    """An answer that arrives event by event, evenly over ``length`` ns."""
    usage = {"input_tokens": 200, "cache_read_input_tokens": 1000, "output_tokens": 1}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {
        "id": "msg_1", "model": "claude-sonnet-4-5-20250929", "role": "assistant", "usage": usage}}]
    place = -1
    before = ""
    for kind, piece in parts:
        if kind != before:
            place, before = place + 1, kind
            events.append({"type": "content_block_start", "index": place, "content_block": {"type": kind, kind: ""}})
        events.append({"type": "content_block_delta", "index": place, "delta": {"type": f"{kind}_delta", kind: piece}})
    if tool:
        number, name, pieces = tool
        block = {"type": "tool_use", "id": number, "name": name, "input": {}}
        events.append({"type": "content_block_start", "index": place + 1, "content_block": block})
        events += [{"type": "content_block_delta", "index": place + 1, "delta": {"type": "input_json_delta", "partial_json": piece}}
                   for piece in pieces]
    events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use" if tool else "end_turn"}, "usage": {"output_tokens": 57}},
               {"type": "message_stop"}]
    pieces_sent = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    marks, offset = [], 0
    for turn, piece_sent in enumerate(pieces_sent):
        marks.append((offset, ORIGIN + first + length * turn // max(len(pieces_sent) - 1, 1)))
        offset += len(piece_sent)
    return {"status": 200, "reason": "OK", "response_headers": [("content-type", "text/event-stream; charset=utf-8"), ("request-id", "req_1")],
            "response_body": b"".join(pieces_sent), "response_marks": marks}


def _pieces(text: str, size: int = 6) -> list[str]:
    return [text[start:start + size] for start in range(0, len(text), size)]


def exchange_of(told: Story, number: int) -> Exchange:
    """One of them by its number."""
    return next(one for one in told.exchanges if one.number == number)
