"""What the topics have dropped goes from the index too, and nothing else does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import JobState
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.positions import Positions
from consumer.gateway.index.pruning import Pruner, keep_pruned
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from harness.job_log import LETTERS, REQUESTS, RESULTS, asked, ended

JOBS = 50


class Index:
    """A table that is written record by record, and pruned two rows at a time."""

    def __init__(self, folder: Path) -> None:
        self.table = JobTable(folder)
        self.writer = IndexWriter(self.table, ProgressBook(), requests_topic=REQUESTS)
        self.pruner = Pruner(self.table, rows_a_step=2)

    def read(self, topic: str, offset: int, meaning: Meaning) -> None:
        self.writer.apply_record(meaning, (TopicPartition(topic, 0), offset))
        self.writer.commit()

    def drop(self, **begins: int) -> None:
        """The topics begin there; all that is due for that goes."""
        self.pruner.note({TopicPartition(topic, 0): begin for topic, begin in begins.items()})
        for _ in range(2 + self.table.events.last // 2):
            self.pruner.step()
        self.writer.commit()

    def jobs(self) -> set[str]:
        return {entry.request_id for entry in self.table.page("t", state=None, before=None, limit=1000)}

    def events(self) -> list[tuple[str, str]]:
        found = self.table.events.page("t", after=0, up_to=self.table.events.last, limit=1000)
        return [(event.request_id, event.kind.value) for event in found]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Fifty jobs, of which the even ones have succeeded, each record at its job's number."""
    index = Index(tmp_path)
    for number in range(JOBS):
        index.read(REQUESTS, number, asked(str(number), offset=number, at_ms=number))
    for number in range(0, JOBS, 2):
        index.read(RESULTS, number, ended(str(number), JobState.SUCCEEDED, at_ms=1000 + number))
    return index


@pytest.mark.parametrize("begin", [0, 1, 2, 25, JOBS])
def test_a_job_goes_with_the_record_of_its_end(index: Index, begin: int) -> None:
    """Those whose outcome is dropped; those without one stay, however old they are."""
    index.drop(**{REQUESTS: begin, RESULTS: begin})
    kept = {str(number) for number in range(JOBS) if number % 2 or number >= begin}
    assert index.jobs() == kept
    assert index.events() == [
        *((str(number), "accepted") for number in range(begin, JOBS)),
        *((str(number), "succeeded") for number in range(begin + begin % 2, JOBS, 2)),
    ]


def test_what_is_dropped_later_goes_later(index: Index) -> None:
    """Pass by pass, each to where the topics begin by then; what was read meanwhile too."""
    for begin in range(0, JOBS, 10):
        index.read(RESULTS, JOBS + begin, ended(str(begin + 1), JobState.SUCCEEDED, at_ms=2000 + begin))
        index.drop(**{REQUESTS: begin, RESULTS: begin})
        assert index.jobs() == {str(number) for number in range(JOBS) if number % 2 or number >= begin}
    index.drop(**{RESULTS: JOBS + 1})  # of those that ended meanwhile the first
    assert index.jobs() == {str(number) for number in range(3, JOBS, 2)}


def test_a_job_that_was_asked_for_again_stays(tmp_path: Path) -> None:
    """Its first end is dropped, its second is not; and while it has only begun anew."""
    index = Index(tmp_path)
    index.read(REQUESTS, 0, asked("a", offset=0, at_ms=1))
    index.read(LETTERS, 0, ended("a", JobState.FAILED, partition=0, offset=0, at_ms=20))
    index.read(REQUESTS, 1, asked("a", offset=1, at_ms=30))
    index.drop(**{REQUESTS: 1, LETTERS: 1})
    assert index.jobs() == {"a"}
    index.read(LETTERS, 1, ended("a", JobState.FAILED, partition=0, offset=1, at_ms=50))
    index.drop(**{REQUESTS: 1, LETTERS: 1})
    assert index.jobs() == {"a"}
    assert index.events() == [("a", "accepted"), ("a", "failed")]
    index.drop(**{REQUESTS: 1, LETTERS: 2})
    assert index.jobs() == set()


def test_streams_are_told_before_rows_go(index: Index) -> None:
    """From the first step on, while most rows are still there."""
    begins = {TopicPartition(REQUESTS, 0): 40}
    index.pruner.note(begins)
    assert index.pruner.begins == {}
    index.pruner.step()
    assert index.pruner.begins == begins
    assert ("39", "accepted") in index.events()


def test_brokers_that_do_not_answer_are_asked_again() -> None:
    """What they said last holds until then."""
    noted: list[Positions] = []
    answers: Iterator[Exception | Positions] = iter([BrokerUnavailable("away"), {TopicPartition(REQUESTS, 0): 7}])

    def begins() -> Positions:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> None:
        task = asyncio.create_task(keep_pruned(begins, noted.append, every_s=0))
        async with asyncio.timeout(30):
            while not noted:
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    assert noted == [{TopicPartition(REQUESTS, 0): 7}]
