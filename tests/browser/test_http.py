"""The view of LLM and HTTP: the conversation, the table, and one exchange in full."""

import subprocess
from collections.abc import Callable

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.reader import Reader
from tests.browser.stories import shop
from tests.unit.chat_story import agent

Show = Callable[..., Reader]
TABLE = "http?as=exchanges"


def said(reader: Reader, place: int) -> str:
    """What one LLM call says, once it has been filled in."""
    reader.wait(lambda: reader.js("return document.querySelectorAll('.turn')[arguments[0]]?.dataset.filled", place))
    reader.wait(lambda: reader.js("return document.querySelectorAll('.turn')[arguments[0]].children.length > 1", place))
    return str(reader.js("return document.querySelectorAll('.turn')[arguments[0]].innerText", place))


def details(reader: Reader, address: str) -> str:
    reader.shows(address, "#details")
    return reader.text("#details").replace("\n", " ")


def test_llm_calls_are_a_conversation(show: Show) -> None:
    reader = show(agent(), "http")
    reader.shows("3 LLM calls")
    first, failed, last = (said(reader, place) for place in range(3))
    for words in ("claude-sonnet-4-5", "80 ms", "620 ms", "1,200 tokens in · 1,000 of them cached · 57 out", "stopped: tool_use",
                  "What is in report.txt?", "cat report.txt", "I will look.", "read_file", '{"path": "report.txt"}', "2 tools"):
        assert words in first, words
    assert "```" not in first
    for words in ("status 529", "2 earlier messages", "result of read_file", "Overloaded"):
        assert words in failed, words
    for words in ("retry of 3", "3 earlier messages", "The file says **42**.", "print(42)", "stopped: end_turn", "System prompt, as before"):
        assert words in last, words
    assert reader.js("return [...document.querySelectorAll('pre.code')].map((one) => one.textContent)") == ["cat report.txt\n", "print(42)\n"]


def test_what_is_folded_opens(show: Show) -> None:
    reader = show(agent(), "http")
    said(reader, 2)
    assert "careful assistant.\nAnswer" not in said(reader, 0)
    reader.press(".turn summary")
    reader.wait(lambda: "careful assistant.\nAnswer" in said(reader, 0))
    reader.press(".turn[data-call='2'] button.more")
    reader.wait(lambda: "I will look." in said(reader, 2) and "line one" in said(reader, 2))
    summary = next(one for one in reader.all(".turn[data-call='2'] summary") if one.text.startswith("Reasoning"))
    summary.click()
    reader.wait(lambda: "The last line has it." in said(reader, 2))


def test_all_exchanges_are_a_table(show: Show) -> None:
    reader = show(agent(), TABLE)
    reader.shows("9 exchanges")
    rows = reader.wait(lambda: reader.rows())
    assert rows[0][:9] == ["20.0 ms", "GET", "200", "models.example/api.json?all=1&x=[1]", "json", "–", "163 B", "15.0 ms", "18.0 ms"]
    assert [row[1] for row in rows] == ["GET", "POST", "POST", "GET", "POST", "GET", "POST", "GET", "GET"]
    assert [row[2] for row in rows] == ["200", "200", "404", "101", "529", "204", "200", "none", "200"]
    assert rows[3][4] == "4 messages"
    assert rows[7][7:9] == ["–", "–"]
    assert [row[10] for row in rows] == ["agent"] * 5 + ["server"] + ["agent"] * 3


@pytest.mark.parametrize(("title", "first"), [("took", ["none", "101", "200"]), ("status", ["529", "404", "204"]), ("received", ["200"] * 3)])
def test_the_table_is_sorted(show: Show, title: str, first: list[str]) -> None:
    reader = show(agent(), TABLE)
    reader.wait(lambda: reader.rows())
    next(button for button in reader.all(".table-head button") if button.text.startswith(title)).click()
    reader.wait(lambda: [row[2] for row in reader.rows()[:3]] == first)


