from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from report.text import count, duration, size
from report.totals import Totals, totals_of
from tests.browser.reader import Reader
from tests.browser.stories import shop
from tracer.session.reader import open_session

Show = Callable[..., Reader]
VIEWS = ("overview", "timeline", "processes", "files", "network", "syscalls", "events")


@pytest.fixture
def totals(tmp_path: Path) -> Totals:
    with open_session(str(shop().write(tmp_path / "same.ebt"))) as session:
        return totals_of(session)


def test_every_view_has_something_to_show(show: Show) -> None:
    reader = show(shop())
    assert [tab.get_attribute("id") for tab in reader.all("#tabs a")] == [f"tab-{view}" for view in VIEWS]
    for view, words in zip(VIEWS, ("Ledger", "Fit", "--all", "set0/", "192.0.2.7:443", "openat", "/data/set0/file0.txt")):
        reader.go(view)
        reader.shows(words)
        assert reader.one(f"#tab-{view}").get_attribute("aria-current") == "page"


def test_overview_says_what_stats_says(show: Show, totals: Totals) -> None:
    reader = show(shop())
    calls, errors = (sum(getattr(row, field) for row in totals.syscalls) for field in ("calls", "errors"))
    facts = reader.text(".facts").replace("\n", " ")
    assert facts == (f"2.50 s long 0 exit status {count(calls)} system calls {count(errors)} failed {len(totals.processes)} processes "
                     f"{count(len(totals.files))} files")
    ledger = {row.find_element("css selector", "th").text: [cell.text for cell in row.find_elements("css selector", "td")]
              for row in reader.all(".honesty tbody tr")}
    assert ledger["syscalls"] == [count(calls), count(calls), "0", "0"]
    longest = [item.text for item in reader.all(".bars li")]
    assert len(reader.all(".bars a")) == min(len(totals.syscalls), 8), longest


def test_syscalls_are_those_of_stats(show: Show, totals: Totals) -> None:
    reader = show(shop(), "syscalls")
    reader.shows("counted by the kernel, exact")

    def told(ns: float) -> str:
        return duration(ns).replace("us", "µs")

    expected = [
        [row.name, count(row.calls), count(row.errors) if row.errors else "–", "",
         *(told(ns or 0) for ns in (row.total_ns, row.p50_ns, row.p99_ns, row.max_ns)), size(row.bytes) if row.bytes else "–"]
        for row in totals.syscalls]
    assert reader.rows() == expected


def test_files_as_a_list_are_those_of_stats(show: Show, totals: Totals) -> None:
    reader = show(shop(), "files")
    reader.one(".switch button:nth-child(2)").click()
    reader.shows(f"{count(len(totals.files))} files")
    first = totals.files[0]
    assert reader.rows()[0] == [first.path, size(first.read_bytes), "–", count(first.reads), "0", count(first.opens), "–"]
    reader.one(".switch button:nth-child(3)").click()
    reader.shows("missing6")
    assert len(reader.rows()) == len(totals.searches)


def test_what_was_lost_and_what_it_cost_is_in_sight_everywhere(show: Show) -> None:
    reader = show(shop(), "events")
    assert reader.text("#honest") == "Nothing was lost · 380 ns added to a call"
    reader.one("#honest").click()
    reader.wait(lambda: 0 < reader.js("return document.querySelector('#ledger-title').getBoundingClientRect().top") < 780)


def test_folders_open_and_close(show: Show) -> None:
    reader = show(shop(), "files")
    reader.shows("set0/")
    before = len(reader.rows())
    reader.press(".folder")
    reader.wait(lambda: len(reader.rows()) < before)
    reader.press(".folder")
    reader.wait(lambda: len(reader.rows()) == before)


def test_processes_stand_under_their_parents(show: Show) -> None:
    reader = show(shop(), "processes")
    reader.wait(lambda: len(reader.rows()) == 3)
    assert [row[1] for row in reader.rows()] == ["100", "101", "102"]
    assert reader.rows()[2][4] == "2"
    reader.press(".row", 1)
    reader.shows("/usr/bin/reader", "#details")
    reader.wait(lambda: reader.address == "processes?sel=process:2")


def test_a_call_is_told_in_full(show: Show) -> None:
    reader = show(shop(), "events")
    reader.wait(lambda: len(reader.rows()) > 10)
    reader.press(".row", 1)
    reader.shows("/data/set0/file0.txt", "#details")
    told = reader.text("#details").replace("\n", " ")
    for words in ("openat", "took 5.00 µs", "thread 101", "path /data/set0/file0.txt", "dirfd ."):
        assert words in told
    reader.keys(Keys.ESCAPE)
    reader.wait(lambda: not reader.text("#details"))


def test_events_are_sorted_by_length(show: Show) -> None:
    reader = show(shop(), "events")
    reader.wait(lambda: reader.rows()[:1])
    next(button for button in reader.all(".table-head button") if button.text.startswith("took")).click()
    reader.wait(lambda: [row[2] for row in reader.rows()[:2]] == ["wait4", "read"])


def test_rows_are_chosen_with_the_keyboard(show: Show) -> None:
    reader = show(shop(), "events")
    reader.wait(lambda: len(reader.rows()) > 10)
    reader.one(".table-body").send_keys(Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER)
    reader.shows("openat", "#details")
    reader.one(".table-body").send_keys(Keys.END)
    reader.wait(lambda: reader.rows()[-1][2] == "write")


def test_what_was_lost_and_cut_off_is_said(show: Show) -> None:
    told = shop()
    told.lost["syscalls"] = 5
    reader = show(told, complete=False)
    assert "There is no END block" in reader.text(".warnings")
    assert "records are missing" in reader.text(".verdict") or "not whole" in reader.text(".verdict")


def test_more_calls_than_one_page_holds(show: Show) -> None:
    reader = show(shop(), "events", max_events=300)
    reader.shows("calls one by one")
    reader.go("overview")
    assert "too many for one page" in reader.text(".warnings")


def test_hovering_over_the_timeline_tells_the_call(show: Show) -> None:
    reader = show(shop(), "timeline?t=0-4000000")
    reader.shows("4.00 ms from 0")
    canvas = reader.one(".timeline-canvas")
    found = ""
    for down in range(40, 200, 6):
        ActionChains(reader.driver).move_to_element_with_offset(canvas, 0, down - canvas.size["height"] // 2).perform()
        found += reader.text(".tip")
    assert "wait4" in found
