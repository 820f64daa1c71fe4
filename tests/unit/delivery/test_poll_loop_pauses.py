"""When a partition is paused and resumed, and what is forgotten of one that goes."""

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.delivery.poll_loop import PollPolicy
from harness.fakes import FakeSource
from harness.poll_loop import REQUESTS, RETRY, LoopHarness

POLICY = PollPolicy(revoke_grace_s=0.0, pause_above=4, resume_below=2)


class Resumed(LoopHarness):
    """One that has read six records of one partition, and is told what is resumed."""

    def __init__(self) -> None:
        super().__init__(POLICY)
        self.resumed: list[TopicPartition] = []
        resume = self.source.resume

        def told(partitions: list[TopicPartition]) -> None:
            self.resumed.extend(partitions)
            resume(partitions)

        self.source.resume = told  # type: ignore[method-assign, assignment]
        for _ in range(6):
            self.broker.send(REQUESTS.topic, b"v")
        self.join()
        self.steps(10)


def test_a_partition_is_resumed_below_its_bound_and_not_at_it() -> None:
    """With as many records waiting as the bound says it stays paused; with one less it goes on."""
    harness = Resumed()
    assert harness.source.paused == {REQUESTS}
    while harness.dispatcher.queued()[REQUESTS] > POLICY.resume_below:
        harness.work()
    harness.steps(1)
    assert harness.source.paused == {REQUESTS}
    harness.work()
    harness.steps(1)
    assert (harness.source.paused, harness.resumed) == (set(), [REQUESTS])


def test_a_partition_is_paused_above_its_bound_and_once() -> None:
    """As many records as the bound says may wait; with one more it is paused, and is not paused again."""
    harness = LoopHarness(POLICY)
    paused: list[TopicPartition] = []
    pause = harness.source.pause

    def noted(partitions: list[TopicPartition]) -> None:
        paused.extend(partitions)
        pause(partitions)

    harness.source.pause = noted  # type: ignore[method-assign, assignment]
    harness.join()
    for _ in range(POLICY.pause_above):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.steps(10)
    assert (harness.dispatcher.queued()[REQUESTS], paused) == (POLICY.pause_above, [])
    harness.broker.send(REQUESTS.topic, b"v")
    harness.steps(5)
    assert paused == [REQUESTS]


def test_what_was_resumed_is_not_resumed_again() -> None:
    """A partition that is not paused is left alone: resuming it might rewind it."""
    harness = Resumed()
    while harness.dispatcher.queued()[REQUESTS]:
        harness.work()
    harness.steps(5)
    assert harness.resumed == [REQUESTS]


@pytest.mark.parametrize(("partitions", "stands_by"), [([], True), ([REQUESTS], False)])
def test_only_a_member_that_gets_nothing_stands_by(partitions: list[TopicPartition], stands_by: bool) -> None:
    """It is said of an assignment without partitions, and of no other."""
    harness = LoopHarness()
    with capture_logs() as logs:
        harness.loop.assigned(partitions)
    assert ("partitions.none" in [line["event"] for line in logs]) is stands_by


def test_a_refusal_is_forgotten_with_its_partition() -> None:
    """Of a partition that is another's by now nobody asks where to read it again."""
    harness = LoopHarness()
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work()
    harness.queue.refuse(harness.queue.pending(0)[0])
    harness.source.away = BrokerUnavailable("away")
    harness.steps(1)
    harness.source.away = None
    with capture_logs():
        harness.loop.lost([REQUESTS])
    asked: list[TopicPartition] = []
    committed = FakeSource.committed

    def noted(partitions: list[TopicPartition]) -> object:
        asked.extend(partitions)
        return committed(harness.source, partitions)

    harness.source.committed = noted  # type: ignore[method-assign, assignment]
    harness.steps(3)
    assert asked == []
    assert list(harness.assignments.partitions()) == [RETRY]
