"""What several of the unit tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.unit.front_support import Front

settings.register_profile("the same each time", derandomize=True)
if os.environ.get("EBTRACE_SAME_EXAMPLES"):
    settings.load_profile("the same each time")


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """`ebtrace` with a fake worker, in a folder of its own."""
    with Front(tmp_path) as front:
        yield front
