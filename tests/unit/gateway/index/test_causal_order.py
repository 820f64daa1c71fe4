"""Records are applied behind their requests, in their partitions' order, and nothing waits for ever."""

import pytest

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.gateway.index.causal_order import CausalOrder, ReadRecord
from consumer.gateway.index.entry import Asked, JobState
from consumer.gateway.index.positions import Positions
from harness.job_log import LETTERS, PROGRESS, REQUESTS, RESULTS, asked, ended, progress

REQUESTS_0, RESULTS_0 = TopicPartition(REQUESTS, 0), TopicPartition(RESULTS, 0)


class Applied:
    """An order, and what was applied in it; requests are known once they were applied."""

    def __init__(self, ends: Positions) -> None:
        self.known: set[str] = set()
        self.places: list[tuple[str, int]] = []
        self.order = CausalOrder((REQUESTS, PROGRESS), self.known.__contains__, self._ask)
        self.ends, self.asked, self.is_away = ends, 0, False

    def add(self, *records: ReadRecord) -> list[tuple[str, int]]:
        """What was applied by that, as topic and offset."""
        before = len(self.places)
        for record in self.order.add(records):
            self.places.append((record.place[0].topic, record.place[1]))
            self.known |= {meaning.request_id for meaning in record.meanings if isinstance(meaning, Asked)}
        return self.places[before:]

    def _ask(self) -> Positions:
        self.asked += 1
        if self.is_away:
            raise BrokerUnavailable("away")
        return self.ends


def request(name: str, offset: int = 0) -> ReadRecord:
    return ReadRecord(place=(REQUESTS_0, offset), meanings=(asked(name, offset=offset),))


def result(name: str, offset: int) -> ReadRecord:
    return ReadRecord(place=(RESULTS_0, offset), meanings=(ended(name, JobState.SUCCEEDED),))


def test_a_batch_is_applied_requests_first() -> None:
    """Then progress, then what ends jobs; nothing asks the brokers."""
    applied = Applied({})
    step = ReadRecord(place=(TopicPartition(PROGRESS, 0), 5), meanings=(progress("a", 1),))
    assert applied.add(result("a", 3), step, request("a")) == [(REQUESTS, 0), (PROGRESS, 5), (RESULTS, 3)]
    applied.order.look_for_orphans({})
    assert (len(applied.order), applied.asked) == (0, 0)


def test_a_result_waits_for_its_request_and_what_lies_behind_waits_too() -> None:
    """Positions say of the partition what was applied, not what was read."""
    applied = Applied({REQUESTS_0: 2})
    assert applied.add(request("b", 0), result("a", 3), result("b", 4)) == [(REQUESTS, 0)]
    assert applied.order.positions({REQUESTS_0: 1, RESULTS_0: 5}) == {REQUESTS_0: 1, RESULTS_0: 3}
    applied.order.look_for_orphans({REQUESTS_0: 1})
    assert applied.add() == []
    assert applied.add(request("a", 1)) == [(REQUESTS, 1), (RESULTS, 3), (RESULTS, 4)]
    assert applied.order.positions({REQUESTS_0: 2, RESULTS_0: 5}) == {REQUESTS_0: 2, RESULTS_0: 5}


def test_a_dead_letter_waits_for_its_request_too() -> None:
    """Though it holds it: others have seen the request's own record."""
    applied = Applied({REQUESTS_0: 1})
    letter = ReadRecord(
        place=(TopicPartition(LETTERS, 0), 0), meanings=(asked("a"), ended("a", JobState.FAILED, partition=0, offset=0))
    )
    assert applied.add(letter) == []
    assert applied.add(request("a")) == [(REQUESTS, 0), (LETTERS, 0)]


def test_what_has_no_request_any_more_goes_on_once_that_is_certain() -> None:
    """When all requests are applied that there were; what came later waits for a later answer."""
    applied = Applied({REQUESTS_0: 7})
    assert applied.add(result("gone", 0)) == []
    applied.order.look_for_orphans({REQUESTS_0: 6})
    assert applied.add(result("gone too", 1)) == []
    applied.order.look_for_orphans({REQUESTS_0: 6})
    assert applied.add() == []
    applied.order.look_for_orphans({REQUESTS_0: 7})
    assert applied.add() == [(RESULTS, 0)]
    applied.order.look_for_orphans({REQUESTS_0: 7})
    applied.order.look_for_orphans({REQUESTS_0: 7})
    assert applied.add() == [(RESULTS, 1)]
    assert applied.asked == 2


def test_brokers_that_do_not_answer_are_asked_again() -> None:
    """Nothing is taken for an orphan meanwhile."""
    applied = Applied({})
    applied.is_away = True
    assert applied.add(result("a", 0)) == []
    for _ in range(3):
        applied.order.look_for_orphans({REQUESTS_0: 9})
        assert applied.add() == []
    applied.is_away = False
    applied.order.look_for_orphans({REQUESTS_0: 9})
    applied.order.look_for_orphans({REQUESTS_0: 9})
    assert applied.add() == [(RESULTS, 0)]


@pytest.mark.parametrize("most", [10_001])
def test_so_many_wait_and_no_more(most: int) -> None:
    """Memory is bounded, whatever the brokers say."""
    applied = Applied({})
    applied.is_away = True
    assert applied.add(*(result("gone", offset) for offset in range(most))) == []
    applied.order.look_for_orphans({})
    assert len(applied.add()) == most
