"""Browser tests need Chromium and its driver; without them they are skipped and say so, or fail on request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from report.html.page import page
from tests.browser.reader import Reader
from tests.unit.report_sessions import Story
from tracer.session.reader import open_session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    if missing:
        told = f"{' and '.join(missing)} not installed (Debian: apt install chromium chromium-driver)"
        if os.environ.get("EBTRACE_REQUIRE_BROWSER") == "1":
            pytest.fail(told)
        pytest.skip(told)
    started = Reader()
    yield started
    started.quit()


@pytest.fixture
def show(reader: Reader, tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    """Makes a report of a story, opens it, and waits until its calls are there. Afterwards nothing may have been said or asked for."""
    def opened(told: Story, address: str = "", complete: bool = True, **how: Any) -> Reader:
        file = told.write(tmp_path / "a.ebt", complete=complete)
        with open_session(str(file)) as session:
            text = "".join(page(session, **how))
        (tmp_path / "a.html").write_text(text)
        reader.open(tmp_path / "a.html", address)
        return reader

    yield opened
    assert reader.complaints() == []
    reader.reset()
