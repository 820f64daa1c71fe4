"""What the index keeps of a job that is forgotten: nothing that is shown, and where something of it may still lie."""

from pathlib import Path

import msgspec
import pytest

from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import JobState
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from harness.job_log import LETTERS, PROGRESS, REQUESTS, RESULTS, asked, ended, progress

ASKED = asked("a", offset=0, at_ms=1)
DONE, FAILED = ended("a", JobState.SUCCEEDED), ended("a", JobState.FAILED, partition=0, offset=0, at_ms=20)
RECORDS: tuple[tuple[str, Meaning], ...] = (
    (REQUESTS, ASKED), (PROGRESS, progress("a", 1)), (LETTERS, FAILED), (REQUESTS, asked("a", offset=9, at_ms=50)),
    (RESULTS, DONE), (RESULTS, DONE),
)  # fmt: skip


class Index:
    """A table, and what is written to it, each record at the next offset."""

    def __init__(self, folder: Path) -> None:
        self.table, self.progress = JobTable(folder), ProgressBook()
        self.writer = IndexWriter(self.table, self.progress, requests_topic=REQUESTS)
        self._next = 0

    def read(self, topic: str, meaning: Meaning) -> None:
        self._next += 1
        self.writer.apply_record(meaning, (TopicPartition(topic, 0), self._next))
        self.table.commit()

    def forget(self, tenant: str | None = "t") -> bool:
        changed = self.writer.forget("a", tenant)
        self.table.commit()
        return changed is not None

    def shown(self) -> tuple[object, ...]:
        """All that anybody may see of the tenant's jobs."""
        jobs = self.table.page("t", state=None, before=None, limit=9)
        events = self.table.events.page("t", after=0, up_to=100, limit=100)
        return jobs, events, self.progress.get("a"), self.table.count_open("t")


@pytest.mark.parametrize("at", range(len(RECORDS) + 1))
def test_whenever_it_is_forgotten_nothing_is_shown(tmp_path: Path, at: int) -> None:
    """Before its first record is read, as at a start, or between any two of them; and never again."""
    index = Index(tmp_path)
    for number, record in enumerate(RECORDS):
        if number == at:
            assert index.forget() == (at > 0)
        index.read(*record)
        if number < at:
            assert index.shown()[0]
        else:
            assert index.shown() == ([], [], None, 0)
    assert index.forget() == (at == len(RECORDS))
    assert index.shown() == ([], [], None, 0)
    assert index.writer.forget("a", "t") is None


def test_what_is_left_tells_where_to_look(tmp_path: Path) -> None:
    """Whether it has ended, and the keys of what it was made of; no metadata, no digests, no times of work."""
    index = Index(tmp_path)
    index.read(REQUESTS, ASKED)
    before = index.table.get("a")
    assert before
    assert before.request
    source = msgspec.json.decode(before.request).get("source")
    index.forget()
    for state, record in ((JobState.QUEUED, None), (JobState.FAILED, (LETTERS, FAILED))):
        if record:
            index.read(*record)
        left = index.table.get("a")
        assert left
        assert (left.state, left.outcome, left.is_forgotten) == (state, None, True)
        assert left.request
        kept = msgspec.json.decode(left.request)
        assert kept.keys() <= {"source", "model", "output", "stems"}
        assert kept.get("source") == source
    assert index.table.is_known_own("a")  # so that nothing waits for its request


def test_another_tenants_job_of_that_id_stays(tmp_path: Path) -> None:
    """Ids are their senders' to choose."""
    index = Index(tmp_path)
    index.read(REQUESTS, ASKED)
    before = index.shown()
    for other in ("T", "", None):
        assert not index.forget(other)
    assert index.shown() == before
