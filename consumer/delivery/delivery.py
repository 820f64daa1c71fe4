"""The parts of delivery, put together: what polls, what hands out, what commits."""

from collections.abc import Callable
from dataclasses import dataclass, field

from consumer.core.ports import Outbox, Source
from consumer.delivery.assignment import PendingCommit
from consumer.delivery.assignments import MAX_PENDING_OUTCOMES, Assignments
from consumer.delivery.commit_queue import CommitQueue
from consumer.delivery.committer import RETRY_S, Committer
from consumer.delivery.dispatcher import MAX_UNCOMMITTED, Dispatcher
from consumer.delivery.guarded_source import GuardedSource
from consumer.delivery.poll_loop import PollLoop, PollPolicy, Subscription
from consumer.delivery.reading_counter import ReadingCounter
from consumer.delivery.start_counter import StartCounter


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """max_uncommitted: records a partition that may be handed out before the first of them is committed.
    max_pending_outcomes: outcomes of one partition in one transaction.
    commit_retry_s: seconds until a broker that is away is asked again.
    """

    poll: PollPolicy = field(default_factory=PollPolicy)
    max_uncommitted: int = MAX_UNCOMMITTED
    max_pending_outcomes: int = MAX_PENDING_OUTCOMES
    commit_retry_s: float = RETRY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One replica's. Poll loop and committer are a thread each; what they share lies behind the assignments' lock."""

    assignments: Assignments
    dispatcher: Dispatcher
    commit_queue: CommitQueue
    start_counter: StartCounter
    reading_counter: ReadingCounter
    poll_loop: PollLoop
    committer: Committer


def make_delivery(
    source: Source,
    outbox: Outbox,
    subscription: Subscription,
    on_committed: Callable[[PendingCommit], None],
    *,
    policy: DeliveryPolicy,
    assignments: Assignments | None = None,
) -> Delivery:
    """on_committed: told of each commit of outcomes, once. assignments: instead of new ones by the policy."""
    assignments = assignments or Assignments(max_pending_outcomes=policy.max_pending_outcomes)
    dispatcher = Dispatcher(assignments, source.membership, max_uncommitted=policy.max_uncommitted)
    commit_queue = CommitQueue(assignments)
    start_counter, reading_counter = StartCounter(assignments), ReadingCounter(assignments)
    guarded = GuardedSource(source, assignments, reading_counter, subscription.try_out)

    def on_stop() -> None:
        start_counter.stop()
        reading_counter.stop()

    return Delivery(
        assignments=assignments,
        dispatcher=dispatcher,
        commit_queue=commit_queue,
        start_counter=start_counter,
        reading_counter=reading_counter,
        poll_loop=PollLoop(guarded, assignments, dispatcher, subscription, policy.poll, on_stop),
        committer=Committer(commit_queue, outbox, source, on_committed, retry_s=policy.commit_retry_s),
    )
