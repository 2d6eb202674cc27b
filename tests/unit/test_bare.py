"""What stands in for contextlib and threading until the target runs, and what is done with it."""

from __future__ import annotations

import pytest

from tracer.bare import Thread, suppress
from tracer.kernel.loading import on_two_threads


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


@pytest.mark.parametrize("kind", [IndexError, StopIteration, KeyboardInterrupt])
def test_two_threads_do_all_or_raise_what_was_raised_and_begin_nothing_more(kind: type[BaseException]) -> None:
    done: list[int] = []
    on_two_threads(done.append, range(101))
    assert sorted(done) == list(range(101))

    def fail(number: int) -> None:
        done.append(number)
        if number == 7:
            raise kind

    done.clear()
    with pytest.raises(kind):
        on_two_threads(fail, range(100_003))
    assert 7 in done
    assert len(done) < 100_003
