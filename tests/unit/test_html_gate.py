from collections.abc import Sequence
from pathlib import Path

import pytest

from report.html.gate import Gate
from tests.unit.chat_story import agent
from tests.unit.html_columns import Page, inflated, page_of
from tests.unit.report_sessions import AT_FDCWD
from tracer.session.exchanges import Exchange

SECRET = "hunter2-hunter2"
TAG = "[redacted:00000000]"


class Finds:
    """Takes out one known secret, and what follows --key on command lines."""

    def __init__(self) -> None:
        self.asked = 0

    def text(self, text: str) -> str:
        self.asked += 1
        return text.replace(SECRET, TAG)

    def words(self, words: Sequence[str]) -> list[str]:
        return [TAG if place and words[place - 1] == "--key" else self.text(word) for place, word in enumerate(words)]

    def exchange(self, exchange: Exchange) -> None:
        exchange.request_headers = [(name, self.text(value)) for name, value in exchange.request_headers]
        exchange.response_body = exchange.response_body.replace(SECRET.encode(), TAG.encode())
        exchange.target = self.text(exchange.target)


def everything(page: Page) -> str:
    """All that is in the page, however it is compressed."""
    texts = [inflated(page.scripts[name]) for name in ("about", "tables", "texts", "spoken")]
    bodies = [page.body(row, part).decode("latin-1") for row in range(len(page.spoken["http"])) for part in range(3)]
    return "\n".join([page.source, *texts, *bodies])


def test_no_text_gets_past_the_gate(tmp_path: Path) -> None:
    told = agent(command=["agent", "--key", "pass-word-9", SECRET], hostname=SECRET, cwd=f"/{SECRET}")
    told.exec(3000, 1, 100, f"/bin/{SECRET}", "agent", "--key", "pass-word-9", SECRET)
    told.call("openat", 5000, 10, 3, [AT_FDCWD, told.string(f"/d/{SECRET}"), 0])
    told.call("read", 6000, 10, 5, [3])
    told.call("openat", 7000, 10, -2, [AT_FDCWD, told.string(f"/none/{SECRET}"), 0])
    told.call("execve", 8000, 50, 0, [told.string("/bin/x"), told.argv("x", "--key", "pass-word-9"), 0], flags=8)
    told.exchange(10, 20, 30, 40, method="GET", scheme="http", authority="a", target=f"/?k={SECRET}", status=200, request_headers=[("X-Key", SECRET)],
                  response_body=b'{"k":"' + SECRET.encode() + b'"}')
    file = told.write(tmp_path / "a.ebt")
    assert everything(page_of(file)).count(SECRET) > 8
    found = everything(page_of(file, redactor=Finds()))
    assert SECRET not in found
    assert "pass-word-9" not in found
    assert TAG in found


def test_texts_are_looked_at_one_by_one_only_if_something_is_in_them() -> None:
    finds = Finds()
    gate = Gate(finds)
    assert gate.texts(["a"] * 1000) == ["a"] * 1000
    assert finds.asked == 1
    assert gate.texts(["a", f"-{SECRET}-", ""]) == ["a", f"-{TAG}-", ""]
    assert gate.texts([]) == []


def test_what_is_taken_out_of_a_command_line_is_taken_out_of_its_title() -> None:
    found = Gate(Finds()).document({"ledger": {"a": 1}, "processes": [{"argv": ("x", "--key", "abc"), "title": "x --key abc", "ended_ns": None}]})
    assert found == {"ledger": {"a": 1}, "processes": [{"argv": ["x", "--key", TAG], "title": f"x --key {TAG}", "ended_ns": None}]}


@pytest.mark.parametrize("value", [{"a": [{"argv": ("x", 1)}], "b": 1.5, "c": None, "d": ("e",)}, {}])
def test_without_a_redactor_all_passes(value: dict[str, object]) -> None:
    assert Gate().document(value) is value
    assert Gate().texts(["a"]) == Gate().words(["a"]) == ["a"]
