import json
from pathlib import Path
from typing import Any

import pytest

from report.totals import document, totals_of
from tests.unit.chat_story import MS, agent, exchange_of
from tests.unit.html_columns import Page, page_of
from tests.unit.report_sessions import Story
from tracer.session.exchanges import SocketMessage
from tracer.session.reader import open_session


@pytest.fixture
def told() -> Story:
    return agent()


@pytest.fixture
def page(told: Story, tmp_path: Path) -> Page:
    return page_of(told.write(tmp_path / "a.ebt"))


def row_of(page: Page, number: int) -> int:
    return int(page.tables["http"]["number"].index(number))


def test_the_rows_are_those_of_stats(page: Page, tmp_path: Path) -> None:
    with open_session(str(tmp_path / "a.ebt")) as session:
        expected = json.loads(json.dumps(document(totals_of(session))))
    http, llm = page.tables["http"], page.tables["llm"]
    assert [dict(zip(http, values)) for values in zip(*http.values())] == [
        {**row, "proc": proc, "phases": phases} for row, proc, phases in zip(expected["http"], http["proc"], http["phases"])]
    assert http["number"] == [1, 2, 6, 7, 3, 8, 4, 5, 9]
    assert http["proc"] == [1, 1, 1, 1, 1, 2, 1, 1, 1]
    assert [name for name, _, _ in http["phases"][1]] == ["dns", "connect", "tls", "send", "wait", "stream"]
    for name, values in llm.items():
        assert values == [row[name] for row in expected["llm"]], name


def test_headers_bodies_and_times_are_those_of_the_exchange(told: Story, page: Page) -> None:
    for number in range(1, 10):
        row, exchange = row_of(page, number), exchange_of(told, number)
        said = page.spoken["http"][row]
        assert said["target"] == [exchange.scheme, exchange.authority, exchange.target]
        assert said["headers"][:2] == [list(map(list, part)) for part in (exchange.request_headers, exchange.response_headers)]
        assert (page.body(row, 0), page.body(row, 1)) == (exchange.request_body, exchange.response_body)
        assert page.body(row, 2) == b"".join(message.data for message in exchange.messages)
    said = page.spoken["http"][row_of(page, 2)]
    assert said["marks"][1][0] == [0, 300 * MS]
    assert said["marks"][1][-1][1] == 700 * MS
    assert [message[:3] for message in page.spoken["http"][row_of(page, 7)]["messages"]] == [
        [700 * MS, True, "text"], [720 * MS, False, "text"], [900 * MS, False, "binary"], [2300 * MS, True, "close"]]


def test_the_conversation(page: Page) -> None:
    said = page.spoken
    texts, turns = said["texts"], said["llm"]
    assert [(turn["base"], turn["known"]) for turn in turns] == [(-1, 0), (0, 2), (1, 3)]
    assert texts[turns[0]["text"]] == "I will look."
    assert texts[turns[2]["text"]].startswith("The file says **42**.")
    assert texts[turns[2]["reasoning"]] == "The last line has it."
    assert [(name, texts[arguments]) for _, name, arguments in turns[0]["tool_calls"]] == [("read_file", '{"path": "report.txt"}')]
    assert "Overloaded" in texts[turns[1]["error"]]
    assert page.tables["llm"]["retry_of"] == [None, None, 3]


def test_without_bodies_headers_and_sizes_stay(told: Story, tmp_path: Path) -> None:
    page = page_of(told.write(tmp_path / "a.ebt"), bodies=False)
    assert page.head["bodies"] is False
    assert (page.scripts["bodies"], page.spoken["llm"], page.spoken["texts"]) == ("", [], [""])
    row = row_of(page, 2)
    assert page.spoken["http"][row]["bodies"] == [None, None, None]
    assert page.spoken["http"][row]["headers"][0][0] == ["host", "api.anthropic.com"]
    assert page.tables["http"]["request_bytes"][row] == len(exchange_of(told, 2).request_body)
    assert page.tables["llm"]["output_tokens"] == [57, None, 57]
    assert page.tables["llm"]["error"] == [None, "failed", None]
    everything = page.source + json.dumps(page.tables) + json.dumps(page.spoken)
    for words in ("the answer is 42", "careful assistant", "Overloaded\"}", "line has it"):
        assert words not in everything


def test_nasty_texts_are_embedded_as_they_are(tmp_path: Path) -> None:
    nasty = "</script><script>alert(1)</script>\u2028\udcff\x1b[31m"
    told = Story()
    told.found(-1, 1, 100)
    told.exchange(1, 2, 3, 4, method=nasty, scheme="http", authority=nasty, target=f"/{nasty}", status=200, request_headers=[(nasty, nasty)],
                  response_body=nasty.encode("utf-8", "surrogateescape"), errors=[nasty], messages=[SocketMessage(5, True, nasty, b"\0", 1)])
    page = page_of(told.write(tmp_path / "a.ebt"))
    assert page.spoken["http"][0]["headers"][0] == [[nasty, nasty]]
    assert page.spoken["http"][0]["target"] == ["http", nasty, f"/{nasty}"]
    assert page.body(0, 1) == nasty.encode("utf-8", "surrogateescape")
    assert not set(page.source) & {"\u2028", "\x1b", "\0"}
    assert "alert" not in page.source


def test_endless_headers_are_cut(tmp_path: Path) -> None:
    told = Story()
    told.found(-1, 1, 100)
    many: Any = [("a", "b")] * 2000
    told.exchange(1, method="GET", request_headers=[("long", "x" * 1_000_000)], response_headers=many, response_marks=[(0, 5)] * 20_000)
    said = page_of(told.write(tmp_path / "a.ebt")).spoken["http"][0]
    assert said["headers"][0][0][1] == "x" * 65_536 + "… (1,000,000 characters)"
    assert (len(said["headers"][1]), len(said["marks"][1])) == (1000, 10_000)


def test_the_page_says_how_much_was_read(told: Story, tmp_path: Path) -> None:
    page = page_of(told.write(tmp_path / "a.ebt"))
    assert page.head["coverage"]["secrets"] == 5
    assert [row["name"] for row in page.head["coverage"]["unread"]] == ["telemetry.example"]
    assert "Not read: telemetry.example" in page.text
    assert "5 secrets were taken out: 4 in headers, 1 in bodies." in page.text
    assert ("It made 3 LLM calls to claude-sonnet-4-5, 1.56 s of 2.50 s waiting for the model; 2,400 tokens went in and 114 came out; "
            "1 of them failed.") in page.text
    assert ("It sent 8 HTTP requests to 5 hosts: models.example, api.anthropic.com, forms.example and 2 more, of which 3 failed, "
            "and answered 1 HTTP request.") in page.text
