"""A gateway's index without brokers: it reads records that a test has made, in the order that the test says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from consumer.core.events import SeparationProgress
from consumer.core.model import TopicPartition
from consumer.gateway.events.resume import Log
from consumer.gateway.events.vector import EventIds
from consumer.gateway.index.causal_order import CausalOrder, ReadRecord
from consumer.gateway.index.changes import Batch, Change
from consumer.gateway.index.entry import Asked, Ended, JobState
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook

REQUESTS, PROGRESS, RESULTS, LETTERS = "requests", "progress", "results", "dead-letter"
TOPICS = (REQUESTS, PROGRESS, RESULTS, LETTERS)
IDS = EventIds({topic: f"id of {topic}" for topic in TOPICS})


def asked(request_id: str, tenant: str | None = "t", *, partition: int = 0, offset: int = 0, at_ms: int = 1) -> Asked:
    """A request, as the index reads it."""
    return Asked(
        request_id=request_id,
        tenant=tenant,
        fingerprint=f"f-{request_id}",
        payload=f"p-{request_id}",
        document=b'{"metadata":{"user":"u"},"model":"2stems"}',
        partition=partition,
        offset=offset,
        at_ms=at_ms,
    )


def ended(
    request_id: str, state: JobState, *, partition: int = -1, offset: int = -1, at_ms: int = 3, words: str = "said"
) -> Ended:
    """An outcome, as the index reads it."""
    return Ended(
        request_id=request_id,
        state=state,
        tenant=None,
        fingerprint=None,
        document=f'{{"attempt":1,"message":"{words}"}}'.encode(),
        partition=partition,
        offset=offset,
        at_ms=at_ms,
    )


def progress(request_id: str, done: int, total: int = 4, at_ms: int = 2) -> SeparationProgress:
    """How far a job is."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return SeparationProgress(
        request_id=request_id, stage="separate", segments_done=done, segments_total=total, instance_id="i", at=at
    )


@dataclass(slots=True)
class JobLog:
    """The topics, with what a test has written."""

    partitions: dict[TopicPartition, list[ReadRecord]] = field(default_factory=dict)

    def write(self, topic: str, partition: int, *meanings: Meaning) -> tuple[TopicPartition, int]:
        """Append a record; returns its place."""
        where = TopicPartition(topic, partition)
        records = self.partitions.setdefault(where, [])
        place = where, len(records)
        records.append(ReadRecord(place=place, meanings=meanings))
        return place

    def request(self, request_id: str, tenant: str | None = "t", partition: int = 0) -> tuple[TopicPartition, int]:
        """Append a request that tells its own place."""
        offset = len(self.partitions.get(TopicPartition(REQUESTS, partition), ()))
        return self.write(REQUESTS, partition, asked(request_id, tenant, partition=partition, offset=offset))

    def ends(self) -> Mapping[TopicPartition, int]:
        """Of each partition what comes next."""
        return {where: len(records) for where, records in self.partitions.items()}


class IndexOf:
    """A replica's index of that log. Belongs to the running loop; `begins` is what the log is said to have held."""

    def __init__(self, log: JobLog, folder: Path, begins: Mapping[TopicPartition, int] | None = None) -> None:
        self._log = log
        self.table = JobTable(folder)
        book = ProgressBook()
        self._writer = IndexWriter(self.table, book, requests_topic=REQUESTS)
        self._order = CausalOrder((REQUESTS, PROGRESS), self.table.is_known_own, self._requests_end)
        self._read: dict[TopicPartition, int] = dict.fromkeys(log.partitions, 0)
        self.index = JobIndex(self.table, book, self._requests_end, events_a_mark=2)
        self.log = Log(ids=IDS, begins=lambda: begins or {}, ends=log.ends)

    def read(self, *batch: tuple[TopicPartition, int]) -> None:
        """Read so many more records of each of these partitions, as one batch."""
        records: list[ReadRecord] = []
        for where, count in batch:
            begun = self._read.get(where, 0)
            records += self._log.partitions.get(where, [])[begun : begun + count]
            self._read[where] = min(begun + count, len(self._log.partitions.get(where, [])))
        changes = list(self._changes(records))
        self.table.commit()
        positions = dict(self._order.positions(self._read))
        self.index._note(Batch(changes=changes, positions=positions, last_event=self.table.events.last))
        self._order.look_for_orphans(self._read)

    def read_all(self) -> None:
        """All that there is, partition by partition, and what had to wait."""
        for where in list(self._log.partitions):
            self.read((where, len(self._log.partitions[where])))
        for _ in range(3):
            self.read()

    def _changes(self, records: Sequence[ReadRecord]) -> Iterable[Change]:
        for record in self._order.add(records):
            for meaning in record.meanings:
                if (entry := self._writer.apply_record(meaning, record.place)) is not None:
                    yield Change(place=record.place, entry=entry)

    def _requests_end(self) -> Mapping[TopicPartition, int]:
        return {where: end for where, end in self._log.ends().items() if where.topic == REQUESTS}


def parse_stream(text: bytes) -> list[tuple[str, str, str]]:
    """Events as (name, id, data), by the rules of the HTML standard; blocks without data are none."""
    found, last_id = [], ""
    for block in text.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        last_id = fields.get("id", last_id)
        if "data" in fields:
            found.append((fields["event"], last_id, fields["data"]))
    return found
