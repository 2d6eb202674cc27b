"""Servers that answer badly: the tracer stays small, stays up, and says which exchanges are not what they should be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from tests.kernel.lab import Lab
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.compare import MAX_BODY, exchanges
from tests.kernel.web.hostile import HostileServer, cases, requests
from tests.kernel.web.programs import RAW
from tests.kernel.web.server import Server

_LIMIT_MB = 100  # of one process of the tracer: the budget that must never be passed


def peaks_mb(tracer: int, target: int) -> dict[int, float]:
    """Peak resident memory of each process of a tracer, by pid."""
    pids = [process.pid for process in (psutil.Process(tracer), *psutil.Process(tracer).children(recursive=True))]
    return {pid: int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024 for pid in pids if pid != target}


def test_bad_answers(lab: Lab, trust: Certificate) -> None:
    asked = lab.folder / "asked.json"
    asked.write_text(json.dumps(requests()))
    with HostileServer(trust.context("h2", "http/1.1")) as server:
        tracer = lab.tracer("run", "--", sys.executable, RAW, str(server.port), trust.authority, asked, "wait", stdin=subprocess.PIPE)
        target = tracer.ready()
        read = list(map(int, tracer.before))
        peaks = peaks_mb(tracer.pid, target)
        tracer.release()
        session = tracer.finish()
    assert session.stats["session"]["complete"] is True
    assert session.stats["session"]["problems"] == []
    assert len(peaks) >= 2
    assert max(peaks.values()) < _LIMIT_MB, peaks
    assert len(read) == len(cases())
    found: dict[str, list[list[str]]] = {name: [] for name in cases()}
    for exchange in exchanges(session):
        assert len(exchange.response_body) <= MAX_BODY
        assert sum(len(name) + len(value) for name, value in exchange.response_headers + exchange.response_trailers) < 1 << 20
        assert sum(len(message.data) for message in exchange.messages) <= MAX_BODY * max(1, len(exchange.messages))
        for name in parse_qs(urlsplit(exchange.target).query).get("case", []):
            found[name].append(exchange.errors)
    lost = session.stats["ledger"]["plaintext"]["lost"]
    for name, case in cases().items():
        assert found[name], f"{name} was asked for, and is not there"
        if case.marked:
            assert any(found[name]), f"{name} is not marked"
        elif not lost:
            assert found[name][0] == [], f"{name} is a whole answer"


def test_bombs_are_cut_and_said(lab: Lab, trust: Certificate) -> None:
    """128 MB of zeros out of some kB: what is kept is the beginning."""
    names = [name for name in cases() if name.endswith("-bomb") and cases()[name].protocol == "http/1.1"]
    asked = lab.folder / "asked.json"
    asked.write_text(json.dumps([one for one, name in zip(requests(), cases()) if name in names]))
    with HostileServer(trust.context("http/1.1")) as server:
        session = lab.trace([sys.executable, str(RAW), str(server.port), str(trust.authority), str(asked)]).whole()
    found = exchanges(session)
    assert len(found) == len(names) == 3
    for exchange in found:
        assert exchange.status == 200
        assert exchange.response_body == bytes(MAX_BODY)
        assert exchange.response_cut is True
        assert exchange.response_bytes == int(exchange.header("content-length"))


def test_a_client_that_sends_no_http(lab: Lab, web: Server, trust: Certificate) -> None:
    """And one that leaves in the middle of its request."""
    asked = lab.folder / "asked.json"
    asked.write_text(json.dumps([{"pieces": ["\0\1\2 no http \r\n\r\n" * 7]},
                                 {"pieces": ["GET / HTTP/1.1\r\nHost: localhost\r\nx-cu"], "leave": True}]))
    session = lab.trace([sys.executable, str(RAW), str(web.port), str(trust.authority), str(asked)]).whole()
    assert session.stats["tls"]["percent"] == 100.0  # it was read; there was nothing in it
    assert all(exchange.errors for exchange in exchanges(session))
    assert all(exchange.status is None for exchange in exchanges(session))
    assert session.stats["ledger"]["plaintext"]["lost"] == 0
