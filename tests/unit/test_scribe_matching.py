"""Plaintext against the lengths of records on the wire, which are taken from real connections of TLS 1.2 and 1.3."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracer.scribe.matching import Matching, fit, overheads

TLS_13, GCM, CHACHA, CBC = (0x0304, 0x1301), (0x0303, 0xC02F), (0x0303, 0xCCA8), (0x0303, 0x002F)
FULL = 16384


def matching(kind: tuple[int, int] | None = TLS_13, *, sent: bool = True) -> Matching:
    one = Matching(sent=sent)
    if kind is not None:
        one.encrypted(overheads(*kind))
    return one


def result(one: Matching) -> tuple[int, int, int]:
    return one.matched, one.strange, one.unseen


@pytest.mark.parametrize(
    ("kind", "expected"),
    [((0x0304, 0x1302), (17,)), ((0x0303, 0x009D), (24,)), ((0x0303, 0xC030), (24,)), ((0x0303, 0xC0AC), (24,)), ((0x0303, 0xCCA9), (16,)),
     ((0x0303, 0x0035), ()), ((0x0301, 0x002F), ()), ((0, 0), (17, 24, 16))])
def test_what_encryption_adds(kind: tuple[int, int], expected: tuple[int, ...]) -> None:
    assert overheads(*kind) == expected


@pytest.mark.parametrize(("kind", "more"), [(TLS_13, 17), (GCM, 24), (CHACHA, 16), (None, 17), (None, 24), (None, 16)])
def test_each_cipher_both_ways(kind: tuple[int, int] | None, more: int) -> None:
    for sent in (True, False):
        one = matching(kind, sent=sent)
        for size in (301, 77, FULL, 1):
            one.records([size + more])
            one.piece(size)
        assert (*result(one), one.fits, one.misfits) == (301 + 77 + FULL + 1, 0, 0, 4, 0)


def test_a_tls_13_client_passes_over_the_handshake_and_tickets() -> None:
    one = matching(sent=False)
    one.records([41, 2810, 281, 69])  # encrypted extensions, certificate, its proof, finished
    one.greeted()
    one.records([250, 250, 517, 133])  # two tickets, head, body
    for size in (500, 116):
        one.piece(size)
    one.records([19])  # an alert: close_notify
    assert (*result(one), one.fits) == (616, 0, 0, 2)


def test_reads_of_a_few_bytes_are_not_taken_for_the_handshakes() -> None:
    one = matching(sent=False)
    one.records([41, 2810, 281, 69])
    one.greeted()
    one.records([100 + 17])
    for _ in range(100):
        one.piece(1)
    assert (*result(one), one.fits, one.misfits) == (100, 0, 0, 1, 0)


def test_one_finished_before_what_a_server_is_asked() -> None:
    one = matching(sent=False)
    one.greeted(1)
    one.records([69])
    one.records([90 + 17])
    for size in (9, 30, 51):
        one.piece(size)
    assert result(one) == (90, 0, 0)


def test_a_large_read_in_parts() -> None:
    one = matching(sent=False)
    one.records([FULL + 17, FULL + 17, 1000 + 17])
    for size in (8192, 8192, 8192, 8192, 999, 1):
        one.piece(size)
    assert (*result(one), one.fits, one.misfits) == (2 * FULL + 1000, 0, 0, 3, 0)


def test_the_tail_of_a_record_is_not_read() -> None:
    one = matching(sent=False)
    one.records([1017, 517])
    one.piece(300)
    assert result(one) == (300, 0, 700 + 500)


def test_what_is_not_read_at_all() -> None:
    one = matching(sent=False)
    one.records([1017, 517, 19])
    assert result(one) == (0, 0, 1500)


@pytest.mark.parametrize("before", [True, False])
def test_a_large_write_is_cut_by_the_library(before: bool) -> None:
    """With memory BIOs plaintext is told before its records, with sockets after."""
    for sizes in ([FULL] * 18 + [5088], [1200] * 30 + [FULL] * 3 + [77]):
        one = matching()
        if before:
            one.piece(sum(sizes))
        one.records([65, *(size + 17 for size in sizes[:20])])
        one.records([size + 17 for size in sizes[20:]])
        if not before:
            one.piece(sum(sizes))
        assert (*result(one), one.fits) == (sum(sizes), 0, 0, 1)


def test_plaintext_waits_for_its_records_behind_a_finished() -> None:
    one = matching()
    one.piece(20)
    one.records([69])
    assert result(one) == (0, 20, 52)
    one.records([37])
    assert (*result(one), one.fits) == (20, 0, 0, 1)


def test_asking_in_between_changes_nothing() -> None:
    one = matching()
    one.piece(100)
    assert one.strange == 100
    assert one.unseen == 0
    one.records([117])
    assert result(one) == (100, 0, 0)


def test_cbc_tells_nothing() -> None:
    one = matching(None)
    one.records([100])
    one.piece(1000)
    one.encrypted(overheads(*CBC))
    for _ in range(100_000):
        one.piece(64)
        one.records([96])
    assert one.known is False
    assert (*result(one), one.fits, one.misfits) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("sent", [True, False])
def test_plaintext_that_fits_nothing_does_not_stand_in_the_way(sent: bool) -> None:
    one = matching(sent=sent)
    for size in range(100, 120):
        one.records([size + 17])
        one.piece(size)
    one.piece(50_000)  # of which nothing was on the wire
    for size in range(200, 240):
        one.records([size + 17])
        one.piece(size)
    assert one.misfits == (0 if sent else 1)
    if sent:  # records that carry as much may be on their way, until they have passed
        one.records([FULL + 17] * 4)
        one.piece(4 * FULL)
    assert one.misfits == 1
    assert one.strange == 50_000
    assert one.matched == sum(range(100, 120)) + sum(range(200, 240)) + (4 * FULL if sent else 0)
    assert one.unseen == 0


def test_a_write_larger_than_what_is_remembered() -> None:
    one = matching()
    for _ in range(640):
        one.records([FULL + 17] * 10)
    one.piece(6400 * FULL)
    assert result(one) == (6400 * FULL, 0, 0)


@pytest.mark.parametrize(("lengths", "plain", "expected"), [
    ([117], 100, True), ([65, 124], 100, True), ([116], 100, True), ([115], 100, False), ([FULL + 24, 40], 100_000, True), ([], 0, False)])
def test_which_records_may_carry_it(lengths: list[int], plain: int, expected: bool) -> None:
    assert fit(lengths, plain) is expected


SIZES = st.integers(200, 60_000)
OTHERS = st.lists(st.integers(20, 180), max_size=3)


@example([([21, 179, 20], 200, 600)], False, TLS_13)
@given(st.lists(st.tuples(OTHERS, SIZES, st.integers(600, FULL)), max_size=12), st.booleans(), st.sampled_from([TLS_13, GCM, CHACHA]))
def test_any_writes_with_other_records_in_between(writes: list[tuple[list[int], int, int]], before: bool, kind: tuple[int, int]) -> None:
    one = matching(kind)
    more = overheads(*kind)[0]
    for others, size, at_once in writes:
        if before:
            one.piece(size)
        sizes = [min(at_once, size - at) for at in range(0, size, at_once)]
        runs = [sum(others[at:end]) for end in range(len(others) + 1) for at in range(end)]
        if size in runs or sizes[-1] in (sum(others[-count:]) for count in (1, 2, 3)):  # lengths alone would not tell
            others = []
        one.records([other + more for other in others])
        for at in range(0, len(sizes), 32):
            one.records([part + more for part in sizes[at:at + 32]])
        if not before:
            one.piece(size)
    assert (*result(one), one.fits, one.misfits) == (sum(size for _, size, _ in writes), 0, 0, len(writes), 0)


@given(st.lists(st.tuples(OTHERS, st.integers(200, FULL), st.integers(1, FULL)), max_size=12))
def test_any_reads_that_begin_with_more_than_other_records_hold(records: list[tuple[list[int], int, int]]) -> None:
    one = matching(sent=False)
    for others, size, first in records:
        one.records([other + 17 for other in others] + [size + 17])
        first = max(min(first, size), 181)
        for part in (first, size - first):
            if part:
                one.piece(part)
    assert (*result(one), one.fits, one.misfits) == (sum(size for _, size, _ in records), 0, 0, len(records), 0)


@given(st.lists(st.integers(0, 18432), max_size=400), st.booleans())
def test_nothing_seen(lengths: list[int], sent: bool) -> None:
    one = matching(sent=sent)
    for length in lengths:
        one.records([length])
    assert (one.matched, one.strange, one.fits, one.misfits) == (0, 0, 0, 0)
    assert sum(length - 17 for length in lengths if length > 19) <= one.unseen <= sum(max(length - 17, 0) for length in lengths)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1 << 32)), max_size=300), st.booleans(), st.booleans(), st.integers(0, 300))
def test_any_order_of_anything(steps: list[tuple[bool, int]], sent: bool, known: bool, greeted: int) -> None:
    one = matching(TLS_13 if known else None, sent=sent)
    pieces = 0
    one.greeted(greeted)
    for is_piece, size in steps:
        if is_piece:
            one.piece(size)
            pieces += size
        else:
            one.records([size & 0xFFFF])
        assert one.unseen >= 0
    assert one.matched + one.strange == pieces