def test_one_call_in_full(show: Show) -> None:
    reader = show(agent(), f"{TABLE}&sel=exchange:2")
    told = details(reader, "https://api.anthropic.com/v1/messages")
    for words in ("Exchange 2 · http/1.1 · TLS (openssl)", "status 200 OK", "took 620 ms", "process agent (100)", "connection 198.51.100.7:443",
                  "secrets 1 secret taken out", "tokens in 1,200", "of these cached 1,000", "stopped because tool_use",
                  "name looked up 8.00 ms", "connect 12.0 ms", "TLS and first use 18.0 ms", "request sent 4.00 ms",
                  "waiting 216 ms", "response 400 ms", "Request headers 4", "message_start"):
        assert words in told, words
    reader.press("#details .part summary")
    reader.shows("[redacted:1a2b3c4d]", "#details")
    events = reader.rows("#details")
    assert events[0][:2] == ["220 ms", "message_start"]
    assert len(events) == 9
    reader.press("#details .inner-table .row", 1)
    reader.shows("content_block:", "#details .chosen")
    link = next(one for one in reader.all("#details a") if one.text == "198.51.100.7:443")
    link.click()
    reader.shows("rtt", "#details")


def test_json_folds(show: Show) -> None:
    reader = show(agent(), f"{TABLE}&sel=exchange:1")
    details(reader, "https://models.example/api.json?all=1&x=[1]")
    tree = reader.text("#details .json")
    assert "m0" in tree
    assert "1180591620717411303424" in tree
    reader.press("#details .json summary", 1)
    reader.wait(lambda: "m0" not in reader.text("#details .json"))
    assert "3 entries" in reader.text("#details .json")
    next(one for one in reader.all("#details .switch button") if one.text == "Text").click()
    reader.shows('{"models": [{"id": "m0"', "#details .body-shown")


def test_messages_of_a_websocket(show: Show) -> None:
    reader = show(agent(), f"{TABLE}&sel=exchange:7")
    details(reader, "wss://live.example/feed")
    rows = reader.wait(lambda: reader.rows("#details"))
    assert [row[:3] + row[4:] for row in rows] == [
        ["50.0 ms", "↑", "text", "23 B"], ["70.0 ms", "↓", "text", "27 B"], ["250 ms", "↓", "binary", "100 kB"], ["1.65 s", "↑", "close", "2 B"]]
    reader.press("#details .inner-table .row", 1)
    reader.shows("Äpfel", "#details .chosen")
    reader.press("#details .inner-table .row", 2)
    reader.shows("64 B of 100 kB are here.", "#details .chosen")


@pytest.mark.parametrize(("number", "words"), [
    (3, "Overloaded"), (5, "The trace ended before the response did."), (6, "nicht gefunden: äöü"), (8, "answered by this process"),
    (9, "The trace did not keep all of it."), (9, "89 50 4e 47"), (6, "Jürgen"),
])
def test_other_exchanges(show: Show, number: int, words: str) -> None:
    show(agent(), f"{TABLE}&sel=exchange:{number}").shows(words, "#details")


@pytest.mark.parametrize(("query", "found"), [
    ("is:failed", 3), ("is:llm", 3), ("is:server", 1), ("method:post", 4), ("status:>=400", 2), ("status:200", 4), ("host:models.example", 2),
    ("error:*", 3), ("the-answer-is", 0), ('"answer is 42"', 2), ("jsonish", 0), ("Äpfel", 1), ("duration:>500ms", 3), ("model:sonnet", 3),
    ("-is:llm", 6), ("x-cache", 1), ("overloaded", 1), ("process:server", 1), ("pid:101", 1), ("careful -is:failed", 2),
])
def test_search(show: Show, query: str, found: int) -> None:
    reader = show(agent(), TABLE)
    reader.search(query)
    reader.shows(f"{found} of 9 exchanges", ".http-top")


