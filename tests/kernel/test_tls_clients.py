"""Programs that nobody wrote for these tests, over TLS: each exchange is paired right, and its bytes are those that the server logged."""

from __future__ import annotations

import pytest

from tests.kernel.lab import Lab
from tests.kernel.web.certificate import Certificate
from tests.kernel.web.clients import CLIENTS, library_of, trusting
from tests.kernel.web.compare import all_in_clear, same
from tests.kernel.web.server import Server


@pytest.mark.parametrize("name", CLIENTS)
def test_every_pair_is_right(lab: Lab, web: Server, trust: Certificate, name: str) -> None:
    client = CLIENTS[name]
    words = client.words(lab.folder, client.requests(web.url), str(trust.authority))
    library = client.library or library_of(words[0])
    session = lab.trace(words, **trusting(trust)).whole()
    log = web.quiet()
    assert sorted((logged.method, logged.target) for logged in log) == sorted(asked[:2] for asked in client.asked)
    assert {logged.protocol for logged in log} == {client.protocol}
    ours = same(session, web, library=library)
    rows = all_in_clear(session, library)
    if client.connections:
        assert len(rows) == len({exchange.connection for exchange in ours.values()}) == client.connections
