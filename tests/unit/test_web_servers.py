"""What the tests of HTTP and TLS rest on: servers that log the truth, a search that finds secrets, a model that keeps its word."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kernel.web.certificate import Certificate, certificate
from tests.kernel.web.llm import WORDS
from tests.kernel.web.log import NUMBER
from tests.kernel.web.plans import EVERYTHING, plan
from tests.kernel.web.routes import payload
from tests.kernel.web.secrets import found_in, new_secret
from tests.kernel.web.server import Server
from tests.unit.session_files import META, strings, write_session
from tracer.session.format import BlockKind


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("as_http2", [False, True])
def test_the_log_is_what_the_client_saw(trust: Certificate, as_http2: bool) -> None:
    context = ssl.create_default_context(cafile=str(trust.authority))
    with Server(trust.context("h2", "http/1.1")) as server, httpx.Client(verify=context, http2=as_http2) as client:
        for number, request in enumerate(plan(server.url, EVERYTHING), 1):
            response = client.request(request["method"], request["url"], content=request["body"], headers=request["headers"])
            logged = server.quiet()[-1]
            assert (logged.number, response.headers[NUMBER]) == (number, str(number))
            assert response.http_version.lower().removesuffix(".0").replace("http/2", "h2") == logged.protocol
            assert (request["method"], request["url"], request["body"] or "") == (
                logged.method, server.url + logged.target, logged.body.decode())
            assert (response.status_code, response.content) == (logged.status, logged.reply)
            assert [(name.lower(), value) for name, value in logged.reply_headers] == list(response.headers.items())
        assert len({logged.connection for logged in server.log}) == 1


def test_in_clear_and_pipelined() -> None:
    with Server(None) as server:
        connection = http.client.HTTPConnection("localhost", server.port)
        connection.connect()
        one = b"GET /bytes/%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
        connection.sock.sendall(b"".join(one % (size, b"") for size in (7, 1009)) + one % (31, b"Connection: close\r\n"))
        answer = b""
        while data := connection.sock.recv(65536):
            answer += data
        connection.close()
        assert [len(logged.reply) for logged in server.quiet()] == [7, 1009, 31]
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.endswith(payload(31))


@pytest.mark.parametrize(("path", "text_of"), [
    ("chat/completions", lambda body: body["choices"][0]["message"]["content"]),
    ("responses", lambda body: body["output"][0]["content"][0]["text"]),
    ("messages", lambda body: body["content"][0]["text"]),
])
def test_the_model_says_its_words(path: str, text_of: Callable[[dict[str, Any]], str]) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "input": "hello"}
    with Server(None) as server:
        whole = httpx.post(f"{server.url}/v1/{path}", json=asked)
        assert text_of(whole.json()) == "".join(WORDS) == server.quiet()[0].told["text"]
        streamed = httpx.post(f"{server.url}/v1/{path}", json=asked | {"stream": True}).text
        events = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
        assert "".join(word for word in WORDS if word in json.dumps(events, ensure_ascii=False)) == "".join(WORDS)
        assert len(server.quiet()[1].marks) >= len(WORDS)  # each by itself


def test_a_secret_is_found_wherever_it_is(tmp_path: Path) -> None:
    secret = new_secret()
    path = tmp_path / "s.ebt"
    clean = [(BlockKind.META, META), (BlockKind.STRINGS, strings(b"/etc/passwd", b"sk-test-"))]
    write_session(path, clean)
    assert found_in(str(path), secret) == []
    for hidden in (
        (BlockKind.META, META | {"command": ["curl", f"--header=x: {secret}"]}),
        (BlockKind.STRINGS, strings(b"curl\0" + secret.encode())),
        (BlockKind.STRINGS, strings(secret.encode()[:25], secret.encode()[25:], b"more")),
        (BlockKind.META, META | {"command": list(secret)}),  # letter by letter
        (BlockKind.META, META | {"command": [secret.encode().hex()]}),
    ):
        write_session(path, [hidden, *clean])
        assert found_in(str(path), secret), hidden
