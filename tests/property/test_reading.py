"""Records that kill whoever reads them, among sound ones: each has one outcome, and none that is sound is given up.

Poll loop, guard, dispatcher and committer are the product's own. Kafka is the one in memory, whose client fetches some
records ahead of what it hands out, and what dies is an exception.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from consumer.core.model import Done, Message, Record, TopicPartition
from consumer.core.ports import EndOfPartition
from consumer.delivery.assignment import Attempt
from consumer.delivery.assignments import Assignments
from consumer.delivery.delivery import DeliveryPolicy, make_delivery
from consumer.delivery.poll_loop import PollPolicy, Subscription
from consumer.delivery.reading import MAX_DEATHS
from consumer.testing.broker import MemoryBroker
from consumer.testing.outbox import MemoryOutbox
from consumer.testing.source import MemorySource
from harness.clock import ManualClock
from harness.delivery import UNTRACED

TOPIC, PARTITIONS = "requests", 2
SOUND, UNPACKS, DECODES = b"sound", b"kills who unpacks it", b"kills who decodes it"
FETCHED = 4  # records of a partition that the client unpacks at once


class Died(BaseException):
    """The process of a replica ended."""


def decode(value: bytes | None) -> None:
    if value == DECODES:
        raise Died


class FetchingSource(MemorySource):
    """As librdkafka: what lies behind a position is unpacked some records ahead, each partition at once."""

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        event = super().poll(timeout_s)
        for place in set(self.positions) - self.paused:
            begins = self.positions[place] - (isinstance(event, Record) and event.topic_partition == place)
            if any(record.value == UNPACKS for record in self.broker.log[place][max(0, begins) :][:FETCHED]):
                raise Died
        return event

    def read_one(self, partition: TopicPartition, offset: int, timeout_s: float) -> Record | EndOfPartition | None:
        event = super().read_one(partition, offset, timeout_s)
        if isinstance(event, Record) and event.value == UNPACKS:
            raise Died
        return event


def waits_for_nothing(changed: threading.Condition, condition: Callable[[], object], timeout_s: float) -> object:
    """In one thread nothing would come of it."""
    return condition()


class Replica:
    """One as the product wires its delivery; it polls, works and commits when it is told to."""

    def __init__(self, broker: MemoryBroker, clock: ManualClock) -> None:
        self.broker, self.clock, self.attempts = broker, clock, list[Attempt]()
        self.source, self.outbox = FetchingSource(broker), MemoryOutbox(broker)
        delivery = make_delivery(
            self.source,
            self.outbox,
            Subscription(
                topics=[TOPIC], retry_topics=[], max_retry_delay_s=0.0, try_out=lambda record: decode(record.value)
            ),
            lambda pending: None,
            policy=DeliveryPolicy(poll=PollPolicy(revoke_grace_s=0.0)),
            assignments=Assignments(clock=clock, wait=waits_for_nothing),
        )
        self.loop, self.dispatcher, self.queue = delivery.poll_loop, delivery.dispatcher, delivery.commit_queue
        self.on_stop = self.loop._on_stop
        self.source.subscribe([TOPIC], self.loop._source)  # type: ignore[arg-type]
        self.loop._source._listener = self.loop  # type: ignore[attr-defined]

    def step(self) -> None:
        self.clock.advance(0.1)
        self.loop.step(0.0)

    def take(self) -> None:
        if attempt := self.dispatcher.next(0.0):
            if not attempt.record.reader_deaths:
                decode(attempt.record.value)
            self.attempts.append(attempt)

    def finish(self, attempt: Attempt) -> None:
        self.attempts.remove(attempt)
        record = attempt.record
        value = b"%d %d" % (record.partition, record.offset)
        topic = "letters" if record.reader_deaths else "results"
        self.dispatcher.complete(attempt, Done(result=Message(topic=topic, key=None, value=value)), UNTRACED)

    def publish(self) -> None:
        if pending := self.queue.pending(0.0):
            self.outbox.publish([each.commit for each in pending])
            for each in pending:
                self.queue.confirm(each)


@dataclass(frozen=True)
class Place:
    partition: int
    offset: int


class Readers(RuleBasedStateMachine):
    """One replica at a time. It dies of what it reads, once of something else at any moment, or is stopped in order."""

    @initialize(
        values=st.lists(
            st.tuples(st.integers(0, PARTITIONS - 1), st.sampled_from([SOUND, SOUND, SOUND, UNPACKS, DECODES])),
            max_size=12,
        )
    )
    def begin(self, values: list[tuple[int, bytes]]) -> None:
        self.logs = capture_logs()
        self.logs.__enter__()
        self.broker, self.clock = MemoryBroker(TOPIC, partitions=PARTITIONS), ManualClock()
        self.sent: dict[Place, bytes] = {}
        self.deaths = self.kills = 0
        for partition, value in values:
            self.send(partition, value)
        self.replica = Replica(self.broker, self.clock)

    @rule(partition=st.integers(0, PARTITIONS - 1), value=st.sampled_from([SOUND, SOUND, UNPACKS, DECODES]))
    def send(self, partition: int, value: bytes) -> None:
        self.sent[Place(partition, self.broker.send(TOPIC, value, partition=partition))] = value

    def replace(self) -> None:
        self.broker.remove(self.replica.source)
        self.replica = Replica(self.broker, self.clock)

    def live(self, *steps: Callable[[], object]) -> None:
        """Some steps, or up to its death; what died is started again."""
        try:
            for step in steps:
                step()
        except Died:
            self.deaths += 1
            self.replace()

    @rule(count=st.sampled_from([1, 10]))
    def poll(self, count: int) -> None:
        self.live(*[self.replica.step] * count)

    @rule()
    def take(self) -> None:
        self.live(self.replica.take)

    @precondition(lambda self: self.replica.attempts)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self.replica.finish(data.draw(st.sampled_from(self.replica.attempts)))

    @rule()
    def publish(self) -> None:
        self.replica.publish()

    @rule(count=st.sampled_from([1, 5]))
    def go_through(self, count: int) -> None:
        self.live(*[self.all_of_it] * count)

    def all_of_it(self) -> None:
        replica = self.replica
        replica.step()
        replica.publish()
        replica.take()
        for attempt in list(replica.attempts):
            replica.finish(attempt)
        replica.publish()

    @precondition(lambda self: self.kills == 0)
    @rule()
    def kill(self) -> None:
        self.kills += 1
        self.replace()

    @rule()
    def stop(self) -> None:
        """In good order: what is begun is taken back, and that is committed."""
        self.replica.on_stop()
        self.replica.publish()
        self.replace()

    def outcomes(self, topic: str) -> "Counter[Place]":
        published = [message for message in self.broker.published if message.topic == topic]
        return Counter(Place(*map(int, (message.value or b"").split())) for message in published)

    @invariant()
    def only_what_kills_is_given_up(self) -> None:
        letters, results = self.outcomes("letters"), self.outcomes("results")
        assert {self.sent[place] for place in letters} <= {UNPACKS, DECODES}
        assert {self.sent[place] for place in results} <= {SOUND}
        assert set((letters + results).values()) <= {1}, "an outcome was published twice"

    def teardown(self) -> None:
        """Left alone, everything has its outcome, and all deaths together were few."""
        killers = sum(value != SOUND for value in self.sent.values())
        before = self.deaths
        for _ in range(200 + 200 * len(self.sent)):
            self.live(self.all_of_it)
            if self.broker.all_committed() and not self.replica.attempts:
                break
        self.only_what_kills_is_given_up()
        assert Counter(self.sent.keys()) == self.outcomes("letters") + self.outcomes("results")
        # One that nobody counted, one that was charged to all that was about to be read, and those that were its own.
        assert self.deaths - before <= (MAX_DEATHS + 2) * killers
        self.clock.advance(60.0)
        self.live(*[self.all_of_it] * 20)
        assert {position.offset_metadata for position in self.broker.committed.values()} <= {"", '{"log": "1"}'}
        self.logs.__exit__(None, None, None)


class TestReaders(Readers.TestCase):  # type: ignore[valid-type, misc] # it is made for each machine
    """Whatever kills whom, each record has one result or one dead letter, and only killers are given up."""

    settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
