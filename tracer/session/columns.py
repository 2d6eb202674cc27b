"""How the columns of a table become bytes: lossless, and small after zstd.

`encode` gives a dict that msgpack can hold: one list per column, under the column's name:

    [dtype, shape, order, rise, coding, parameters ..., bytes]

    dtype    "u1" "u2" "u4" "u8" "i1" "i2" "i4" "i8", or "S<n>": n raw bytes per item, padded with NULs
    shape    the array's shape, outermost first; items are taken in C order
    order    nil; or another column's name: the items were sorted by that column before, stably
    rise     nil: the items themselves are coded. Else the steps from each item to the next, one fewer than items:
             "" just those; another column's name: what is left of each step after that column's item in the row before,
             both in the same order. A call begins when the call before it on its thread has ended, plus what is left

    coding           parameters                        bytes
    0 CONSTANT                                         the one item that fills the array, little-endian
    1 RAW                                              the items as they are in memory, little-endian
    2 PLAIN          [first,] base                     planes of  number - base
    3 DICTIONARY     [first,] base, count, steps       planes of each number's place, from 0, in the list of the ``count`` different
                                                       numbers; it starts with base and goes on by ``steps`` (planes, as bytes)

``first`` is the first item, and there only if ``rise`` is. Arithmetic is modulo 2**64, after widening to 64 bits (with sign for i*).
``base`` is the smallest number: steps may go back, since records come in the order of delivery. Columns that others name in ``order``
or ``rise`` name none themselves.

Planes: first the lowest byte of all numbers, then the second byte of all, and so on, as many as the largest number needs. Zstd at
its fastest finds nothing in interleaved bytes and nearly everything in these rows. How many planes there are follows from the number
of bytes:

    numbers    0x0102   0x0103   0x01ff
    bytes      02 03 ff  01 01 01
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tracer.session.numbers import BadColumn, Numbers, above_base, from_planes, listed, look_up, planes, sample, unsigned

__all__ = ("COLUMNS_LIMIT", "PARTS_LIMIT", "TABLE_LIMIT", "Array", "BadColumn", "Coding", "decode", "encode")

TABLE_LIMIT = 64 << 20  # bytes of all decoded columns of one table
COLUMNS_LIMIT = 256
PARTS_LIMIT = 10        # of the list that encodes one column
_DIMENSIONS_LIMIT = 3
_ITEM_BYTES_LIMIT = 4096
_INTEGERS = frozenset(("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"))
_SAMPLED = 32  # shorter columns are not worth a thought

Array = npt.NDArray[Any]


class Coding(IntEnum):
    """How the numbers of one column are stored."""

    CONSTANT = 0
    RAW = 1
    PLAIN = 2
    DICTIONARY = 3


_AS_IS = (Coding.CONSTANT, Coding.RAW)


def encode(columns: Mapping[str, Array], models: Mapping[str, tuple[str | None, str | None]] | None = None) -> dict[str, list[Any]]:
    """Encode arrays of integers or fixed bytes; ValueError for any other dtype.

    ``models`` says what is known about a column beforehand: its ``order`` and ``rise``. Such columns, and those that they name, are
    one-dimensional and equally long.
    """
    models = models or {}
    orders = {name: _order(columns[name]) for name in {order for order, _ in models.values() if order is not None}}
    table = {}
    for name, column in columns.items():
        by, rise = models.get(name, (None, None))
        order = orders.get(by) if by is not None else None
        other = columns[rise] if rise is not None else None
        if order is not None:
            column, other = column[order], other[order] if other is not None else None
        table[name] = _encode(column, by if order is not None else None, rise, other)
    return table


def decode(table: Mapping[Any, Any]) -> dict[str, Array]:
    """Give back what `encode` was given. The arrays are little-endian and read-only: a constant column is one item in memory.

    Raises BadColumn, and nothing else, whatever ``table`` holds, before it spends more than a few times TABLE_LIMIT bytes.
    """
    if len(table) > COLUMNS_LIMIT:
        raise BadColumn("too many columns")
    room = TABLE_LIMIT
    columns: dict[str, Array] = {}
    named: list[tuple[str, Any]] = []
    for name, parts in table.items():
        match parts:
            case [str(token), list(shape), None | str() as by, None | str() as rise, int(coding), *_, bytes()] if isinstance(name, str):
                room -= _items(shape) * (_dtype(token).itemsize if coding in _AS_IS else 8)
                if room < 0:
                    raise BadColumn("more than a table may hold")
                if by is not None or rise:
                    named.append((name, parts))
                else:
                    columns[name] = _decode(parts, None, None)
            case _:
                raise BadColumn("a column of no known form")
    free = dict(columns)
    orders: dict[str | None, Array | None] = {None: None}
    for name, parts in named:
        shape, by, rise = parts[1:4]
        other = _other(free, rise, shape) if rise else None
        if by is not None:
            key = _other(free, by, shape)
            if by not in orders:
                orders[by] = _order(key)
        columns[name] = _decode(parts, orders[by], other)
    return {name: columns[name] for name in table}


def _encode(column: Array, by: str | None, rise: str | None, other: Array | None) -> list[Any]:
    dtype = column.dtype.newbyteorder("<")
    token = dtype.str[1:]
    if token not in _INTEGERS and not (dtype.kind == "S" and 0 < dtype.itemsize <= _ITEM_BYTES_LIMIT):
        raise ValueError(f"a session cannot hold a column of dtype {column.dtype}")
    head = [token, list(column.shape)]
    flat = np.ascontiguousarray(column, dtype).reshape(-1)
    if flat.size and flat[0] == flat[-1] and (flat == flat[0]).all():
        return [*head, None, None, int(Coding.CONSTANT), flat[:1].tobytes()]
    if not flat.size or dtype.itemsize == 1 or dtype.kind == "S":
        return [*head, by, None, int(Coding.RAW), flat.tobytes()]
    wide = flat.astype("<i8" if dtype.kind == "i" else "<u8", copy=False)
    if other is None:
        packed, listed = _pack(wide, [])
        if listed or not _steps_are_shorter(wide):
            return [*head, by, None, *packed]
        rise = ""
    steps = np.diff(wide.view("<u8"))
    if other is not None:
        steps -= other[:-1].astype("<u8", copy=False)
    return [*head, by, rise, *_pack(steps.view("<i8"), [int(wide.view("<u8")[0])])[0]]


def _pack(numbers: Array, first: list[int]) -> tuple[list[Any], bool]:
    """Coding, parameters and bytes; and whether it is a dictionary."""
    base, rest = above_base(numbers)
    dictionary = listed(rest) if rest.size >= _SAMPLED else None
    if dictionary is not None:
        return [int(Coding.DICTIONARY), *first, base, *dictionary], True
    return [int(Coding.PLAIN), *first, base, planes(rest)], False


def _steps_are_shorter(numbers: Array) -> bool:
    """Compare medians, which no outlier moves: distance between neighbours against distance from the middle one."""
    if numbers.size < _SAMPLED:
        return False
    part = sample(numbers.view("<u8"))
    spread = np.median(np.abs((part - np.sort(part, axis=None)[part.size // 2]).view("<i8")))
    return bool(2 * np.median(np.abs(np.diff(part).view("<i8"))) < spread)


def _order(column: Array) -> Array | None:
    """How to sort by a column of integers, equal ones staying in their order; None if all are equal.

    Two bytes are sorted by radix, in a fifth of the time.
    """
    if column.dtype.kind not in "ui" or not column.size or column.min() == column.max():
        return None
    near = column.max().astype(object) - column.min().astype(object) < 1 << 16
    return np.argsort((column - column.min()).astype("<u2") if near else column, kind="stable")


def _dtype(token: str) -> np.dtype[Any]:
    if token in _INTEGERS:
        return np.dtype("<" + token)
    if token[:1] == "S" and len(token) < 6 and token[1:].isascii() and token[1:].isdigit() and 0 < int(token[1:]) <= _ITEM_BYTES_LIMIT:
        return np.dtype(token)
    raise BadColumn("an unknown dtype")


def _items(shape: list[Any]) -> int:
    if not 0 < len(shape) <= _DIMENSIONS_LIMIT or not all(type(side) is int and 0 <= side <= TABLE_LIMIT for side in shape):
        raise BadColumn("an impossible shape")
    return prod(shape)


def _other(columns: Mapping[str, Array], name: str, shape: list[int]) -> Array:
    if name not in columns or columns[name].dtype.kind not in "ui" or len(shape) != 1 or list(columns[name].shape) != shape:
        raise BadColumn("no such column to go by")
    return columns[name]


def _decode(parts: list[Any], order: Array | None, other: Array | None) -> Array:
    token, shape, _, rise, coding, *parameters, data = parts
    dtype, items = _dtype(token), _items(shape)
    if coding in _AS_IS:
        if parameters or rise is not None or len(data) != dtype.itemsize * (items if coding == Coding.RAW else 1):
            raise BadColumn("another number of bytes than the shape says")
        stored = np.frombuffer(data, dtype)
        flat = np.broadcast_to(stored, (items,)) if coding == Coding.CONSTANT else stored
    elif dtype.kind == "S" or dtype.itemsize == 1:
        raise BadColumn("bytes coded as numbers")
    elif rise is None:
        flat = _unpack(coding, parameters, data, items)
    elif items and parameters and isinstance(parameters[0], int):
        flat = np.empty(items, "<u8")
        flat[0] = unsigned(parameters[0])
        flat[1:] = _unpack(coding, parameters[1:], data, items - 1)
        if other is not None:
            flat[1:] += (other[order] if order is not None else other)[:-1].astype("<u8")
        np.cumsum(flat, out=flat)
    else:
        raise BadColumn("steps from nowhere")
    flat = flat.astype(dtype, copy=False)
    if order is not None:
        sorted_items, flat = flat, np.empty(items, dtype)
        flat[order] = sorted_items
    column: Array = flat.reshape(shape)
    column.flags.writeable = False
    return column


def _unpack(coding: int, parameters: list[Any], data: bytes, count: int) -> Numbers:
    match coding, parameters:
        case Coding.PLAIN, [int(base)]:
            numbers = from_planes(data, count)
            numbers += unsigned(base)
            return numbers
        case Coding.DICTIONARY, [int(base), int(different), bytes(steps)]:
            return look_up(from_planes(data, count), unsigned(base), different, steps)
    raise BadColumn("an unknown coding")
