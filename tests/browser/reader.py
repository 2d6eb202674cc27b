"""A person with a browser: headless Chromium, a report, and what can be done with it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

PATIENCE = 20  # seconds

_Found = TypeVar("_Found")


class Reader:
    """One browser for all tests; each opens a page of its own."""

    def __init__(self) -> None:
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self._file = ""
        self.reset()

    def quit(self) -> None:
        self.driver.quit()

    def reset(self) -> None:
        """The window as it is at first."""
        self.driver.get("about:blank")
        self.size(1280, 800)
        self.prefer("light")
        self.driver.get_log("browser")
        self.driver.get_log("performance")

    def size(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, scheme: str) -> None:
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, file: Path, address: str = "") -> None:
        """Open a report at an address inside it, and wait for its calls."""
        self._file = f"file://{file}"
        self.driver.get(f"{self._file}#{address}")
        self.wait(lambda: self.js("return document.documentElement.dataset.ready"))

    def js(self, script: str, *given: Any) -> Any:
        return self.driver.execute_script(script, *given)

    def wait(self, condition: Callable[[], _Found]) -> _Found:
        """What the condition gives once it is true."""
        until = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < until, "it never came to be"
            time.sleep(0.02)
        return found

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, selector: str, place: int = 0) -> None:
        """Click on one of these; rows are made anew while a table settles."""
        def done() -> bool:
            try:
                self.all(selector)[place].click()
            except (IndexError, StaleElementReferenceException):
                return False
            return True

        self.wait(done)

    def text(self, selector: str = "main") -> str:
        """What is in sight there."""
        return str(self.js("const one = document.querySelector(arguments[0]); return one?.checkVisibility() ? one.innerText : ''", selector))

    def shows(self, words: str, selector: str = "main") -> None:
        self.wait(lambda: words in self.text(selector))

    def go(self, view: str) -> None:
        self.one(f"#tab-{view}").click()
        self.wait(lambda: self.js("return document.body.dataset.view") == view)

    def search(self, query: str) -> None:
        box = self.one("#search")
        box.clear()
        box.send_keys(query)

    def rows(self, selector: str = "main") -> list[list[str]]:
        """The cells of all rows of a table that are in the page."""
        found: list[list[str]] = self.js("""
            const cells = (row) => [...row.querySelectorAll('.cell')].map((cell) => cell.textContent);
            return [...document.querySelectorAll(arguments[0] + ' .row')].map(cells);
        """, selector)
        return found

    def keys(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def address(self) -> str:
        """What stands after # in the address."""
        return str(self.js("return decodeURIComponent(location.hash.slice(1))"))

    def picture(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def complaints(self) -> list[str]:
        """All that the console says, and all that was asked of anything but the file."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"].partition("#")[0]
                if url not in (self._file, "about:blank") and not url.startswith("blob:"):
                    said.append(f"asked for {url}")
        return said
