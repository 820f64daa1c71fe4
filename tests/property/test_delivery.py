"""Loop, dispatcher, offsets, committer and retry topics together, in several replicas that come, go, die and come back.

All of it is the product's own but Kafka, which is the one in memory, and time: nothing here waits.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import BrokerUnavailable, ProducerFenced, StoreUnavailable
from consumer.core.events import DeadLetter
from consumer.core.model import Done, Message, Outcome
from consumer.core.ports import Commit
from consumer.delivery import committer as committer_module
from consumer.delivery.assignment import Attempt, PendingCommit
from consumer.delivery.committer import Committer
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.poll_loop import PollLoop
from consumer.pipeline.failure_policy import Failure, FailurePolicy
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.testing.broker import MemoryBroker, MemoryOutbox, MemorySource

REQUESTS, RETRIES = "requests", ["requests.retry-1", "requests.retry-2"]
PARTITIONS = 3
CODEC = AvroCodec()
# What a transaction may meet: nothing, or a trouble, of which nobody knows whether it came before or after the commit.
TROUBLES: list[Callable[[], Exception] | None] = [
    None,
    None,
    lambda: BrokerUnavailable("away"),
    lambda: ProducerFenced("before"),
    lambda: ProducerFenced("after"),
]


class Hasty(Dispatcher):
    """Waits for nothing: in one thread nothing would come of it."""

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        condition()


class Outbox(MemoryOutbox):
    trouble: Exception | None = None

    def publish(self, commits: list[Commit]) -> None:  # type: ignore[override]
        trouble, self.trouble = self.trouble, None
        if trouble is None or str(trouble) == "after":
            super().publish(commits)
        if trouble is not None:
            raise trouble


@dataclass(eq=False)
class Replica:
    """The parts of one that deliver, as `app` wires them; its work is done by hand."""

    broker: MemoryBroker
    attempts: list[Attempt] = field(default_factory=list)
    taken: list[PendingCommit] = field(default_factory=list)  # by a committer that is slow

    def __post_init__(self) -> None:
        self.source, self.outbox = MemorySource(self.broker), Outbox(self.broker)
        self.dispatcher = Hasty(self.source.membership)
        self.loop = PollLoop(
            self.source,
            self.dispatcher,
            topics=[REQUESTS],
            retry_topics=RETRIES,
            max_retry_delay_s=0.0,
            revoke_grace_s=0.0,
        )
        self.committer = Committer(self.dispatcher, self.outbox, self.source, lambda _: None)
        self.source.subscribe([REQUESTS, *RETRIES], self.loop)

    def step(self) -> None:
        self.loop.step(0)

    def take(self) -> None:
        if attempt := self.dispatcher.next(0):
            self.attempts.append(attempt)
            attempt.cancellation.listen(lambda: self._abandon(attempt))

    def _abandon(self, attempt: Attempt) -> None:
        if attempt in self.attempts:
            self.attempts.remove(attempt)
            self.dispatcher.abandon(attempt)

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        self.attempts.remove(attempt)
        self.dispatcher.settle(attempt, outcome)

    def take_offers(self) -> None:
        self.taken = self.taken or self.dispatcher.pending_commits(0)

    def publish(self, trouble: Exception | None) -> None:
        pending_commits, self.taken = self.taken or self.dispatcher.pending_commits(0), []
        if pending_commits:
            self.outbox.trouble = trouble
            self.committer.publish(pending_commits)
            self.outbox.trouble = None


class Group(RuleBasedStateMachine):
    """Up to three replicas that poll, and those that were given up by the group while they were still at work."""

    @initialize(is_classic=st.booleans())
    def begin(self, is_classic: bool) -> None:
        self.logs = capture_logs()
        self.logs.__enter__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(committer_module, "_RETRY_S", 0.0)
        self.broker = MemoryBroker(REQUESTS, *RETRIES, partitions=PARTITIONS, is_classic=is_classic)
        publish = EncodeOutcome(
            codec=CODEC, results_topic="results", dead_letter_topic="letters", retry_topics=RETRIES,
            retry_delays_s=[0.0, 0.0], version="1",
        )  # fmt: skip
        self.failure_policy = FailurePolicy(publish)
        self.alive: list[Replica] = [Replica(self.broker)]
        self.given_up: list[Replica] = []
        self.sent: list[tuple[int, int]] = []

    def a_replica(self, data: st.DataObject) -> Replica:
        return data.draw(st.sampled_from([*self.alive, *self.given_up]))

    @rule(places=st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.sampled_from([None, b"a", b"b"])), max_size=6))
    def send(self, places: list[tuple[int, bytes | None]]) -> None:
        for partition, key in places:
            self.sent.append((partition, self.broker.send(REQUESTS, b"request", partition=partition, key=key)))

    @precondition(lambda self: len(self.alive) < 3)
    @rule()
    def join(self) -> None:
        self.alive.append(Replica(self.broker))

    @precondition(lambda self: len(self.alive) > 1)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.alive.pop(data.draw(st.integers(0, len(self.alive) - 1))).loop.leave()

    @precondition(lambda self: len(self.alive) > 1)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """The group hears nothing of a replica any more. It may be dead; or it may wake up and go on."""
        replica = self.alive.pop(data.draw(st.integers(0, len(self.alive) - 1)))
        self.broker.remove(replica.source)
        self.given_up.append(replica)

    @precondition(lambda self: self.given_up)
    @rule(data=st.data())
    def wake_up(self, data: st.DataObject) -> None:
        """It polls again, hears that it has lost everything, and takes part once more."""
        replica = self.given_up.pop(data.draw(st.integers(0, len(self.given_up) - 1)))
        self.alive.append(replica)
        replica.step()

    @rule(data=st.data(), count=st.sampled_from([1, 40]))
    def poll(self, data: st.DataObject, count: int) -> None:
        replica = data.draw(st.sampled_from(self.alive))
        for _ in range(count):
            replica.step()

    @rule(data=st.data(), count=st.sampled_from([1, 10]))
    def take(self, data: st.DataObject, count: int) -> None:
        replica = self.a_replica(data)
        for _ in range(count):
            replica.take()

    @rule(data=st.data(), ends_well=st.lists(st.booleans(), min_size=1, max_size=6))
    def finish(self, data: st.DataObject, ends_well: list[bool]) -> None:
        """Some of what is at work, in any order."""
        replica = self.a_replica(data)
        for well in ends_well[: len(replica.attempts)]:
            attempt = data.draw(st.sampled_from(replica.attempts))
            replica.settle(attempt, self.outcome(attempt, ends_well=well))

    @rule(data=st.data(), trouble=st.sampled_from(TROUBLES))
    def go_through(self, data: st.DataObject, trouble: Callable[[], Exception] | None) -> None:
        """All that a replica does with a record, up to the commit."""
        replica = data.draw(st.sampled_from(self.alive))
        for _ in range(20):
            replica.step()
            replica.take()
        for attempt in list(replica.attempts):
            replica.settle(attempt, self.outcome(attempt, ends_well=attempt.record.offset % 3 > 0))
        replica.publish(trouble() if trouble else None)

    def outcome(self, attempt: Attempt, *, ends_well: bool) -> Outcome:
        origin = attempt.retry_state
        if ends_well:
            value = b"%d %d" % (origin.partition, origin.offset)
            return Done(result=Message(topic="results", key=attempt.record.key, value=value))
        self.failure_policy.note_success()  # how many may fail in a row is not what this is about
        failure = Failure(error=StoreUnavailable("away"), attempt=attempt, stage="fetch", request_id=None)
        outcome = self.failure_policy.on(failure)
        assert outcome
        return outcome

    @rule(data=st.data())
    def take_offers(self, data: st.DataObject) -> None:
        self.a_replica(data).take_offers()

    @rule(data=st.data(), trouble=st.sampled_from(TROUBLES))
    def publish(self, data: st.DataObject, trouble: Callable[[], Exception] | None) -> None:
        self.a_replica(data).publish(trouble() if trouble else None)

    def outcomes(self) -> "Counter[tuple[int, int]]":
        """By the record that they are of; retries are none."""
        found: Counter[tuple[int, int]] = Counter()
        for message in self.broker.published:
            if message.topic == "results":
                partition, offset = (message.value or b"").split()
                found[int(partition), int(offset)] += 1
            elif message.topic == "letters":
                letter = CODEC.decode(DeadLetter, message.value)
                assert (letter.topic, letter.attempts) == (REQUESTS, 1 + len(RETRIES))
                found[letter.partition, letter.offset] += 1
        return found

    @invariant()
    def nothing_twice(self) -> None:
        found = self.outcomes()
        assert set(found) <= set(self.sent)
        assert set(found.values()) <= {1}, "an outcome was published twice"

    def teardown(self) -> None:
        """One that is left alone with all of it brings each record to its one outcome, and commits to the end."""
        for replica in [*self.alive, *self.given_up]:
            self.broker.remove(replica.source)
        last = Replica(self.broker)
        for _ in range(20 + 12 * len(self.sent)):
            last.step()
            last.take()
            for attempt in list(last.attempts):
                last.settle(attempt, self.outcome(attempt, ends_well=True))
            last.publish(None)
        for replica in self.given_up:  # too late: whatever they still hold comes to nothing
            replica.publish(None)
        self.nothing_twice()
        assert self.outcomes() == Counter(self.sent)
        assert self.broker.all_committed()
        self.patch.undo()
        self.logs.__exit__(None, None, None)


class TestGroup(Group.TestCase):
    """Whatever becomes of the replicas, each record has one result or one dead letter, and none is left."""

    settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
