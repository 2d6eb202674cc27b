import zlib
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.html.packing import deflated, pack, zigzag
from tests.unit.html_columns import unpacked


@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=50), st.sampled_from(["u1", "u2", "u4", "u8", ">u4"]))
def test_what_is_packed_is_unpacked(values: list[int], dtype: str) -> None:
    column = np.array(values, "u8").astype(dtype)
    found = pack({"one": column, "two": column[::-1]})
    back = unpacked(b64decode(found.base64), found.directory)
    assert back["one"].tolist() == column.tolist()
    assert back["two"].tolist() == column[::-1].tolist()
    assert found.size == len(b64decode(found.base64))


def test_planes_that_are_zero_are_left_out() -> None:
    found = pack({"high": np.array([1 << 40, 3 << 40], "u8"), "nothing": np.zeros(5, "u4"), "empty": np.zeros(0, "u8")})
    assert [number for number, _, _ in found.directory["high"]["planes"]] == [5]
    assert found.directory["nothing"] == {"rows": 5, "planes": []}
    assert found.directory["empty"] == {"rows": 0, "planes": []}


def test_of_planes_that_are_nearly_zero_only_the_rest_is_kept() -> None:
    column = np.zeros(100_000, "u4")
    column[[0, 7, 99_999]] = [1, 0x20000, 3]
    found = pack({"one": column})
    assert [(number, kept) for number, _, kept in found.directory["one"]["planes"]] == [(0, 2), (2, 1)]
    assert found.size < 40
    assert unpacked(b64decode(found.base64), found.directory)["one"].tolist() == column.tolist()


def test_negative_numbers_are_patterns_of_64_bits() -> None:
    found = pack({"one": np.array([-2], "i8")})
    assert unpacked(b64decode(found.base64), found.directory)["one"].tolist() == [(1 << 64) - 2]


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (-1, 1), (1, 2), (-2, 3), ((1 << 62) - 1, (1 << 63) - 2), (-(1 << 63), (1 << 64) - 1)])
def test_zigzag(value: int, expected: int) -> None:
    assert zigzag(np.array([value], "i8")).tolist() == [expected]


def test_repetitions_and_noise_are_both_made_small() -> None:
    noise = np.random.default_rng(7).integers(0, 16, 200_000).astype("u1")
    assert pack({"noise": noise}).size < 103_000  # four of eight bits
    assert pack({"same": np.tile(np.arange(100, dtype="u1"), 2000)}).size < 3000


def test_deflated_is_one_raw_stream() -> None:
    assert zlib.decompress(b64decode(deflated(b"abc" * 1000, 3)), -15) == b"abc" * 1000
