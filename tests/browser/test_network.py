"""The columns of connections and look-ups."""

from collections.abc import Callable

from tests.browser.reader import Reader
from tests.unit.chat_story import agent

Show = Callable[..., Reader]


def test_connections_with_what_tcp_tells(show: Show) -> None:
    reader = show(agent(), "network")
    reader.size(1600, 800)
    reader.shows("1 connection")
    titles = reader.js("return [...document.querySelectorAll('.network .list')][0].querySelector('.table-head').innerText.split('\\n')")
    rows = reader.wait(lambda: reader.rows(".network .list:nth-of-type(1)"))
    told = dict(zip([title for title in titles if title], rows[0]))
    assert told["remote"].startswith("api.anthropic.com")
    assert "198.51.100.7:443" in told["remote"]
    assert {name: told[name] for name in ("protocol", "direction", "local", "connect", "RTT", "resent", "sent", "received", "pid")} == {
        "protocol": "tcp", "direction": "out", "local": "192.0.2.1:40000", "connect": "12.0 ms", "RTT": "11.5 ms", "resent": "2", "sent": "2.00 kB",
        "received": "5.00 kB", "pid": "100"}
    reader.press(".network .list:nth-of-type(1) .row")
    reader.shows("min rtt", "#details")
    told_all = reader.text("#details").replace("\n", " ")
    for words in ("connect 12.0 ms", "min rtt 10.0 ms", "retransmits 2", "direction out"):
        assert words in told_all, words


def test_look_ups_with_their_answers(show: Show) -> None:
    reader = show(agent(), "network")
    reader.size(1600, 800)
    rows = reader.wait(lambda: reader.rows(".network .list:nth-of-type(2)"))
    assert rows == [["api.anthropic.com", "A", "ok", "198.51.100.7", "udp", "40.000 ms", "8.00 ms"]]


def test_search_and_range(show: Show) -> None:
    reader = show(agent(), "network")
    for query, found in (("host:nowhere", 0), ("host:198.51.100.7", 1), ("host:198.51.100.8", 0), ("host:anthropic", 1), ("is:tcp", 1)):
        reader.search(query)
        reader.wait(lambda found=found: len(reader.rows(".network .list:nth-of-type(1)")) == found)
    reader.js("location.hash = 'network?t=0-1000000'")
    reader.shows("0 of 1 connections")
