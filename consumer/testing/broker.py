"""Kafka in this process's memory, with one group: topics, memberships, transactions. For tests of all that delivers.

It keeps what the ports promise and what the delivery rests on: a commit counts only under a membership from which its
partition has not been taken since, and a transaction is seen whole or not at all.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from consumer.core.errors import OwnershipLost
from consumer.core.model import Message, Record, TopicPartition
from consumer.core.ports import Commit, EndOfPartition, Membership, Position, RebalanceListener, Traffic


@dataclass(frozen=True, slots=True)
class MemoryMembership:
    """A member's place at one moment."""

    member: "MemorySource"
    epoch: int


class MemoryBroker:
    """Thread-safe. is_classic: a rebalance ends every membership, also of partitions that stay where they are."""

    def __init__(self, *topics: str, partitions: int = 1, is_classic: bool = False) -> None:
        places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self.log: dict[TopicPartition, list[Record]] = {place: [] for place in places}
        self.log_ids: dict[str, str] = dict.fromkeys(topics, "1")
        self.done: dict[TopicPartition, int] = {}  # before which offset all have their outcome
        self.committed: dict[TopicPartition, Position] = {}
        self.transactions: list[tuple[Commit, ...]] = []
        self.changed = threading.Condition(threading.RLock())
        self._is_classic = is_classic
        self._epoch = 0
        self._members: list[MemorySource] = []
        self._owners: dict[TopicPartition, MemoryMembership] = {}

    @property
    def published(self) -> list[Message]:
        """What a reader of committed records sees of outcomes, in order."""
        return [message for commits in self.transactions for commit in commits for message in commit.messages]

    @property
    def audited(self) -> list[Message]:
        """What of it went into the audit trail, in order; it is none of `published`."""
        return [message for commits in self.transactions for commit in commits for message in commit.audit]

    def send(self, topic: str, value: bytes | None, *, partition: int = 0, **fields: Any) -> int:
        """Append a record; returns its offset."""
        with self.changed:
            records = self.log[TopicPartition(topic, partition)]
            told = {"timestamp": datetime.now(UTC)} | fields
            records.append(Record(topic=topic, partition=partition, offset=len(records), value=value, **told))
            self.changed.notify_all()
            return records[-1].offset

    def recreate(self, topic: str) -> None:
        """Delete a topic and make it anew: empty, with another id, and with nothing committed of it."""
        with self.changed:
            for place in [place for place in self.log if place.topic == topic]:
                self.log[place] = []
                self.committed.pop(place, None)
                self.done.pop(place, None)
            self.log_ids[topic] = f"{int(self.log_ids[topic]) + 1}"

    def commit(self, commits: Sequence[Commit]) -> None:
        """One transaction. A message to one of the broker's topics becomes a record. Raises OwnershipLost."""
        with self.changed:
            for commit in commits:
                self._check(commit)
            self.apply(commits)

    def apply(self, commits: Sequence[Commit]) -> None:
        """The same, whoever's the partitions are."""
        with self.changed:
            for commit in commits:
                for message in commit.messages:
                    number = commit.partition.partition
                    if TopicPartition(message.topic, number) in self.log:
                        fields = {"key": message.key, "headers": message.headers}
                        self.send(message.topic, message.value, partition=number, **fields)
                self.committed[commit.partition] = commit.position
                if commit.last:
                    self.done[commit.partition] = commit.last.offset + 1
            self.transactions.append(tuple(commits))
            self.changed.notify_all()

    def _check(self, commit: Commit) -> None:
        owner, membership = self._owners.get(commit.partition), commit.membership
        assert isinstance(membership, MemoryMembership)
        oldest = self._epoch if self._is_classic else owner.epoch if owner else 0
        if owner is None or owner.member is not membership.member or membership.epoch < oldest:
            raise OwnershipLost(f"{commit.partition.topic} [{commit.partition.partition}]")

    def wait_for(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
        """Raises AssertionError if it does not become true."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), "it did not happen in time"

    def all_committed(self) -> bool:
        ends = {place: len(records) for place, records in self.log.items() if records}
        return all(self.committed.get(place, Position(offset=0)).offset == end for place, end in ends.items())

    # --- the group ---

    @property
    def epoch(self) -> int:
        return self._epoch

    def join(self, member: "MemorySource") -> None:
        with self.changed:
            self._members.append(member)
            self._epoch += 1
            self.changed.notify_all()

    def remove(self, member: "MemorySource") -> None:
        """The member has left, or was not heard of for too long: what it owned is free."""
        with self.changed:
            if member in self._members:
                self._members.remove(member)
                self._epoch += 1
            self.free(member, [place for place, owner in self._owners.items() if owner.member is member])

    def is_member(self, member: "MemorySource") -> bool:
        return member in self._members

    def share_of(self, member: "MemorySource") -> set[TopicPartition]:
        """What the member should own: of each topic its part, as even as can be."""
        with self.changed:
            subscribed = [m for m in self._members if m.topics]
            if member not in subscribed:
                return set()
            index, count = subscribed.index(member), len(subscribed)
            return {place for place in self.log if place.topic in member.topics and place.partition % count == index}

    def take(self, member: "MemorySource", places: Collection[TopicPartition]) -> list[TopicPartition]:
        """Own those of the partitions that are free; returns them."""
        with self.changed:
            free = [place for place in places if place not in self._owners]
            for place in free:
                self._owners[place] = MemoryMembership(member, self._epoch)
            return free

    def free(self, member: "MemorySource", places: Collection[TopicPartition]) -> None:
        with self.changed:
            for place in places:
                if place in self._owners and self._owners[place].member is member:
                    del self._owners[place]
            self._epoch += 1  # so that what is taken again is taken under another membership
            self.changed.notify_all()


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


class MemoryOutbox:
    """See ports.Outbox."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker, self.calls, self.waits_for = broker, 0, ""

    def open(self, timeout_s: float) -> None:
        pass

    def publish(self, commits: Sequence[Commit]) -> None:
        self.calls += 1
        self.broker.commit(commits)

    def close(self) -> None:
        pass
