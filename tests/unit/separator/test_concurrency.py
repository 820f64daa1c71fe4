"""How stages of a computation overlap, and how they end."""

import threading
from collections.abc import Generator

import pytest

from consumer.separator.dsp.concurrency import parallel_map, prefetch


class Source:
    """Counts up; knows how far it was asked, and whether it was closed."""

    def __init__(self, count: int) -> None:
        self.asked = 0
        self.closed = threading.Event()
        self._count = count

    def items(self) -> Generator[int]:
        try:
            for number in range(self._count):
                self.asked = number + 1
                yield number
        finally:
            self.closed.set()


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_parallel_map_keeps_the_order(width: int, count: int) -> None:
    source = Source(count)
    assert list(parallel_map(lambda number: number * number, source.items(), width)) == [n * n for n in range(count)]
    assert source.closed.is_set()


def test_as_many_as_asked_for_are_computed_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=60)  # breaks unless two meet at it

    def meet(number: int) -> int:
        together.wait(30)
        return number

    assert list(parallel_map(meet, Source(4).items(), 2)) == [0, 1, 2, 3]


def test_no_more_is_asked_for_than_is_computed() -> None:
    source = Source(10)
    results = parallel_map(lambda number: number, source.items(), 2)
    assert next(results) == 0
    assert source.asked == 2
    results.close()


def test_an_error_arrives_in_its_place_and_closes_the_source() -> None:
    def fail_at_2(number: int) -> int:
        if number == 2:
            raise OSError("two")
        return number

    source = Source(10)
    results = parallel_map(fail_at_2, source.items(), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="two"):
        next(results)
    assert source.closed.is_set()
    assert source.asked < 10


def test_closing_ends_what_lies_before() -> None:
    source = Source(10)
    results = prefetch(parallel_map(lambda number: number, prefetch(source.items()), 2))
    assert next(results) == 0
    results.close()
    assert source.closed.is_set()
    assert source.asked < 10


def test_prefetching_computes_one_while_another_is_worked_on() -> None:
    source = Source(10)
    reached = threading.Event()

    def items() -> Generator[int]:
        for number in source.items():
            if number == 1:
                reached.set()
            yield number

    results = prefetch(items())
    assert next(results) == 0
    assert reached.wait(60)  # though nobody asked for the second
    results.close()
    assert source.asked <= 2