def test_the_range_holds_here_too(show: Show) -> None:
    reader = show(agent(), f"{TABLE}&t=0-90000000")
    reader.shows("2 of 9 exchanges")
    reader.one("[role=tab]").click()
    reader.shows("1 of 3 LLM calls")
    assert len(reader.all(".turn")) == 1


def test_a_link_leads_to_a_call_far_down(show: Show) -> None:
    reader = show(agent(), "http?sel=exchange:4")
    reader.size(1280, 560)
    reader.wait(lambda: reader.js("""
        const [box, chat] = ['.turn.marked', '.chat'].map((one) => document.querySelector(one)?.getBoundingClientRect());
        return box && box.top >= chat.top - 4 && box.top < chat.bottom;"""))
    assert details(reader, "/v1/messages")
    reader.press(".turn[data-call='2'] .turn-title a")
    reader.wait(lambda: reader.address == "http?sel=exchange:4")


def test_the_two_forms_are_in_the_address(show: Show) -> None:
    reader = show(agent(), "http")
    next(one for one in reader.all("[role=tab]") if one.text == "Exchanges").click()
    reader.wait(lambda: reader.address == TABLE)
    reader.driver.back()
    reader.wait(lambda: len(reader.all(".turn")) == 3)
    reader.driver.forward()
    reader.shows("9 exchanges")


def test_rows_are_chosen_with_the_keyboard(show: Show) -> None:
    reader = show(agent(), TABLE)
    reader.wait(lambda: len(reader.rows()) == 9)
    reader.one(".table-body").send_keys(Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER)
    reader.wait(lambda: reader.address == f"{TABLE}&sel=exchange:2")


def test_how_much_was_read_is_said(show: Show) -> None:
    reader = show(agent(), "http")
    reader.shows("5 secrets taken out", ".coverage")
    assert reader.text(".coverage summary").startswith("TLS: ")
    reader.one(".coverage summary").click()
    reader.shows("rustls cannot be read", ".coverage")
    reader.go("overview")
    assert "telemetry.example" in reader.text(".warnings")
    assert "waiting for the model" in reader.text(".story")


def test_exchanges_stand_in_the_timeline(show: Show) -> None:
    reader = show(agent(), "timeline")
    reader.shows("2.50 s from 0")
    assert "answer streams in" in reader.text(".key")
    canvas = reader.one(".timeline-canvas")
    found = ""
    for down in range(60, 200, 6):
        ActionChains(reader.driver).move_to_element_with_offset(canvas, 230, down - canvas.size["height"] // 2).perform()
        found += reader.text(".tip")
        if "claude" in found:
            break
    assert "waited 315 ms, then 485 ms of answer" in found
    ActionChains(reader.driver).click().perform()
    reader.wait(lambda: reader.address == "timeline?sel=exchange:4")


def test_a_request_as_curl(show: Show) -> None:
    reader = show(agent(), f"{TABLE}&sel=exchange:1")
    reader.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    details(reader, "https://models.example/api.json?all=1&x=[1]")
    next(one for one in reader.all("#details button") if one.text == "Copy as curl").click()
    reader.shows("Copied", "#details")
    command = reader.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert words_of(command) == ["--globoff", "--request", "GET", "--url", "https://models.example/api.json?all=1&x=[1]", "--header", "Accept: */*",
                                 "--header", "X-Quote: it's \"so\"\\"]


def words_of(command: str) -> list[str]:
    """What curl would be given by bash."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    return subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=10).stdout.decode().split("\0")[:-1]


def test_without_bodies(show: Show) -> None:
    reader = show(agent(), f"{TABLE}&sel=exchange:2", bodies=False)
    told = details(reader, "https://api.anthropic.com/v1/messages")
    assert "made without bodies" in told
    assert "Request headers 4" in told
    next(one for one in reader.all("[role=tab]") if one.text == "Conversation").click()
    reader.shows("made without what was said")


def test_sessions_without_http_have_no_such_view(show: Show) -> None:
    reader = show(shop())
    assert reader.all("#tab-http") == []
