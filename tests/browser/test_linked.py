"""One search, one range of time, one selection for all views, and all of it in the address."""

from collections.abc import Callable

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.reader import Reader
from tests.browser.stories import shop

Show = Callable[..., Reader]


@pytest.mark.parametrize(("query", "found"), [
    ("error:*", 40), ("error:ENOENT name:openat", 40), ("name:read", 360), ("read", 1120), ("-read name:close", 0), ("pid:102", 400),
    ("tid:103", 200), ("path:/etc/missing", 40), ("path:set1/file7. name:read", 4), ("missing3", 5), ("duration:>1s", 1),
    ("duration:>=300us -name:wait4", 360),
    ("ret:10 name:write", 400), ("fd:3 name:close", 360), ('"set1/file7"', 12), ("process:writer", 400), ("class:waiting", 1), ("is:failed", 40),
    ("nothing-like-it", 0), ("name:op*", 400), ("class:nosuch", 0),
])
def test_search(show: Show, query: str, found: int) -> None:
    reader = show(shop(), "events")
    reader.search(query)
    reader.shows(f"{found:,} of 1,521 calls")
    reader.wait(lambda: reader.address.partition("?q=")[2].replace("+", " ") == query)


def test_the_search_goes_with_the_reader(show: Show) -> None:
    reader = show(shop(), "events")
    reader.search("pid:102")
    reader.shows("400 of 1,521 calls")
    reader.go("processes")
    reader.wait(lambda: [row[1] for row in reader.rows()] == ["102"])
    reader.go("syscalls")
    reader.shows("400 calls, none failed")
    assert [row[0] for row in reader.rows()] == ["write"]
    reader.one("#search").send_keys(Keys.ESCAPE)
    reader.shows("counted by the kernel, exact")


def test_typing_on_the_first_view_leads_to_the_calls(show: Show) -> None:
    reader = show(shop())
    reader.keys("/")
    reader.keys("missing")
    reader.shows("40 of 1,521 calls")


def test_a_range_of_time_is_dragged_and_holds_everywhere(show: Show) -> None:
    reader = show(shop(), "events")
    reader.shows("1,521 calls")
    strip = reader.one(".strip-canvas")
    width = strip.size["width"]
    ActionChains(reader.driver).move_to_element_with_offset(strip, width // 4, 0).click_and_hold().move_by_offset(width // 8, 0).release().perform()
    reader.shows("of 1,521 calls")
    shown = int(reader.text(".summary").split()[0].replace(",", ""))
    assert 0 < shown < 400
    reader.go("syscalls")
    reader.shows("summed up from the recorded calls")
    assert int(reader.text(".summary").split()[0].replace(",", "")) == shown
    reader.one(".strip-side button").click()
    reader.shows("1,521 calls")


def test_the_timeline_zooms_from_seconds_to_nanoseconds(show: Show) -> None:
    reader = show(shop(), "timeline")
    reader.shows("2.50 s from 0")
    reader.one(".timeline-canvas").send_keys("+")
    reader.shows("1.25 s from 625 ms")
    for _ in range(30):
        reader.one(".timeline-canvas").send_keys("+")
    reader.shows("100 ns from")
    reader.one(".timeline-canvas").send_keys("0")
    reader.shows("2.50 s from 0")
    reader.one(".timeline-canvas").send_keys(".")
    reader.shows("wait4", "#details")


@pytest.mark.parametrize(("address", "words", "where"), [
    ("events?q=error:ENOENT&t=0-800000000", "20 of 1,521 calls", "main"), ("timeline?t=1000000-2000000", "1.00 ms from 1.000 ms", "main"),
    ("processes?sel=process:3", "/usr/bin/writer", "#details"), ("syscalls?sel=syscall:openat", "40 (10 %)", "#details"),
    ("files?q=is:missing", "missing3", "main"), ("events?sel=call:1", "/data/set0/file0.txt", "#details"), ("overview", "Ledger", "main"),
    ("nonsense?t=9-1&q=&sel=file:99999", "Ledger", "main"), ("files?sel=file:0", "Used by", "#details"),
    ("network?sel=lookup:0", "here.example", "#details"), ("network?sel=connection:0", "192.0.2.7:443", "#details"),
])
def test_deep_links(show: Show, address: str, words: str, where: str) -> None:
    show(shop(), address).shows(words, where)


def test_the_story_leads_to_what_it_tells(show: Show) -> None:
    reader = show(shop())
    for words, address in (("wait4", "syscalls?sel=syscall:wait4"), ("40 of them", "events?q=error:*"), ("7 names", "files?q=is:missing")):
        reader.go("overview")
        next(link for link in reader.all(".story a") if link.text == words).click()
        reader.wait(lambda address=address: reader.address == address)
        reader.js("location.hash = 'overview'")
        reader.wait(lambda: reader.js("return document.body.dataset.view") == "overview")


def test_back_and_forth(show: Show) -> None:
    reader = show(shop())
    reader.go("files")
    reader.go("events")
    reader.driver.back()
    reader.wait(lambda: reader.js("return document.body.dataset.view") == "files")
    reader.driver.forward()
    reader.wait(lambda: reader.js("return document.body.dataset.view") == "events")


def test_keys_lead_to_views_and_to_help(show: Show) -> None:
    reader = show(shop())
    reader.keys("3")
    reader.wait(lambda: reader.js("return document.body.dataset.view") == "processes")
    reader.keys("?")
    reader.shows("Ctrl + wheel", "#keys")
