"""Puts records into an order in which each job's request comes first, whatever order topics are read in.

Brokers answer at their own pace, so a result may be read before its request was. Then it waits, and with it what lies
behind it in its partition: so positions say of each partition exactly what was applied.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import Asked
from consumer.gateway.index.event_table import Place
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.positions import Positions

_MOST_WAITING = 10_000  # records; beyond, they are applied as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A record as it was read, and what it says, in the order in which that is to be applied."""

    place: Place
    meanings: Sequence[Meaning]


class CausalOrder:
    """Used by one thread. is_known: whether the request under an id was applied.

    topics: in the order of a job's life, the requests' first. ends: where the requests end now, asked only when a
    record waits: once all requests up to there are applied and its own is not among them, there is none any more.
    """

    def __init__(self, topics: Sequence[str], is_known: Callable[[str], bool], ends: Callable[[], Positions]) -> None:
        self.topics = tuple(topics)
        self._is_known, self._ends = is_known, ends
        self._waiting: dict[TopicPartition, deque[tuple[int, ReadRecord]]] = {}
        self._came = 0  # records that had to wait so far
        self._orphans_up_to = 0  # those that came up to here wait no longer
        self._wanted: tuple[int, Positions] | None = None

    def __len__(self) -> int:
        """How many records wait."""
        return sum(map(len, self._waiting.values()))

    def add(self, records: Iterable[ReadRecord]) -> Iterator[ReadRecord]:
        """Those of them that may be applied, and of those that waited. Each is applied before the next is asked for."""
        for record in sorted(records, key=self._rank):
            partition = record.place[0]
            if partition in self._waiting or self._lacks_its_request(record):
                self._came += 1
                self._waiting.setdefault(partition, deque()).append((self._came, record))
            else:
                yield record
        yield from self._released()

    def look_for_orphans(self, applied: Positions) -> None:
        """Find out, where records wait, whether what they wait for will come. applied: how far requests were."""
        if not self._waiting:
            self._wanted = None
        elif len(self) > _MOST_WAITING:
            self._orphans_up_to = self._came
        elif self._wanted is None:
            try:
                self._wanted = self._came, self._ends()
            except BrokerUnavailable:
                return  # then nothing comes anyway
        elif all(applied.get(partition, 0) >= end for partition, end in self._wanted[1].items()):
            self._orphans_up_to, self._wanted = self._wanted[0], None

    def positions(self, read: Positions) -> Mapping[TopicPartition, int]:
        """How far records were applied, where they were read so far."""
        return {**read, **{partition: queue[0][1].place[1] for partition, queue in self._waiting.items()}}

    def _released(self) -> Iterator[ReadRecord]:
        for partition, queue in list(self._waiting.items()):
            while queue and (queue[0][0] <= self._orphans_up_to or not self._lacks_its_request(queue[0][1])):
                yield queue.popleft()[1]
            if not queue:
                del self._waiting[partition]

    def _lacks_its_request(self, record: ReadRecord) -> bool:
        """A dead letter tells its request too, but the request's own record is what others will have seen."""
        if record.place[0].topic == self.topics[0]:
            return False
        told = (meaning for meaning in record.meanings if not isinstance(meaning, Asked))
        return any(not self._is_known(meaning.request_id) for meaning in told)

    def _rank(self, record: ReadRecord) -> int:
        topic = record.place[0].topic
        return self.topics.index(topic) if topic in self.topics else len(self.topics)
