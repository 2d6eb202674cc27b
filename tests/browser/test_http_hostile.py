"""Nothing that comes over HTTP runs, hides or grows without end."""

import json
from collections.abc import Callable

import pytest

from tests.browser.reader import Reader
from tests.browser.test_http import words_of
from tests.browser.test_looks import CONTRAST, NAMELESS
from tests.unit.chat_story import agent
from tests.unit.report_sessions import ORIGIN, Story
from tracer.session.exchanges import SocketMessage

Show = Callable[..., Reader]
HOSTILE = ("<script>window.hit=1</script>", "</script><script>window.hit=1</script>", "<img src=x onerror=window.hit=1>", "\u2028\u202eevil",
           "\udcff\x1b[31m", "{{7*7}}", "'; window.hit=1 #$(touch /tmp/hit)`id`\\")
MANY = 10_000_000


def nasty(text: str) -> Story:
    """An LLM call and a WebSocket that say this everywhere."""
    told = Story()
    told.found(-1, 1, 100)
    data = text.encode("utf-8", "surrogateescape")
    plain = data.decode("utf-8", "replace")
    asked = json.dumps({"model": plain, "messages": [{"role": "user", "content": plain}, {"role": plain, "content": plain}]}).encode()
    answer = json.dumps({"model": plain, "choices": [{"message": {"role": "assistant", "content": plain, "tool_calls": [
        {"id": plain, "function": {"name": plain, "arguments": plain}}]}, "finish_reason": plain}], plain: {plain: [plain]}}).encode()
    told.exchange(1000, 2000, 3000, 4000, method="POST", scheme="https", authority="api.openai.com", target=f"/v1/chat/completions?{text}",
                  status=200, reason=text, library=text, request_headers=[("X-A", text), (text, "b")],
                  response_headers=[("Content-Type", "application/json")], request_body=asked, response_body=answer, errors=[text])
    told.exchange(5000, 6000, 7000, 8000, method=text, scheme=text, authority=text, target=text, status=101, protocol="websocket",
                  response_headers=[("content-type", "text/event-stream")], response_body=b"event: " + data + b"\ndata: " + data + b"\n\n",
                  response_marks=[(0, ORIGIN + 7000)], request_body=data, messages=[SocketMessage(ORIGIN + 7500, True, text, data, 5)])
    return told


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_said_runs(show: Show, text: str) -> None:
    reader = show(nasty(text), "http")
    reader.shows("1 LLM call")
    reader.wait(lambda: reader.all(".said.assistant"))
    for number in (1, 2):
        reader.js(f"location.hash = 'http?as=exchanges&sel=exchange:{number}'")
        reader.shows(f"Exchange {number}", "#details")
        reader.js("document.querySelectorAll('#details details').forEach((one) => (one.open = true))")
        reader.js("document.querySelectorAll('#details .inner-table .row').forEach((one) => one.click())")
        reader.js("document.querySelectorAll('#details .switch button').forEach((one) => one.click())")
    reader.go("timeline")
    shown = reader.js("return document.querySelector('#details').innerText")
    assert not set(shown) & {"\u2028", "\u202e", "\x1b"}
    assert reader.js("return [window.hit, document.querySelectorAll('main img, main script, #details img, #details script').length]") == [None, 0]


@pytest.mark.parametrize("text", HOSTILE)
def test_curl_gets_each_word_as_it_is(show: Show, text: str) -> None:
    reader = show(nasty(text), "http?as=exchanges&sel=exchange:1")
    reader.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    reader.shows("Copy as curl", "#details")
    next(one for one in reader.all("#details button") if one.text == "Copy as curl").click()
    reader.shows("Copied", "#details")
    command = reader.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert not set(command) & {"\x1b", "\u202e", "\u2028"}
    words = words_of(command)
    plain = text.replace("\udcff", "\ufffd")
    assert words[:5] == ["--globoff", "--request", "POST", "--url", f"https://api.openai.com/v1/chat/completions?{plain}"]
    assert words[words.index("--header") + 1] == f"X-A: {plain}"
    assert words[words.index("--data-raw") + 1].startswith('{"model": ')


def test_endless_bodies_open_at_once_and_show_their_beginning(show: Show) -> None:
    told = Story()
    told.found(-1, 1, 100)
    lines = "".join(f"line {number}\n" for number in range(MANY // 12))
    told.exchange(1, 2, 3, 4, method="GET", scheme="http", authority="a", target="/" + "p" * MANY, status=200, response_body=lines.encode(),
                  response_headers=[("Content-Type", "text/plain"), ("X-Long", "h" * MANY)])
    told.exchange(5, 6, 7, 8, method="GET", scheme="http", authority="a", target="/json", status=200,
                  response_headers=[("Content-Type", "application/json")],
                  response_body=json.dumps({"deep": "x" * 1_000_000, "many": list(range(100_000))}).encode())
    reader = show(told, "http?sel=exchange:1")
    reader.shows("line 0", "#details")
    assert len(reader.text("#details")) < 200_000
    next(one for one in reader.all("#details .more") if one.text.startswith("Show 1.05 MB more")).click()
    reader.wait(lambda: "line 90000" in reader.js("return document.querySelector('#details .body-shown').textContent"))
    reader.js("location.hash = 'http?sel=exchange:2'")
    reader.shows("100,000 entries", "#details")
    assert len(reader.text("#details")) < 20_000
    reader.press("#details .json summary", 1)
    reader.wait(lambda: "99,800 more" in reader.text("#details"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_of_it_can_be_read_and_has_a_name(show: Show, scheme: str) -> None:
    reader = show(agent(), "http")
    reader.prefer(scheme)
    reader.wait(lambda: len(reader.all(".said")) == 5)
    reader.js("document.querySelectorAll('.chat details').forEach((one) => (one.open = true))")
    assert (reader.js(CONTRAST), reader.js(NAMELESS)) == ([], [])
    for number in range(1, 10):
        reader.js(f"location.hash = 'http?as=exchanges&sel=exchange:{number}'")
        reader.shows(f"Exchange {number} ", "#details")
        reader.js("document.querySelectorAll('#details details, .coverage').forEach((one) => (one.open = true))")
        assert (reader.js(CONTRAST), reader.js(NAMELESS)) == ([], []), number


@pytest.mark.parametrize("width", [400, 768, 1280, 2560])
@pytest.mark.parametrize("address", ["http", "http?as=exchanges", "http?sel=exchange:2", "http?as=exchanges&sel=exchange:7"])
def test_nothing_sticks_out(show: Show, width: int, address: str) -> None:
    reader = show(agent(), address)
    reader.size(width, 800)
    reader.wait(lambda: reader.js("""
        const boxes = ['html', 'main', '.chat, .table-body', '#details'].map((one) => document.querySelector(one)).filter(Boolean);
        return boxes.every(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth + 1);"""))


def test_print(show: Show) -> None:
    reader = show(agent(), "http")
    reader.wait(lambda: len(reader.all(".said")) == 5)
    reader.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert reader.js("return document.querySelector('.chat').scrollHeight <= document.querySelector('.chat').clientHeight + 1")
    assert len(reader.driver.print_page()) > 10_000
    reader.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
