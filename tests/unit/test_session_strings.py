"""Interned strings by their id, asked for once or often."""

from __future__ import annotations

import numpy as np

from tracer.session.strings import StringEntry, Strings


def test_those_that_are_asked_for_often_are_the_same() -> None:
    ids = np.random.default_rng(7).permutation(np.arange(1, 6001, 2, dtype="<u8") << np.uint64(50))
    texts = [f"/path/{number}".encode() for number in ids.tolist()]
    table = {
        "id": ids, "length": np.array([len(text) + 1 for text in texts], "<u4"), "flags": np.zeros(len(ids), "u1"),
        "kept": np.array(list(map(len, texts)), "<u4"), "data": np.frombuffer(b"".join(texts), "u1"),
    }
    strings = Strings([table])
    expected = [StringEntry(text, len(text) + 1, 0) for text in texts]
    for _ in range(2):  # the second time by another way
        assert [strings[number] for number in ids.tolist()] == expected == strings.many(ids)
        assert [strings.data(number) for number in ids.tolist()] == texts
        assert [number in strings for number in (0, 1, -1, 1 << 64, int(ids[0]))] == [False, False, False, False, True]
        assert strings.data(3) is None
