"""What stands in for contextlib and threading until the target runs."""

from __future__ import annotations

import pytest

from tracer.bare import Thread, suppress


def test_a_thread_has_done_its_work_when_it_is_joined() -> None:
    done: list[int] = []
    threads = [Thread(lambda number=number: done.append(number)) for number in range(7)]
    for thread in threads:
        thread.join()
        thread.join()
    assert sorted(done) == list(range(7))


def test_the_error_of_a_thread_is_raised_once_where_it_is_joined() -> None:
    def fail() -> None:
        raise KeyError("lost")

    thread = Thread(fail)
    with pytest.raises(KeyError, match="lost"):
        thread.join()
    thread.join()


def test_errors_of_these_kinds_end_the_block_and_others_pass() -> None:
    reached: list[str] = []
    with suppress(OSError, ValueError):
        reached.append("begin")
        raise FileNotFoundError
    with pytest.raises(TypeError), suppress(OSError):
        raise TypeError
    assert reached == ["begin"]
