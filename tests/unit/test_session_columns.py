"""Columns come back as they went in, whatever is in them; and what is no column is refused."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays
import msgpack
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.session_files import syscalls
from tracer.session.columns import TABLE_LIMIT, BadColumn, Coding, decode, encode
from tracer.session.format import MODELS, BlockKind

DTYPES = ["<u1", "<u2", "<u4", "<u8", "<i1", "<i2", "<i4", "<i8", "S16", "S1", ">u4", ">i8"]
CALLS = MODELS[BlockKind.SYSCALLS]


def round_trip(columns: dict[str, np.ndarray], models: Any = None) -> dict[str, np.ndarray]:
    return decode(msgpack.unpackb(msgpack.packb(encode(columns, models))))


def assert_same(one: np.ndarray, other: np.ndarray) -> None:
    assert (one.dtype.newbyteorder("<"), one.shape) == (other.dtype, other.shape)
    assert np.array_equal(one, other)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_array_comes_back(data: st.DataObject) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=60))
    column = data.draw(arrays.arrays(data.draw(st.sampled_from(DTYPES)), shape))
    assert_same(column, round_trip({"it": column})["it"])


@pytest.mark.parametrize("dtype", ["<u2", "<u4", "<u8", "<i2", "<i4", "<i8"])
@pytest.mark.parametrize("rows", [1, 2, 31, 32, 512, 513, 4095, 4096, 20_000])
@pytest.mark.parametrize("form", ["constant", "small", "random", "extremes", "few", "rising", "falling", "jumping", "wide few"])
def test_every_coding_at_every_size(dtype: str, rows: int, form: str) -> None:
    random = np.random.default_rng(rows)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    column = {
        "constant": lambda: np.full(rows, high), "small": lambda: random.integers(0, 9, rows),
        "random": lambda: random.integers(low, high, rows, dtype),
        "extremes": lambda: random.choice(np.array([low, high, 0], dtype), rows), "few": lambda: random.choice(np.arange(0, 300, 7), rows),
        "rising": lambda: np.cumsum(random.integers(0, 9, rows)), "falling": lambda: -np.cumsum(random.integers(0, 9, rows)),
        "jumping": lambda: np.arange(rows) + np.where(random.random(rows) < 0.01, 1 << 40, 0),
        "wide few": lambda: random.choice(random.integers(low, high, 3 * rows // 5 + 1, dtype), rows),
    }[form]().astype(dtype)
    assert_same(column, round_trip({"it": column})["it"])


@pytest.mark.parametrize(("column", "coding"), [
    (np.zeros(5000, "<u8"), Coding.CONSTANT), (np.arange(5000, dtype="<u8") ** 2, Coding.PLAIN), (np.arange(5000, dtype="<u1"), Coding.RAW),
    (np.tile(np.array([3, 70_000, 2**63], "<u8"), 2000), Coding.DICTIONARY), (np.empty(0, "<u4"), Coding.RAW),
])
def test_coding_fits_the_column(column: np.ndarray, coding: Coding) -> None:
    assert encode({"it": column})["it"][4] == coding


def test_numbers_that_collide_in_the_hash_table_come_back() -> None:
    # Multiples of 2**52 times the inverse of the spreading factor all fall into a handful of slots.
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    column = np.array([inverse * place % 2**64 for place in range(300)] * 20, "<u8")
    assert encode({"it": column})["it"][4] == Coding.DICTIONARY
    assert_same(column, round_trip({"it": column})["it"])


@given(rows=st.integers(1, 3000), seed=st.integers(0, 2**32), threads=st.integers(1, 70_000), calls=st.integers(1, 1023))
@settings(max_examples=60, deadline=None)
def test_calls_come_back_in_the_order_of_delivery(rows: int, seed: int, threads: int, calls: int) -> None:
    random = np.random.default_rng(seed)
    table = syscalls(rows, seed)
    table["tid"] = random.integers(1, threads, rows, endpoint=True).astype("<u4")
    table["sysno"] = random.integers(0, calls, rows, endpoint=True).astype("<u2")
    table["start_ns"] = random.choice([table["start_ns"], random.integers(0, 2**64, rows, "<u8", endpoint=False)])
    found = round_trip(table, CALLS)
    assert list(found) == list(table)
    for name, column in table.items():
        assert_same(column, found[name])


def test_a_storm_takes_less_than_three_bytes_a_call() -> None:
    random, rows = np.random.default_rng(1), 32_768
    table = {name: np.full(rows, column[0]) for name, column in syscalls(1).items()}
    table["start_ns"] = (10**15 + np.cumsum(random.normal(600, 80, rows))).astype("<u8")
    table["duration_ns"] = random.normal(250, 60, rows).clip(50).astype("<u8")
    assert len(zstandard.ZstdCompressor(level=1).compress(msgpack.packb(encode(table, CALLS)))) < 2.6 * rows


def test_decoded_columns_are_read_only() -> None:
    for column in round_trip(syscalls(40), CALLS).values():
        assert not column.flags.writeable


@pytest.mark.parametrize("dtype", ["f8", "?", "U4", "O", "M8[ns]", "V3"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match="dtype"):
        encode({"it": np.zeros(3, dtype)})


GOOD = ["u4", [3], None, None, int(Coding.PLAIN), 5, b"\x01\x02\x03"]


def test_the_documented_example_is_true() -> None:
    assert decode({"it": GOOD})["it"].tolist() == [6, 7, 8]
    found = decode({"it": ["u2", [3], None, None, int(Coding.PLAIN), 0, bytes.fromhex("0203ff010101")]})
    assert found["it"].tolist() == [0x0102, 0x0103, 0x01FF]
    found = decode({"it": ["i4", [4], None, None, int(Coding.DICTIONARY), 2**64 - 1, 2, b"\x05", b"\x00\x01\x01\x00"]})
    assert found["it"].tolist() == [-1, 4, 4, -1]


@pytest.mark.parametrize("place", range(len(GOOD)))
@pytest.mark.parametrize("lie", [
    None, -1, 0, 1, 2**64 - 1, 2**63, True, 1.5, "", "u9", "S9999", "it", b"", b"12345", [], [3], [-1], [2**40], [1] * 9, ["3"], {},
])
def test_a_lie_in_any_part_is_refused_or_harmless(place: int, lie: Any) -> None:
    for parts in ([*GOOD[:place], lie, *GOOD[place + 1:]], [*GOOD[:place], lie, *GOOD[place:]], GOOD[:place]):
        try:
            columns = decode({"it": parts, "tid": ["u4", [3], None, None, 0, b"1234"]})
        except BadColumn:
            continue
        assert columns["it"].nbytes <= 8 * 70


@pytest.mark.parametrize("parts", [
    ["u8", [2**40], None, None, 0, b"12345678"], ["u1", [TABLE_LIMIT + 1], None, None, 0, b"1"],
    ["u8", [2**20, 2**20, 2**20], None, None, 0, b"12345678"],
    ["S4096", [20_000], None, None, 0, b"1" * 4096], ["u2", [TABLE_LIMIT // 4], None, None, 2, 0, b""],
])
def test_columns_that_claim_too_much_are_refused(parts: list[Any]) -> None:
    with pytest.raises(BadColumn, match=r"more than a table may hold|impossible shape|number of bytes"):
        decode({"it": parts})


def test_many_columns_share_one_limit() -> None:
    half = ["u1", [TABLE_LIMIT // 2], None, None, 0, b"1"]
    assert decode({"a": half, "b": half})["b"].nbytes == TABLE_LIMIT // 2
    with pytest.raises(BadColumn):
        decode({"a": half, "b": half, "c": ["u1", [1], None, None, 0, b"1"]})
    with pytest.raises(BadColumn):
        decode({str(name): ["u1", [0], None, None, 1, b""] for name in range(257)})


@pytest.mark.parametrize(("by", "rise"), [
    ("it", None), ("other", None), ("text", None), ("long", None), ("wide", None), (None, "it"), (None, "text"), (None, "bound"),
])
def test_columns_that_go_by_none_or_by_each_other_are_refused(by: str | None, rise: str | None) -> None:
    others = {
        "text": ["S1", [3], None, None, 1, b"abc"], "long": ["u1", [4], None, None, 1, b"abcd"], "wide": ["u1", [3, 1], None, None, 1, b"abc"],
        "bound": ["u4", [3], "key", None, 2, 5, b"\x01\x02\x03"], "key": ["u1", [3], None, None, 1, b"abc"],
    }
    first = [5] if rise is not None else []
    with pytest.raises(BadColumn):
        decode({"it": ["u4", [3], by, rise, 2, *first, 5, b"\x01\x02\x03"[len(first):]], **others})


@given(st.dictionaries(st.text(max_size=3), st.recursive(
    st.none() | st.booleans() | st.integers(-2**63, 2**64 - 1) | st.sampled_from(["u1", "u8", "i4", "S3", "a", "b"]) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=8), max_leaves=12), max_size=3))
@settings(max_examples=500, deadline=None)
def test_random_values_raise_nothing_else(table: dict[str, Any]) -> None:
    try:
        decode(table)
    except BadColumn:
        pass
