"""Kafka in this process's memory, with one group: topics, memberships, transactions. For tests of all that delivers.

It keeps what the ports promise and what the delivery rests on: a commit counts only under a membership from which its
partition has not been taken since, and a transaction is seen whole or not at all.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from consumer.core.errors import OwnershipLost
from consumer.core.model import Message, Record, TopicPartition
from consumer.core.ports import Commit, Position


class Member(Protocol):
    """One of the group, who wants partitions of these topics."""

    topics: Sequence[str]


@dataclass(frozen=True, slots=True)
class MemoryMembership:
    """A member's place at one moment."""

    member: Member
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
        self._members: list[Member] = []
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

    def join(self, member: Member) -> None:
        with self.changed:
            self._members.append(member)
            self._epoch += 1
            self.changed.notify_all()

    def remove(self, member: Member) -> None:
        """The member has left, or was not heard of for too long: what it owned is free."""
        with self.changed:
            if member in self._members:
                self._members.remove(member)
                self._epoch += 1
            self.free(member, [place for place, owner in self._owners.items() if owner.member is member])

    def is_member(self, member: Member) -> bool:
        return member in self._members

    def share_of(self, member: Member) -> set[TopicPartition]:
        """What the member should own: of each topic its part, as even as can be."""
        with self.changed:
            subscribed = [m for m in self._members if m.topics]
            if member not in subscribed:
                return set()
            index, count = subscribed.index(member), len(subscribed)
            return {place for place in self.log if place.topic in member.topics and place.partition % count == index}

    def take(self, member: Member, places: Collection[TopicPartition]) -> list[TopicPartition]:
        """Own those of the partitions that are free; returns them."""
        with self.changed:
            free = [place for place in places if place not in self._owners]
            for place in free:
                self._owners[place] = MemoryMembership(member, self._epoch)
            return free

    def free(self, member: Member, places: Collection[TopicPartition]) -> None:
        with self.changed:
            for place in places:
                if place in self._owners and self._owners[place].member is member:
                    del self._owners[place]
            self._epoch += 1  # so that what is taken again is taken under another membership
            self.changed.notify_all()
