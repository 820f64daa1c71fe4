"""Rebalances, refused commits, work in any order: each record is settled once, and only what was captured commits."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.core.model import Done, Message, Record, TopicPartition
from consumer.core.ports import EndOfPartition, Position
from consumer.delivery.assignment import Attempt, PendingCommit
from consumer.delivery.assignments import Assignments
from consumer.delivery.commit_queue import CommitQueue
from consumer.delivery.dispatcher import Dispatcher
from harness.delivery import UNTRACED
from harness.fakes import a_record, a_retry_state

PARTITIONS = (TopicPartition("t", 0), TopicPartition("t", 1))
partitions = st.sampled_from(PARTITIONS)


@dataclass(frozen=True)
class Membership:
    generation: int


class Group(RuleBasedStateMachine):
    """One replica, and a broker that takes a commit only from a membership under which the partition was ours."""

    def __init__(self) -> None:
        super().__init__()
        self.generation = 0
        self.assignments = Assignments()
        self.dispatcher = Dispatcher(self.assignments, lambda: Membership(self.generation))
        self.queue = CommitQueue(self.assignments)
        self.owned_since: dict[TopicPartition, int] = {}
        self.reading_at: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, Position] = {}
        self.published: dict[TopicPartition, list[int]] = {p: [] for p in PARTITIONS}
        self.attempts: list[Attempt] = []
        self.pending_commits: Sequence[PendingCommit] = []
        self.log: dict[TopicPartition, list[Record]] = {}

    @initialize(is_classic=st.booleans(), keys=st.lists(st.sampled_from([None, b"a", b"b"]), min_size=1, max_size=8))
    def write(self, is_classic: bool, keys: list[bytes | None]) -> None:
        self.is_classic = is_classic
        self.log = {p: [a_record(topic=p.topic, partition=p.partition, offset=2 * n, key=key)
                        for n, key in enumerate(keys)] for p in PARTITIONS}  # fmt: skip

    @rule()
    def other_members_come_and_go(self) -> None:
        """Our partitions stay ours; in a classic group what was captured before is refused all the same."""
        self.generation += 1

    @rule(partition=partitions)
    def assign(self, partition: TopicPartition) -> None:
        if partition not in self.owned_since:
            self.generation += 1
            self.owned_since[partition] = self.generation
            self._read_from_committed(partition)

    def _read_from_committed(self, partition: TopicPartition) -> None:
        position = self.committed.get(partition)
        self.reading_at[partition] = position.offset if position else 0
        self.assignments.open([partition])

    @rule(partition=partitions)
    def revoke(self, partition: TopicPartition) -> None:
        if self.owned_since.pop(partition, None) is not None:
            self.generation += 1
            self.assignments.close([partition], "revoked")

    @rule(partition=partitions)
    def read(self, partition: TopicPartition) -> None:
        if partition not in self.owned_since:
            return
        if self.assignments.needs_position(partition):
            self.assignments.begin(partition, self.committed.get(partition))
        coming = [r for r in self.log[partition] if r.offset >= self.reading_at[partition]]
        if coming:
            self.reading_at[partition] = coming[0].offset + 1
            self.dispatcher.admit(coming[0], a_retry_state(coming[0]))
        else:
            self.dispatcher.reach(EndOfPartition(topic_partition=partition, offset=self.end(partition)))

    def end(self, partition: TopicPartition) -> int:
        return self.log[partition][-1].offset + 2  # behind the last record there is a marker

    @rule()
    def dispatch(self) -> None:
        if attempt := self.dispatcher.next(0):
            assert attempt.record.topic_partition in self.owned_since
            at_work = [t for t in self.attempts if t.assignment.is_open]
            assert attempt.record.key is None or attempt.record.key not in [t.record.key for t in at_work]
            assert attempt.record.offset not in [t.record.offset for t in at_work if t.assignment is attempt.assignment]
            self.attempts.append(attempt)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        if not attempt.assignment.is_open and data.draw(st.booleans()):
            self.dispatcher.abandon(attempt)
            return
        record = attempt.record
        self.complete(attempt, key=record.key)

    def complete(self, attempt: Attempt, *, key: bytes | None) -> None:
        message = Message(topic="results", key=key, value=b"%d" % attempt.record.offset)
        self.dispatcher.complete(attempt, Done(result=message), UNTRACED)

    @rule()
    def take_pending(self) -> None:
        if not self.pending_commits:
            self.pending_commits = self.queue.pending(0)

    @rule()
    def publish(self) -> None:
        for pending in self.pending_commits:
            if self._broker_takes(pending):
                self.queue.confirm(pending)
            else:
                self.queue.refuse(pending)
        self.pending_commits = []

    def _broker_takes(self, pending: PendingCommit) -> bool:
        commit = pending.commit
        since = self.owned_since.get(commit.partition)
        assert isinstance(commit.membership, Membership)
        if since is None or commit.membership.generation < (self.generation if self.is_classic else since):
            return False
        before = self.committed.get(commit.partition, Position(offset=0)).offset
        offsets = [int(message.value or b"") for message in commit.messages]
        assert before <= commit.position.offset, "a position never goes back"
        assert offsets == [r.offset for r in self.log[commit.partition] if before <= r.offset < commit.position.offset]
        self.published[commit.partition] += offsets
        self.committed[commit.partition] = commit.position
        return True

    @rule()
    def follow_refusals(self) -> None:
        for partition in self.assignments.take_refused():
            if partition in self.owned_since:
                self._read_from_committed(partition)

    @invariant()
    def counts(self) -> None:
        assert self.dispatcher.in_flight() == sum(attempt.assignment.is_open for attempt in self.attempts)
        assert set(self.assignments.partitions()) <= set(self.owned_since)

    def teardown(self) -> None:
        """Left alone with all partitions, the replica settles each record, and each exactly once."""
        if not self.log:
            return
        for partition in PARTITIONS:
            self.assign(partition)
        for _ in range(200):
            for partition in PARTITIONS:
                self.read(partition)
            self.dispatch()
            for attempt in self.attempts:
                self.complete(attempt, key=None)
            self.attempts.clear()
            self.take_pending()
            self.publish()
            self.follow_refusals()
        for partition in PARTITIONS:
            assert self.published[partition] == [record.offset for record in self.log[partition]]
            assert self.committed[partition].offset == self.end(partition)
        assert self.dispatcher.is_quiet()


class TestGroup(Group.TestCase):  # type: ignore[valid-type, misc] # it is made for each machine
    """Through any rebalances each record is published once, in order, under the membership it was begun with."""

    settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
