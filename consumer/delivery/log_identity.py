"""Which log a partition's offsets are of: a topic that is deleted and made anew is another one, of the same name.

Its records are new however low their offsets, and nothing of the old log says so: the new one may be just as long.
"""

from collections.abc import Collection, Iterable, Mapping

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.core.ports import Position, Source
from consumer.delivery.start_counts import parse_log_id


class LogIds:
    """Asks which log a topic's name stands for now. Used by the poll loop's thread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._named: set[str] = set()  # topics of which an id was heard of

    def now(self, topic: str) -> str:
        """Its id; none where none was ever heard of: not every broker gives any, and each question takes time.

        A topic that had one and is missing is about to be another log. Raises BrokerUnavailable, then too.
        """
        heard = self._source.log_ids()
        self._named.update(heard or ())
        if heard is not None and topic not in self._named:
            return ""
        found = self._source.log_id(topic)
        if not found and topic in self._named:
            raise BrokerUnavailable(f"topic {topic} is missing")
        return found


class LogIdentities:
    """Remembers the id of each partition's topic since reading began, and compares it. Used by the poll loop's thread.

    Asked anew are the brokers only where a log may have been replaced unseen: at the first event after its end, and
    where what the source last heard differs. Logs without an id are all the same.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._ids = source, LogIds(source)
        self._known: dict[TopicPartition, str] = {}
        self._at_end: set[TopicPartition] = set()

    def begin(self, partition: TopicPartition) -> str:
        """Reading begins in the log that is there now; returns its id. Raises BrokerUnavailable."""
        self._known[partition] = self._ids.now(partition.topic)
        self._at_end.discard(partition)
        return self._known[partition]

    def learnt(self) -> Mapping[TopicPartition, str]:
        """Ids that were not known when reading began, and were heard of since the last call."""
        heard = self._source.log_ids() or {}
        nameless = [place for place, known in self._known.items() if not known]
        learnt = {place: heard[place.topic] for place in nameless if place.topic in heard}
        self._known |= learnt
        return learnt

    def reach_end(self, partition: TopicPartition) -> None:
        """All of its log was read: what comes next may be another one's."""
        self._at_end.add(partition)

    def is_replaced(self, partition: TopicPartition) -> bool:
        """Whether an event of this partition is of another log than those before, which holds until `begin`.

        Raises BrokerUnavailable.
        """
        if partition not in self._at_end:
            return False
        if self._differs(partition):
            return True
        self._at_end.discard(partition)
        return False

    def replaced(self) -> Collection[TopicPartition]:
        """Partitions with another log than the one that is read, whether anything came of it or not.

        Raises BrokerUnavailable.
        """
        heard = self._source.log_ids() or {}
        suspects = [place for place, known in self._known.items() if known and heard.get(place.topic, known) != known]
        return [place for place in suspects if self._differs(place)]

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are read no more."""
        for partition in partitions:
            self._known.pop(partition, None)
            self._at_end.discard(partition)

    def _differs(self, partition: TopicPartition) -> bool:
        """Ask the brokers."""
        known, found = self._known.get(partition, ""), self._ids.now(partition.topic)
        return bool(known) and known != found


def is_of_another_log(position: Position, log_id: str) -> bool:
    """Whether a position was committed of another log than the one of that id, `cluster:topic`.

    Of one that says nothing of its log that is not known; nor of one of another cluster, as a mirror of a group hands
    it on: it was translated for the log that is here.
    """
    told = parse_log_id(position.offset_metadata)
    return bool(told and log_id) and told != log_id and _cluster(told) == _cluster(log_id)


def _cluster(log_id: str) -> str:
    return log_id.rpartition(":")[0]
