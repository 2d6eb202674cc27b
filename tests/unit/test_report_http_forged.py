"""Sessions whose HTTP and TLS blocks are lies: everything that reads them comes through."""

import io
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from report.jsonl import json_lines
from report.tables import print_totals
from report.text import as_json
from report.totals import document, totals_of
from tests.unit.report_sessions import Story
from tracer.session.format import BlockKind
from tracer.session.packing import FIELDS
from tracer.session.reader import open_session

NUMBERS = st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats()
LEAVES = st.none() | NUMBERS | st.binary(max_size=4) | st.text(max_size=6) | st.sampled_from((
    "POST", "/v1/chat/completions", "api.openai.com", "websocket", "server", "\x1b[2J", "\udcff", "text/event-stream"))
LISTS = st.lists(LEAVES, max_size=7)
TLS = ("sock", "proc", "library", "sni", "app_sent", "app_received", "seen_sent", "seen_received", "reason", "path", "note", "verified", "first_ns")
ENTRY = st.dictionaries(st.sampled_from((*FIELDS, "messages_data")), LEAVES | LISTS, max_size=14)
ROWS = st.lists(st.dictionaries(st.sampled_from(TLS), LEAVES, max_size=8), max_size=3)
FIELDS_OF_MAP = st.sampled_from(("connections", "images", "redacted", "plaintext"))
MAP = st.dictionaries(FIELDS_OF_MAP, LEAVES | ROWS | st.dictionaries(st.text(max_size=3), LEAVES))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(ENTRY, max_size=4), MAP)
def test_forged_sessions_are_told_all_the_same(tmp_path: Path, entries: list[dict[str, Any]], tls: dict[str, Any]) -> None:
    told = Story()
    told.found(-10, 1, 100)
    told.maps += [(BlockKind.EXCHANGES, {"exchanges": entries}), (BlockKind.TLS, tls)]
    with open_session(str(told.write(tmp_path / "a.ebt"))) as session:
        totals = totals_of(session)
        lines = "".join(json_lines(session))
    assert len(totals.http) == len(entries)
    as_json(document(totals)).encode()
    lines.encode()
    assert lines.count('"type":"http"') == len(entries)
    out = io.StringIO()
    print_totals(totals, Console(file=out, width=60, force_terminal=True), top=2)
    assert "\x1b[2J" not in out.getvalue()
