"""Texts of traced programs as the page shows them."""

from __future__ import annotations

import pytest

from report.html.facts import as_columns
from report.html.texts import shown, shown_all, shown_each


@pytest.mark.parametrize("texts", [
    [], ["", ""], [f"/usr/lib/{number}" for number in range(200)], ["plain", "line\nend", "back\\slash", "x" * 20_000], ["\udcff"] * 70 + ["whole"],
])
def test_many_texts_are_shown_as_one_by_one(texts: list[str]) -> None:
    assert shown_each(texts) == [shown(text) for text in texts]


def test_columns_are_shown_as_their_rows() -> None:
    rows = [{"name": f"a\n{number}", "pids": (number % 3,), "was": ("x\x1b",) if number == 5 else (), "odd": ([],), "size": number, "none": None}
            for number in range(100)]
    columns = as_columns(rows)
    assert list(columns) == list(rows[0])
    assert {field: column[5] for field, column in columns.items()} == shown_all(rows[5])
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == [shown_all(row) for row in rows]
