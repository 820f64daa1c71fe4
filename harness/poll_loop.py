"""A poll loop that goes step by step, over a source in memory."""

from typing import Any

from structlog.testing import capture_logs

from consumer.core.model import Done, Message, TopicPartition
from consumer.delivery.assignments import Assignments
from consumer.delivery.commit_queue import CommitQueue
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.poll_loop import PollLoop, PollPolicy, Subscription
from harness.delivery import UNTRACED
from harness.fakes import FakeBroker, FakeOutbox, FakeSource

REQUESTS, RETRY = TopicPartition("requests", 0), TopicPartition("requests.retry-1", 0)
DONE = Done(result=Message(topic="results", key=None, value=b"v"))


POLICY = PollPolicy(revoke_grace_s=0.0)


class LoopHarness:
    """A loop over a source with one partition each of requests and their retry topic."""

    def __init__(self, policy: PollPolicy = POLICY, assignments: Assignments | None = None) -> None:
        self.broker = FakeBroker(REQUESTS.topic, RETRY.topic)
        self.source = FakeSource(self.broker)
        self.assignments = assignments or Assignments()
        self.dispatcher = Dispatcher(self.assignments, self.source.membership)
        self.queue = CommitQueue(self.assignments)
        self.outbox = FakeOutbox(self.broker)
        subscription = Subscription(topics=[REQUESTS.topic], retry_topics=[RETRY.topic], max_retry_delay_s=60.0)
        self.loop = PollLoop(self.source, self.assignments, self.dispatcher, subscription, policy)

    def join(self) -> None:
        self.source.subscribe([REQUESTS.topic, RETRY.topic], self.loop)

    def steps(self, count: int = 4) -> None:
        with capture_logs():
            for _ in range(count):
                self.loop.step(0)

    def work(self) -> Any:
        attempt = self.dispatcher.next(0)
        assert attempt
        self.dispatcher.complete(attempt, DONE, UNTRACED)
        return attempt

    def publish(self) -> None:
        for pending in self.queue.pending(0):
            self.outbox.publish([pending.commit])
            self.queue.confirm(pending)
