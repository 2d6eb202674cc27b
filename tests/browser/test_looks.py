"""Light and dark, narrow and wide, on paper, for people who do not see it, and with nasty content."""

from collections.abc import Callable

import pytest

from report.html.texts import shown
from tests.browser.reader import Reader
from tests.browser.stories import shop
from tests.unit.report_sessions import AT_FDCWD, Story

Show = Callable[..., Reader]
VIEWS = ("overview", "timeline", "processes", "files", "network", "syscalls", "events")
CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (value) => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
const ground = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const [red, green, blue, opacity = 1] = parse(getComputedStyle(one).backgroundColor);
    if (opacity === 1) return [red, green, blue];
  }
  return [255, 255, 255];
};
const poor = new Set();
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || ['SCRIPT', 'STYLE'].includes(element.tagName) || element.closest('.unseen, svg, .skip')) continue;
  const [one, other] = [light(parse(getComputedStyle(element).color).slice(0, 3)), light(ground(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) poor.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent.slice(0, 30)}`);
}
return [...poor];
"""
NAMELESS = """
return [...document.querySelectorAll('button, a[href], input, canvas, [role="slider"], [tabindex="0"]')]
  .filter((one) => one.checkVisibility() && !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length || one.title))
  .map((one) => one.outerHTML.slice(0, 120));
"""
HOSTILE = ("<script>window.hit=1</script>", "</script><script>window.hit=1</script>", "<img src=x onerror=window.hit=1>", "\u2028\u202eevil",
           "\udcff\x1b[31m", "{{7*7}}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_everything_has_a_name(show: Show, scheme: str) -> None:
    reader = show(shop())
    reader.prefer(scheme)
    ground = reader.js("return getComputedStyle(document.body.parentElement).backgroundColor")
    assert ground == {"light": "rgb(251, 250, 248)", "dark": "rgb(18, 19, 23)"}[scheme]
    for view in VIEWS:
        reader.go(view)
        if view in ("processes", "files", "syscalls", "events"):
            reader.wait(lambda: reader.rows())
        assert reader.js(CONTRAST) == [], view
        assert reader.js(NAMELESS) == [], view


def test_the_theme_is_changed_by_hand(show: Show) -> None:
    reader = show(shop())
    reader.one("#theme").click()
    assert reader.js("return getComputedStyle(document.documentElement).backgroundColor") == "rgb(18, 19, 23)"
    reader.one("#theme").click()
    assert reader.js("return getComputedStyle(document.documentElement).backgroundColor") == "rgb(251, 250, 248)"


@pytest.mark.parametrize("width", [400, 768, 1280, 2560])
def test_nothing_sticks_out(show: Show, width: int) -> None:
    reader = show(shop())
    reader.size(width, 800)
    for view in VIEWS:
        reader.go(view)
        reader.wait(lambda: reader.js("return ['html', 'main'].every((one) => document.querySelector(one).scrollWidth <= innerWidth)"))
        assert reader.js("return document.querySelector('main').clientHeight") > 300


def test_print(show: Show) -> None:
    reader = show(shop())
    reader.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not reader.one("#tabs").is_displayed()
    assert not reader.one("#search").is_displayed()
    assert len(reader.driver.print_page()) > 10_000
    reader.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_program_says_runs(show: Show, text: str) -> None:
    told = Story(command=[text], hostname=text, user=text, cwd=text)
    told.found(-10, 1, 100, comm=text.encode("utf-8", "surrogateescape")[:15])
    told.exec(5, 1, 100, f"/{text}", text, f"-{text}")
    told.call("openat", 1000, 5000, 3, [AT_FDCWD, told.string(f"/d/{text}"), 0])
    told.call("read", 9000, 5000, 30, [3, 0, 100])
    told.call("openat", 17_000, 5000, -2, [AT_FDCWD, told.string(f"/x/{text}"), 0])
    reader = show(told, title=text)
    assert shown(text) in reader.driver.title
    for view in ("overview", "timeline", "processes", "files", "syscalls", "events"):
        reader.go(view)
    reader.shows(shown(f"/d/{text}"))
    reader.press(".row")
    reader.shows(shown(f"/d/{text}"), "#details")
    reader.search(f'"{shown(text)}"')
    assert reader.js("return [window.hit, document.querySelectorAll('main img, main script, #details img').length]") == [None, 0]
