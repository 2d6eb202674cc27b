"""HTTP without TLS goes the same road; and programs that serve."""

from __future__ import annotations

import http.client
import ssl
import sys

import pytest

from tests.kernel.lab import Lab
from tests.kernel.web import programs
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.clients import CLIENTS, trusting
from tests.kernel.web.compare import exchanges, same
from tests.kernel.web.plans import many, plan
from tests.kernel.web.routes import payload
from tests.kernel.web.server import Server


@pytest.mark.parametrize("name", ["curl", "curl-parallel", "wget", "python-http.client", "python-threads", "python-asyncio", "node-fetch-parallel",
                                  "bun-fetch", "go-parallel"])
def test_every_pair_is_right(lab: Lab, clear_web: Server, trust: Certificate, name: str) -> None:
    client = CLIENTS[name]
    session = lab.trace(client.words(lab.folder, client.requests(clear_web.url), ""), **trusting(trust)).whole()
    assert len(clear_web.quiet()) == len(client.asked)
    same(session, clear_web, library="")
    assert all(row["tls"] is False for row in session.stats["http"])
    assert session.stats["tls"]["connections"] == []
    assert session.stats["tls"]["percent"] is None


def test_http2_with_prior_knowledge(lab: Lab, trust: Certificate) -> None:
    with Server(None, as_http2=True) as server:
        session = lab.trace(CLIENTS["node-http2"].words(lab.folder, CLIENTS["node-http2"].requests(server.url), "")).whole()
        assert {logged.protocol for logged in server.quiet()} == {"h2"}
        same(session, server, library="")


@pytest.mark.slow
def test_five_hundred_at_once(lab: Lab, clear_web: Server) -> None:
    words = CLIENTS["python-threads"].words(lab.folder, plan(clear_web.url, many(500)), "")
    assert len(same(lab.trace(words).whole(), clear_web, library="")) == 500


@pytest.mark.parametrize("with_tls", [True, False])
def test_a_server(lab: Lab, trust: Certificate, with_tls: bool) -> None:
    """The traced program answers here, and this test asks: the other side of the same exchanges."""
    files = [str(trust.chain), str(trust.key)] if with_tls else []
    tracer = lab.tracer("run", "--", sys.executable, programs.TARGETS / "serve.py", "7", *files)
    port = tracer.ready()
    connection = http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=str(trust.authority))) if with_tls else (
        http.client.HTTPConnection("localhost", port))
    answers = []
    for turn in range(7):
        connection.request("POST", f"/turn/{turn}", payload(turn * 1009))
        response = connection.getresponse()
        answers.append((response.status, response.read()))
    connection.close()
    session = tracer.finish().whole()
    found = exchanges(session)
    assert [(one.side, one.method, one.target, one.status) for one in found] == [("server", "POST", f"/turn/{turn}", 200) for turn in range(7)]
    assert [(one.status, one.response_body) for one in found] == answers
    assert [one.request_body for one in found] == [payload(turn * 1009) for turn in range(7)]
    assert {one.library for one in found} == {"openssl" if with_tls else ""}
    assert {one.url.partition("://")[0] for one in found} == {"https" if with_tls else "http"}
    assert all(one.errors == [] for one in found)
    assert session.stats["tls"]["percent"] == (100.0 if with_tls else None)
