"""Loop, dispatcher, offsets, committer and retry topics together, in several replicas that come, go, die and come back.

All of it is the product's own but Kafka, which is the one in memory, and time: nothing here waits.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from consumer.adapters.avro.codec import AvroCodec
from consumer.app.wiring import Policies, make_replica
from consumer.core.errors import BrokerUnavailable, ProducerFenced, StoreUnavailable
from consumer.core.events import DeadLetter
from consumer.core.model import Abandoned, Done, Message, Outcome, Stage
from consumer.core.ports import Commit
from consumer.delivery.assignment import Attempt, PendingCommit
from consumer.delivery.assignments import Assignments
from consumer.delivery.delivery import DeliveryPolicy
from consumer.delivery.poll_loop import PollPolicy
from consumer.pipeline.failure_policy import Failure, FailurePolicy
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.testing.broker import MemoryBroker
from consumer.testing.outbox import MemoryOutbox
from consumer.testing.replica import memory_adapters
from consumer.testing.source import MemorySource
from consumer.testing.store import MemoryStore
from harness.delivery import UNTRACED
from harness.replica import harness_settings

REQUESTS, RETRIES = "requests", ["requests.retry-1", "requests.retry-2"]
PARTITIONS = 3
CODEC = AvroCodec()
SETTINGS = harness_settings(Path("nowhere"))  # nothing is fetched
# What a transaction may meet: nothing, or a trouble, of which nobody knows whether it came before or after the commit.
TROUBLES: list[Callable[[], Exception] | None] = [
    None,
    None,
    lambda: BrokerUnavailable("away"),
    lambda: ProducerFenced("before"),
    lambda: ProducerFenced("after"),
]


class Outbox(MemoryOutbox):
    trouble: Exception | None = None

    def publish(self, commits: Sequence[Commit]) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble is None or str(trouble) == "after":
            super().publish(commits)
        if trouble is not None:
            raise trouble


def waits_for_nothing(changed: threading.Condition, condition: Callable[[], object], timeout_s: float) -> object:
    """In one thread nothing would come of it."""
    return condition()


class Replica:
    """One as the product wires it, on the group's broker; it polls, works and commits when it is told to."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.attempts: list[Attempt] = []
        self.taken: Sequence[PendingCommit] = []  # by a committer that is slow
        self.source, self.outbox = MemorySource(broker), Outbox(broker)
        adapters = memory_adapters(source=self.source, outbox=self.outbox, store=MemoryStore(), separators=[])
        policies = Policies(
            delivery=DeliveryPolicy(poll=PollPolicy(revoke_grace_s=0.0), commit_retry_s=0.0),
            assignments=Assignments(wait=waits_for_nothing),
        )
        delivery = make_replica(SETTINGS, adapters, policies).parts.delivery
        self.dispatcher, self.loop, self.committer = delivery.dispatcher, delivery.poll_loop, delivery.committer
        self.queue = delivery.commit_queue
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
        self.dispatcher.complete(attempt, outcome, UNTRACED)

    def take_pending(self) -> None:
        self.taken = self.taken or self.queue.pending(0)

    def publish(self, trouble: Exception | None) -> None:
        pending, self.taken = self.taken or self.queue.pending(0), []
        if pending:
            self.outbox.trouble = trouble
            self.committer.publish(pending)
            self.outbox.trouble = None


class Group(RuleBasedStateMachine):
    """Up to three replicas that poll, and those that were given up by the group while they were still at work."""

    @initialize(is_classic=st.booleans())
    def begin(self, is_classic: bool) -> None:
        self.logs = capture_logs()
        self.logs.__enter__()
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
        self.failure_policy.record_success()  # how many may fail in a row is not what this is about
        failure = Failure(
            error=StoreUnavailable("away"), attempt=attempt, stage=Stage.FETCH, request_id=None, content=b""
        )
        outcome = self.failure_policy.on(failure)
        assert not isinstance(outcome, Abandoned)
        return outcome

    @rule(data=st.data())
    def take_pending(self, data: st.DataObject) -> None:
        self.a_replica(data).take_pending()

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
        self.logs.__exit__(None, None, None)


class TestGroup(Group.TestCase):  # type: ignore[valid-type, misc] # it is made for each machine
    """Whatever becomes of the replicas, each record has one result or one dead letter, and none is left."""

    settings = settings(stateful_step_count=60)
