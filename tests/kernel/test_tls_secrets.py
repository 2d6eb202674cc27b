"""No secret reaches the session: not in a header, an address, a body, a message, an argument or the environment, nor in two halves."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, Session
from tests.kernel.web import programs
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.clients import CLIENTS, trusting
from tests.kernel.web.compare import READABLE, exchanges, same
from tests.kernel.web.plans import plan
from tests.kernel.web.secrets import found_in, new_secret
from tests.kernel.web.server import Server

_TAG = re.compile(r"\[redacted:([0-9a-f]{8})\]")


def tags(session: Session) -> set[str]:
    """All that was put in the place of secrets."""
    found: set[str] = set()
    for exchange in exchanges(session):
        texts = [exchange.target, *(value for _, value in exchange.request_headers + exchange.response_headers),
                 *(body.decode("latin-1") for body in (exchange.request_body, exchange.response_body)),
                 *(message.data.decode("latin-1") for message in exchange.messages)]
        found |= {tag for text in texts for tag in _TAG.findall(text)}
    return found


def asked(url: str, secret: str) -> list[dict[str, object]]:
    """One secret in each place in which people put them, and in the answers, which say what they were asked."""
    requests = plan(url, [("GET", f"/bytes/7?api_key={secret}"), ("POST", "/echo"), ("GET", "/bytes/1009")])
    requests[0]["headers"] |= {"authorization": f"Bearer {secret}", "cookie": f"session={secret}"}
    requests[1]["headers"] |= {"x-api-key": secret, "content-type": "application/json"}
    requests[1]["body"] = json.dumps({"api_key": secret, "text": "before and after", "nested": [{"password": secret}]})
    return requests


@pytest.mark.parametrize("client", ["curl", "curl-http2", "python-http.client", "httpx-http2-parallel", "node-fetch", "bun-fetch",
                                    "go-http2-parallel"])
def test_not_in_any_place(lab: Lab, web: Server, trust: Certificate, client: str) -> None:
    secret = new_secret()
    session = lab.trace(CLIENTS[client].words(lab.folder, asked(web.url, secret), str(trust.authority)), **trusting(trust)).whole()
    assert any(secret in logged.target for logged in web.quiet())  # it was sent
    assert found_in(str(session.path), secret) == []
    assert len(tags(session)) == 1  # one secret, one tag
    assert sum(session.stats["tls"]["redacted"].values()) >= 6
    assert all(row["redacted"] for row in session.stats["http"] if "/bytes/1009" not in row["url"])
    (body,) = (exchange.response_body for exchange in exchanges(session) if exchange.target == "/echo")
    assert b"before and after" in body


def test_not_in_two_halves(lab: Lab, web: Server, trust: Certificate) -> None:
    """Each byte in a call of SSL_write of its own: nothing that sees one call alone can know it."""
    secret = new_secret()
    body = json.dumps({"access_token": secret})
    head = f"POST /echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunks = [f"1\r\n{byte}\r\n" for byte in body]
    told = lab.folder / "asked.json"
    told.write_text(json.dumps([{"pieces": [*head, *chunks, "0\r\n\r\n"]}, {"pieces": [head[:100], head[100:], *chunks, "0\r\n\r\n"]}]))
    session = lab.trace([sys.executable, str(programs.RAW), str(web.port), str(trust.authority), str(told)]).whole()
    assert [logged.body for logged in web.quiet()] == [body.encode()] * 2
    assert found_in(str(session.path), secret) == []
    assert len(tags(session)) == 1


@pytest.mark.parametrize(("content_type", "times"), [("application/json", READABLE), ("text/plain", 1)])
@pytest.mark.parametrize("kept", [12, 20, 44])
def test_not_where_a_body_is_cut(lab: Lab, web: Server, trust: Certificate, content_type: str, times: int, kept: int) -> None:
    """--max-body ends in the middle of the secret: half of one is one."""
    secret = new_secret()
    requests = plan(web.url, [("POST", "/echo")])
    requests[0]["body"] = json.dumps({"filler": "f" * 905, "api_key": secret})
    requests[0]["headers"]["content-type"] = content_type
    end = str(requests[0]["body"]).index(secret) + kept
    assert end % READABLE == 0
    words = CLIENTS["curl"].words(lab.folder, requests, str(trust.authority))
    session = lab.trace(words, "--max-body", str(end // times), **trusting(trust)).whole()
    (exchange,) = exchanges(session)
    assert exchange.request_cut is True
    assert exchange.request_body.startswith(b'{"filler": "fff')
    assert found_in(str(session.path), secret) == []


def test_not_from_the_environment_or_an_argument(lab: Lab, web: Server, trust: Certificate) -> None:
    """The value of a variable that is called a secret is one wherever it appears, whatever it looks like."""
    secret, argument, setting = new_secret().replace("sk-test-", "plainword"), new_secret(), new_secret()
    options = trusting(trust)
    options["env"] |= {"SOME_SERVICE_TOKEN": secret}
    requests = plan(web.url, [("POST", "/echo"), ("GET", f"/bytes/7?q={secret}")])
    requests[0]["body"] = f"a text with {secret} in it"
    words = CLIENTS["curl"].words(lab.folder, requests, str(trust.authority))
    session = lab.trace(["env", f"OTHER_API_KEY={setting}", *words, "--oauth2-bearer", argument], **options).whole()
    assert secret.encode() in web.quiet()[0].body
    assert found_in(str(session.path), secret) == []
    assert found_in(str(session.path), argument) == []
    assert found_in(str(session.path), setting) == []


def test_not_in_a_websocket(lab: Lab, web: Server, trust: Certificate) -> None:
    secret = new_secret()
    script = Path(lab.folder / "socket.mjs")
    script.write_text("""
const socket = new WebSocket(process.argv[2]);
socket.onopen = () => socket.send(JSON.stringify({ token: process.env.WORD }));
socket.onmessage = () => socket.close();
""")
    options = trusting(trust)
    options["env"] |= {"WORD": secret}
    session = lab.trace([str(programs.node()), str(script), f"wss://localhost:{web.port}/socket?access_token={secret}"], **options).whole()
    assert [secret.encode() in data for _, _, data in web.quiet()[0].messages] == [True, True]
    assert found_in(str(session.path), secret) == []
    assert len(tags(session)) == 1


def test_all_of_it_when_asked_for(lab: Lab, web: Server, trust: Certificate) -> None:
    """Which also shows that these tests would find one."""
    secret = new_secret()
    words = CLIENTS["curl"].words(lab.folder, asked(web.url, secret), str(trust.authority))
    session = lab.trace(words, "--no-redact", **trusting(trust)).whole()
    ours = same(session, web, library=session.stats["http"][0]["library"])
    assert tags(session) == set()
    assert [exchange.request_headers for exchange in ours.values()] == [logged.headers for logged in web.log]
    assert found_in(str(session.path), secret)
    assert sum(session.stats["tls"]["redacted"].values()) == 0
