"""One endpoint's thread: reads its group's records, has them delivered, and commits what was."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

import structlog
from confluent_kafka import Message

from consumer.adapters.kafka.endpoint_group import EndpointGroup, GroupListener
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import ConsumerError
from consumer.core.log_events import LogEvent
from consumer.core.model import TopicPartition
from consumer.core.ports import EndOfPartition
from consumer.webhooks.deliveries import Deliveries, Delivery
from consumer.webhooks.endpoints import Endpoint
from consumer.webhooks.notices import NoticeMaker
from consumer.webhooks.policy import RetryPolicy
from consumer.webhooks.sending import Attempt, Outcome, Sender
from consumer.webhooks.window import mark_of

MOST_AT_ONCE = 4
"""Attempts under way to one endpoint."""
_POLL_S = 0.1
_MOST_A_TURN = 200  # records, between two looks at what else is to be done
_COMMIT_EVERY_S = 1.0
_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every worker uses. group: makes a member of an endpoint's group. count: an attempt's outcome."""

    group: Callable[[str, GroupListener], EndpointGroup]
    notices: Callable[[], NoticeMaker]
    sender: Sender
    policy: RetryPolicy
    count: Callable[[Outcome], None]
    clock: Clock = SYSTEM_CLOCK


class EndpointWorker:
    """From `start` to `stop`. What it can't do now it does later; an endpoint that said 410 waits to be changed.

    trouble: why it reads nothing, "" where it does. oldest_ms: see Deliveries.
    """

    def __init__(self, endpoint: Endpoint, tools: Tools) -> None:
        self._endpoint, self._tools = endpoint, tools
        self._notices = tools.notices()
        self._gone_digest = ""
        self._is_stopping = threading.Event()
        self._grace_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"webhooks {endpoint.id}", daemon=True)
        self._log = structlog.get_logger().bind(endpoint=endpoint.id)
        self.trouble = "it has not begun yet"
        self.oldest_ms: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def is_ended(self) -> bool:
        """Whether the endpoint, as it is configured now, said that it is gone."""
        return self._gone_digest == self._endpoint.digest

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def replace(self, endpoint: Endpoint) -> None:
        """From now on the endpoint of this id is this one: the next attempt goes there, with its secrets."""
        self._endpoint = endpoint

    def stop(self, grace_s: float) -> None:
        """Begin nothing more; what is under way may take so many seconds. `join` waits for the end."""
        self._grace_s = grace_s
        self._is_stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, for so long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            if self.is_ended:
                self._is_stopping.wait(_POLL_S)
                continue
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001 - told by `trouble` and the log, and begun anew
                self.trouble = f"{error or type(error).__name__}"
                self._log.warning(LogEvent.ENDPOINT_TROUBLE, reason=self.trouble, exc_info=_unless_ours(error))
                self._is_stopping.wait(_AGAIN_S)

    def _serve(self) -> None:
        """Until it is stopped, or the endpoint is gone, or something raises."""
        tools = self._tools
        deliveries = Deliveries(tools.policy, tools.clock)
        group = tools.group(self._endpoint.id, deliveries)
        session = _Session(group, deliveries)
        try:
            if self._was_gone(group):
                return
            while not self._is_stopping.is_set() and not self.is_ended:
                self._turn(session)
        finally:
            self.oldest_ms = None
            self._settle_last(session)
            group.close()

    def _was_gone(self, group: EndpointGroup) -> bool:
        """Whether an earlier process, or another one, has heard that the endpoint is gone, and it is still the same."""
        marks = (mark_of(found.offset, found.offset_metadata) for found in group.begins.values() if found)
        if all(mark.gone != self._endpoint.digest for mark in marks):
            return False
        self._end(self._endpoint)
        return True

    def _end(self, endpoint: Endpoint) -> None:
        self._gone_digest = endpoint.digest
        self.trouble = ""
        self._log.warning(LogEvent.ENDPOINT_GONE)

    def _turn(self, session: "_Session") -> None:
        deliveries, group = session.deliveries, session.group
        timeout_s = _POLL_S
        for _ in range(_MOST_A_TURN):
            found = group.poll(timeout_s)
            if found is None:
                break
            self._take(session, found)
            timeout_s = 0.0
        self.trouble = group.trouble
        for attempt in [each for each in session.under_way if each.done()]:
            self._settle(session, *session.under_way.pop(attempt), attempt.result())
        self._begin(session)
        session.resume()
        self.oldest_ms = deliveries.oldest_ms
        if self._tools.clock.monotonic() - session.committed_at_s >= _COMMIT_EVERY_S:
            session.committed_at_s = self._tools.clock.monotonic()
            deliveries.not_committed(group.take_refused())
            if positions := deliveries.positions():
                group.commit(positions)

    def _take(self, session: "_Session", found: Message | EndOfPartition) -> None:
        if isinstance(found, EndOfPartition):
            session.deliveries.reached_end(found.topic_partition, found.offset)
            return
        place = TopicPartition(found.topic() or "", found.partition() or 0)
        notice = self._notices.notice(found)
        mine = notice if notice and notice.tenant == self._endpoint.tenant else None
        session.deliveries.read(place, found.offset() or 0, mine, created_ms=max(0, found.timestamp()[1]))
        if session.deliveries.is_full(place):
            session.pause(place)

    def _begin(self, session: "_Session") -> None:
        endpoint = self._endpoint
        for delivery in session.deliveries.begin(MOST_AT_ONCE - len(session.under_way)):
            if delivery.notice.tenant != endpoint.tenant:  # the endpoint is another tenant's now
                session.deliveries.drop(delivery)
                continue
            session.under_way[self._tools.sender.send(endpoint, delivery.notice)] = delivery, endpoint

    def _settle(self, session: "_Session", delivery: Delivery, endpoint: Endpoint, attempt: Attempt) -> None:
        outcome = session.deliveries.settle(delivery, attempt)
        self._tools.count(attempt.outcome)
        tell = partial(self._log.info, webhook_id=delivery.notice.webhook_id, attempts=delivery.attempts)
        if outcome is Outcome.DELIVERED:
            tell(LogEvent.WEBHOOK_DELIVERED)
        elif outcome is Outcome.GONE:
            if endpoint.digest == self._endpoint.digest:  # another one since then is tried anew
                session.deliveries.end(delivery, endpoint.digest)
                self._end(endpoint)
        elif outcome is Outcome.GIVEN_UP:
            self._tools.count(outcome)
            self._log.error(
                LogEvent.WEBHOOK_GIVEN_UP,
                webhook_id=delivery.notice.webhook_id,
                attempts=delivery.attempts,
                reason=attempt.reason,
            )
        else:
            tell(LogEvent.WEBHOOK_FAILED, reason=attempt.reason)

    def _settle_last(self, session: "_Session") -> None:
        """What is under way may end; then what is known is committed, so that little is delivered again."""
        wait(session.under_way, timeout=self._grace_s)
        for attempt, (delivery, endpoint) in list(session.under_way.items()):
            if attempt.done() and not attempt.cancelled():
                self._settle(session, delivery, endpoint, attempt.result())
        session.group.commit_now(session.deliveries.positions())


class _Session:
    """One membership in the group, and what is under way in it."""

    def __init__(self, group: EndpointGroup, deliveries: Deliveries) -> None:
        self.group, self.deliveries = group, deliveries
        self.under_way: dict[Future[Attempt], tuple[Delivery, Endpoint]] = {}
        self.committed_at_s = float("-inf")
        self._full: set[TopicPartition] = set()

    def pause(self, place: TopicPartition) -> None:
        self.group.pause(place)
        self._full.add(place)

    def resume(self) -> None:
        """Read on where there is room again."""
        for place in [each for each in self._full if not self.deliveries.is_full(each)]:
            self.group.resume(place)
            self._full.discard(place)


def _unless_ours(error: Exception) -> Exception | None:
    """What nobody foresaw has its traceback in the log."""
    return None if isinstance(error, ConsumerError) else error
