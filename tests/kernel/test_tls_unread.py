"""TLS that cannot be read is counted all the same, and said with its reason."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.lab import Lab
from tests.kernel.support import cli
from tests.kernel.web import programs
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.clients import trusting
from tests.kernel.web.compare import all_in_clear, exchanges, same
from tests.kernel.web.server import Server


def test_a_library_that_nobody_knows(lab: Lab, web: Server) -> None:
    """TLS in pure Python: not one byte of it is in clear, and the session says so in numbers."""
    session = lab.trace([sys.executable, str(programs.PURE), str(web.port), "/bytes/100003"]).whole()
    assert len(web.quiet()) == 1
    assert exchanges(session) == session.stats["http"] == []
    tls = session.stats["tls"]
    (row,) = tls["connections"]
    assert (row["percent"], row["seen_sent"], row["seen_received"]) == (0.0, 0, 0)
    assert row["app_received"] >= 100_003  # the records on the wire tell their lengths
    assert 0 < row["app_sent"] < row["sent_bytes"]
    assert row["received_bytes"] > row["app_received"]
    assert row["reason"]
    assert tls["percent"] == 0.0
    shown = cli("stats", session.path)
    assert row["reason"] in " ".join(shown.stdout.split())


def test_beside_one_that_is_read(lab: Lab, web: Server, trust: Certificate) -> None:
    """The percentage of a session is of all its bytes."""
    curl = f"curl -s --cacert {trust.authority} -o /dev/null {web.url}/bytes/300007"
    session = lab.trace(["sh", "-c", f"{curl}; {sys.executable} {programs.PURE} {web.port} /bytes/100003"]).whole()
    tls = session.stats["tls"]
    assert sorted(row["percent"] for row in tls["connections"]) == [0.0, 100.0]
    seen, app = (sum(row[f"{kind}_sent"] + row[f"{kind}_received"] for row in tls["connections"]) for kind in ("seen", "app"))
    assert tls["percent"] == pytest.approx(100 * seen / app)
    assert 74 < tls["percent"] < 76


def test_rustls(lab: Lab, web: Server, trust: Certificate) -> None:
    """Either it is read whole, or it is named: nothing between."""
    words = [str(programs.uv()), "pip", "install", "--no-config", "--no-cache", "--python", sys.executable, "--target", str(lab.folder / "none"),
             "--index-url", f"{web.url}/simple", "nothing-here"]
    session = lab.trace(words, status=1, **trusting(trust)).whole()
    assert [logged.status for logged in web.quiet()] == [404]
    (row,) = session.stats["tls"]["connections"]
    if row["percent"] == 100.0:
        all_in_clear(session, "rustls")
        same(session, web, library="rustls")
    else:
        assert row["percent"] == 0.0
        assert "rustls" in row["reason"]
        assert session.stats["http"] == []
