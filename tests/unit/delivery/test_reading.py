"""How deaths over reading one partition are counted, as `docs/decisions/deaths-while-reading.md` promises it."""

import pytest

from consumer.delivery.reading import MAX_DEATHS, Reading, careful_until


@pytest.mark.parametrize(("deaths", "told"), [(0, 1), (1, 2), (2, 3), (3, 3), (7, 3)])
def test_who_begins_counts_itself_up_to_three(deaths: int, told: int) -> None:
    """What is committed before reading is the deaths before it and its own, if that comes to it."""
    reading = Reading(at=5, deaths=deaths)
    reading.begin()
    assert (MAX_DEATHS, reading.count_beside(5)) == (3, told)


def test_what_came_through_is_forgotten() -> None:
    """A pass in between begins the count anew: nothing is told, and the next death there is the first."""
    reading = Reading(at=5, deaths=2, careful_until=9)
    reading.begin()
    reading.come_through(5)
    assert reading.count_beside(5) == 0
    reading.take_back()
    assert reading.count_beside(5) == 0
    reading.begin()
    assert reading.count_beside(5) == 1


def test_coming_through_further_on_moves_the_count_there() -> None:
    """A log may begin behind the committed offset, and a marker may lie before its first record."""
    reading = Reading(at=5, deaths=2, careful_until=9)
    reading.begin()
    reading.come_through(7)
    assert (reading.count_beside(7), reading.count_beside(8)) == (0, 1)


@pytest.mark.parametrize("offset", [0, 5])
def test_what_is_taken_back_is_as_it_was_found(offset: int) -> None:
    """The deaths of others stay; and no record is counted beforehand any more, wherever the partition begins."""
    reading = Reading(at=offset, deaths=2, careful_until=offset + 4)
    reading.begin()
    assert reading.count_beside(offset) == 3
    reading.take_back()
    assert [reading.count_beside(offset + further) for further in range(5)] == [2, 0, 0, 0, 0]
    assert reading.careful_until == 0


def test_an_outcome_that_moves_the_offset_forgets() -> None:
    """Of a partition that is read as usual nothing is told further on; a suspect's next record is counted, as one."""
    usual, suspect = Reading(at=5), Reading(at=5, deaths=2, careful_until=8)
    for reading in (usual, suspect):
        reading.begin()
    assert [usual.count_beside(offset) for offset in range(5, 10)] == [1, 0, 0, 0, 0]
    assert [suspect.count_beside(offset) for offset in range(5, 10)] == [3, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("offset", "end", "deaths", "has_starts", "until"),
    [
        (0, 10, 0, False, 0),
        (5, 10_000, 0, False, 0),
        (5, 5, 3, True, 0),  # where nothing lies nobody dies of it
        (7, 5, 3, True, 0),
        (5, 6, 1, False, 6),
        (5, 900, 1, False, 900),  # up to the end as it was then
        (5, 10_000, 1, False, 1005),  # for a thousand offsets at most
        (5, 10_000, 3, True, 1005),
        (5, 10_000, 0, True, 37),  # over starts for 32
        (5, 20, 0, True, 20),
        (5, 6, 0, True, 6),
    ],
)
def test_how_far_a_partition_is_read_carefully(
    offset: int, end: int, deaths: int, has_starts: bool, until: int
) -> None:
    """Over deaths for longer than over starts, and nowhere behind the end."""
    assert careful_until(offset, end, deaths=deaths, has_starts=has_starts) == until
