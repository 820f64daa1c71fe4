"""A member of the group in memory, as a replica's consumer is one of a group on brokers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Membership, Position, RebalanceListener, Traffic
from consumer.testing.broker import MemoryBroker, MemoryMembership


@dataclass(eq=False)
class MemorySource:
    """See ports.Source. It follows the group in `poll`: first it gives back what is not its share any more."""

    broker: MemoryBroker
    topics: Sequence[str] = ()
    paused: set[TopicPartition] = field(default_factory=set)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    _listener: RebalanceListener | None = None
    _ends_told: dict[TopicPartition, int] = field(default_factory=dict)
    _membership: MemoryMembership | None = None

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        self.topics, self._listener = topics, listener
        self.broker.join(self)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """As the group does: these are ours from now on, from their committed positions."""
        assert self._listener
        with self.broker.changed:
            taken = self.broker.take(self, partitions)
            for place in taken:
                position = self.broker.committed.get(place)
                self.positions[place] = position.offset if position else 0
                self._ends_told.pop(place, None)
            self._membership = MemoryMembership(self, self.broker.epoch)
        if taken:
            self._listener.assigned(taken)

    def revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """As the group does: these are given back, and are free once the callback has returned."""
        assert self._listener
        self._listener.revoked(partitions)
        with self.broker.changed:
            for place in partitions:
                self.positions.pop(place, None)
            self.broker.free(self, partitions)

    def _follow(self) -> None:
        if not self.broker.is_member(self):
            self._be_told_of_loss()
            return
        share = self.broker.share_of(self)
        if surplus := [place for place in self.positions if place not in share]:
            self.revoke(surplus)
        if missing := [place for place in share if place not in self.positions]:
            self.assign(missing)

    def _be_told_of_loss(self) -> None:
        """Others have it all for a while; join again."""
        if self._listener is None:
            return
        lost = list(self.positions)
        self.positions.clear()
        if lost:
            self._listener.lost(lost)
        self.broker.join(self)

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        self._follow()
        with self.broker.changed:
            self._membership = MemoryMembership(self, self.broker.epoch)
            if (event := self._next()) is None and timeout_s > 0:
                self.broker.changed.wait(timeout_s)
                event = self._next()
            return event

    def _next(self) -> Record | EndOfPartition | None:
        for place, offset in self.positions.items():
            records = self.broker.log[place]
            if place in self.paused:
                continue
            if offset < len(records):
                self.positions[place] = offset + 1
                return records[offset]
            if self._ends_told.get(place) != offset:
                self._ends_told[place] = offset
                return EndOfPartition(topic_partition=place, offset=offset)
        return None

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused.difference_update(partitions)

    def log_id(self, topic: str) -> str:
        return self.broker.log_ids.get(topic, "")

    def log_ids(self) -> Mapping[str, str]:
        return self.broker.log_ids

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        if partition not in self.positions:
            return False
        self.positions[partition] = offset or 0
        self._ends_told.pop(partition, None)
        return True

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        with self.broker.changed:
            return {place: self.broker.committed.get(place) for place in partitions}

    def read_one(self, partition: TopicPartition, offset: int, timeout_s: float) -> Record | EndOfPartition | None:
        del timeout_s  # nothing takes time
        records = self.broker.log[partition]
        end = EndOfPartition(topic_partition=partition, offset=len(records))
        return records[offset] if offset < len(records) else end

    def recalled(self, first: Record) -> int | None:
        return self.broker.done.get(first.topic_partition)

    def beginning(self, partition: TopicPartition) -> int:
        return min((record.offset for record in self.broker.log[partition]), default=0)

    def end(self, partition: TopicPartition) -> int:
        return len(self.broker.log[partition])

    def membership(self) -> Membership:
        return self._membership

    def is_member(self) -> bool:
        return self.broker.is_member(self)

    @property
    def last_error(self) -> str:
        return ""

    @property
    def traffic(self) -> Traffic:
        return Traffic()

    def close(self) -> None:
        if self._listener and self.positions:
            self.revoke(list(self.positions))
        self.broker.remove(self)
        self._listener = None
