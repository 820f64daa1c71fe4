"""Which log a partition's offsets are of: a topic that is deleted and made anew is another one, of the same name.

Its records are new however low their offsets, and nothing of the old log says so: the new one may be just as long.
"""

from collections.abc import Collection, Iterable

from consumer.core.model import TopicPartition
from consumer.core.ports import Source


class LogIdentities:
    """Remembers the id of each partition's topic since reading began, and compares it. Used by the poll loop's thread.

    Asked anew are the brokers only where a log may have been replaced unseen: at the first event after its end, and
    where what the source last heard differs. Where it has heard of no id, all are the same: not every broker gives any.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[TopicPartition, str] = {}
        self._at_end: set[TopicPartition] = set()

    def begin(self, partition: TopicPartition) -> None:
        """Reading begins in the log that is there now. Raises BrokerUnavailable."""
        self._known[partition] = self._id_now(partition.topic)
        self._at_end.discard(partition)

    def reach_end(self, partition: TopicPartition) -> None:
        """All of its log was read: what comes next may be another one's."""
        self._at_end.add(partition)

    def is_replaced(self, partition: TopicPartition) -> bool:
        """Whether an event of this partition is of another log than those before. Raises BrokerUnavailable."""
        if partition not in self._at_end:
            return False
        replaced = self._differs(partition)
        self._at_end.discard(partition)
        return replaced

    def replaced(self) -> Collection[TopicPartition]:
        """Partitions with another log than the one that is read, whether anything came of it or not.

        Raises BrokerUnavailable.
        """
        heard = self._source.log_ids()
        for place in [place for place, known in self._known.items() if not known]:
            self._known[place] = heard.get(place.topic, "")
        suspects = [place for place, known in self._known.items() if known and heard.get(place.topic, known) != known]
        return [place for place in suspects if self._differs(place)]

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are read no more."""
        for partition in partitions:
            self._known.pop(partition, None)
            self._at_end.discard(partition)

    def _differs(self, partition: TopicPartition) -> bool:
        """Ask the brokers. A topic that is missing is no other one, and becomes one only when it is there again."""
        known, found = self._known.get(partition, ""), self._id_now(partition.topic)
        if not known and found:
            self._known[partition] = found
        return bool(known and found) and known != found

    def _id_now(self, topic: str) -> str:
        """Asked for only where an id was heard of at all: not every broker gives any, and each question takes time."""
        return self._source.log_id(topic) if topic in self._source.log_ids() else ""
