"""The options that say how much of what is sent in clear is written."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from tracer.commands._clicked import clicked
from tracer.commands._quick import parse
from tracer.commands._settings import Settings


def parsed(*words: str) -> tuple[Settings | None, str]:
    """The settings, or what was wrong with the words."""
    found: list[Settings] = []

    def command(_: object, /, words: object, as_root: bool, **options: Any) -> int:
        found.append(Settings(**options))
        return 0

    result = CliRunner().invoke(clicked("run", command), words)
    assert (result.exit_code, bool(found)) in ((0, True), (2, False))
    assert (parse("run", words) is not None) == bool(found)
    return found[0] if found else None, result.output


@pytest.mark.parametrize(("text", "size"), [
    ("0", 0), ("4096", 4096), ("256k", 262144), ("256K", 262144), ("2M", 2 << 20), ("2mb", 2 << 20), ("1kB", 1024), ("17b", 17), (" 5 ", 5),
    ("32M", 32 << 20), ("33554432", 32 << 20)])
def test_sizes(text: str, size: int) -> None:
    found, _ = parsed("--max-body", text)
    assert found is not None
    assert found.max_body == size


@pytest.mark.parametrize("text", [
    "", " ", "k", "kb", "b", "-1", "+1", "1.5M", "1e3", "0x10", "1_000", "2G", "33M", "33554433", "9" * 12, "\u0663", "\u00b2", "4 096", "nan"])
def test_no_sizes(text: str) -> None:
    found, said = parsed("--max-body", text)
    assert found is None
    assert "is no size up to 32M, such as 0, 4096, 256k or 2M" in " ".join(said.split())


def test_as_they_are_without_words() -> None:
    found, _ = parsed()
    assert found is not None
    assert (found.max_body, found.redact) == (262144, True)


def test_no_redaction() -> None:
    found, _ = parsed("--no-redact")
    assert found is not None
    assert found.redact is False
