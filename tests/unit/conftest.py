"""What several of the unit tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.front_support import Front


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """`ebtrace` with a fake worker, in a folder of its own."""
    with Front(tmp_path) as front:
        yield front
