"""A source that leaves all to another one, for those that change some of it."""

from collections.abc import Mapping, Sequence

from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Membership, Position, RebalanceListener, Source, Traffic


class WrappedSource:
    """See ports.Source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        self._source.subscribe(topics, listener)

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        return self._source.poll(timeout_s)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._source.pause(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._source.resume(partitions)

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        return self._source.rewind(partition, offset)

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        return self._source.committed(partitions)

    def read_one(self, partition: TopicPartition, offset: int, timeout_s: float) -> Record | EndOfPartition | None:
        return self._source.read_one(partition, offset, timeout_s)

    def recalled(self, first: Record) -> int | None:
        return self._source.recalled(first)

    def beginning(self, partition: TopicPartition) -> int:
        return self._source.beginning(partition)

    def end(self, partition: TopicPartition) -> int:
        return self._source.end(partition)

    def log_id(self, topic: str) -> str:
        return self._source.log_id(topic)

    def log_ids(self) -> Mapping[str, str] | None:
        return self._source.log_ids()

    def membership(self) -> Membership:
        return self._source.membership()

    def is_member(self) -> bool:
        return self._source.is_member()

    @property
    def last_error(self) -> str:
        return self._source.last_error

    @property
    def traffic(self) -> Traffic:
        return self._source.traffic

    def close(self) -> None:
        self._source.close()
