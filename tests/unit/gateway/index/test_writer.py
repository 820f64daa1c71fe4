"""What the index makes of a job's records, in whatever order its topics are read."""

from pathlib import Path

import pytest

from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import JobState
from consumer.gateway.index.event_table import EventKind
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from harness.job_log import LETTERS, PROGRESS, REQUESTS, RESULTS, asked, ended, progress

FIRST, AGAIN = asked("a", offset=0, at_ms=1), asked("a", offset=5, at_ms=50)
FAILED, FAILED_AGAIN = (ended("a", JobState.FAILED, partition=0, offset=offset, at_ms=20) for offset in (0, 5))
DONE = ended("a", JobState.SUCCEEDED)


class Index:
    """A table, and what is written to it, each record at the next offset of its topic."""

    def __init__(self, folder: Path) -> None:
        self.table = JobTable(folder)
        self._writer = IndexWriter(self.table, ProgressBook(), requests_topic=REQUESTS)
        self._next: dict[str, int] = {}

    def read(self, topic: str, *meanings: Meaning) -> None:
        offset = self._next[topic] = self._next.get(topic, -1) + 1
        for meaning in meanings:
            self._writer.apply_record(meaning, (TopicPartition(topic, 0), offset))
        self.table.commit()

    @property
    def events(self) -> list[EventKind]:
        return [event.kind for event in self.table.events.page("t", after=0, up_to=100, limit=100)]

    @property
    def state(self) -> JobState | None:
        found = self.table.get("a")
        return None if found is None else found.state


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


def test_one_record_is_one_event_and_a_repetition_is_none(index: Index) -> None:
    """A request written twice, its two results, progress behind the end, a failure behind the success."""
    for topic, meanings in (
        (REQUESTS, (FIRST,)),
        (REQUESTS, (AGAIN,)),
        (PROGRESS, (progress("a", 1),)),
        (RESULTS, (DONE,)),
        (RESULTS, (DONE,)),
        (PROGRESS, (progress("a", 4),)),
        (LETTERS, (AGAIN, FAILED_AGAIN)),
    ):
        index.read(topic, *meanings)
    assert index.events == [EventKind.ACCEPTED, EventKind.PROGRESS, EventKind.SUCCEEDED]


def test_a_job_that_was_sent_again_is_queued_in_either_order(index: Index, tmp_path: Path) -> None:
    """As it was when it was read at once, so when all requests are read before what came of them."""
    index.read(REQUESTS, FIRST)
    index.read(LETTERS, FIRST, FAILED)
    index.read(REQUESTS, AGAIN)
    assert index.events == [EventKind.ACCEPTED, EventKind.FAILED, EventKind.ACCEPTED]
    (tmp_path / "later").mkdir()
    later = Index(tmp_path / "later")
    later.read(REQUESTS, FIRST)
    later.read(REQUESTS, AGAIN)
    later.read(LETTERS, FIRST, FAILED)
    assert (index.state, later.state) == (JobState.QUEUED, JobState.QUEUED)
    for each in (index, later):
        each.read(LETTERS, AGAIN, FAILED_AGAIN)
        assert (each.state, each.events[-1]) == (JobState.FAILED, EventKind.FAILED)


def test_a_dead_letter_alone_tells_of_a_job(index: Index) -> None:
    """Where its request is gone: it is no acceptance, but an end."""
    index.read(LETTERS, FIRST, FAILED)
    assert (index.state, index.events) == (JobState.FAILED, [EventKind.FAILED])


def test_an_outcome_without_any_request_tells_nobody(index: Index) -> None:
    """It can't be told whose it is."""
    index.read(RESULTS, DONE)
    assert index.events == []
    assert index.table.events.page(None, after=0, up_to=100, limit=100) == []


def test_events_of_one_job_or_of_all_in_pages(index: Index) -> None:
    """Each page begins behind the one before, and holds no other tenant's."""
    for number in range(6):
        index.read(REQUESTS, asked(f"job-{number}", "t" if number % 3 else "other", offset=number))
    first = index.table.events.page("t", after=0, up_to=100, limit=3)
    rest = index.table.events.page("t", after=first[-1].number, up_to=100, limit=3)
    assert [event.request_id for event in (*first, *rest)] == ["job-1", "job-2", "job-4", "job-5"]
    [one] = index.table.events.page("t", after=0, up_to=100, request_id="job-4", limit=3)
    assert (one.place, one.kind) == ((TopicPartition(REQUESTS, 0), 4), EventKind.ACCEPTED)
    assert index.table.events.page("t", after=0, up_to=one.number - 1, request_id="job-4", limit=3) == []
