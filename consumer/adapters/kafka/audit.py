"""The audit log by an idempotent producer, which a thread of its own feeds and polls."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.retrying import MISSING, reason_of
from consumer.core.errors import AuditUnavailable, ConsumerError
from consumer.core.events import AuditEvent
from consumer.core.ports import Codec
from consumer.settings import KafkaSettings

_POLL_S = 0.02  # while something is on its way
_RETRY_S = 1.0
_SLOW_S = 5.0  # an event that is on its way for longer tells that the topic is not well
_CLOSE_S = 5.0
_FULL = 0.9  # of the room; the rest is for events of what was begun before


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """What becomes of events that the topic does not take.

    is_required: they are kept and tried for ever, and nothing may be done meanwhile. Else they are lost after
    `give_up_s` seconds. capacity: events that wait, or are on their way, at once.
    """

    is_required: bool
    capacity: int = 10_000
    give_up_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """recorded_at: on the monotonic clock."""

    event: AuditEvent
    recorded_at: float


class KafkaAuditLog:
    """See ports.AuditLog. Nothing is started before the first event.

    log: told of each event that is recorded. on_lost: told of how many were given up.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        codec: Codec,
        policy: AuditPolicy,
        *,
        log: Callable[[AuditEvent], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._settings, self._topic, self._codec, self._policy = settings, topic, codec, policy
        self._log, self._on_lost = log, on_lost
        self._errors = ConnectionErrors()
        self._changed = threading.Condition()
        self._outstanding: dict[int, _Entry] = {}  # by number, in the order in which they were recorded
        self._waiting: deque[int] = deque()  # those of them that are not on their way
        self._number, self._due = 0, 0.0
        self._trouble = ""
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._kept: KeptClient[Producer] | None = None

    @property
    def trouble(self) -> str:
        """Why events are not taken, as the latest of them met it; "" once one was taken again."""
        return self._trouble

    def check(self) -> None:
        if not self._policy.is_required:
            return
        with self._changed:
            oldest = next(iter(self._outstanding.values()), None)
            is_full = len(self._outstanding) >= self._policy.capacity * _FULL
        is_slow = oldest is not None and time.monotonic() - oldest.recorded_at > _SLOW_S
        if self._trouble or is_slow or is_full:
            raise self._unavailable(self._trouble or self._errors.reason or "events wait to be written")

    def probe(self, timeout_s: float) -> None:
        """Ask the brokers for the topic, and wait for their answer.

        Raises AuditUnavailable where events have to be written and there is no such topic, or no broker that answers.
        Whether it may be written to is only seen by writing.
        """
        if not self._policy.is_required:
            return
        producer = self._connected()

        def ask(slice_s: float) -> None:
            found = producer.list_topics(self._topic, slice_s).topics[self._topic]
            if found.error and found.error.code() in MISSING:
                raise self._unavailable("it is missing: `topics create` makes it")
            if found.error:
                raise KafkaException(found.error)

        try:
            self._errors.patiently(producer, ask, timeout_s)
        except KafkaException as error:
            self._look_at(error.args[0])
            raise self._unavailable(self._errors.explain(error)) from error

    def record(self, event: AuditEvent) -> None:
        with self._changed:
            if self._is_closed or len(self._outstanding) >= self._policy.capacity:
                if self._policy.is_required:
                    raise self._unavailable(self._trouble or "too many events wait to be written")
                is_taken = False
            else:
                is_taken = True
                self._number += 1
                self._outstanding[self._number] = _Entry(event=event, recorded_at=time.monotonic())
                self._waiting.append(self._number)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, daemon=True, name="audit")
                    self._thread.start()
                self._changed.notify_all()
        self._log(event)
        if not is_taken:
            self._on_lost(1)

    def flush(self, timeout_s: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: not self._outstanding, timeout_s)
            return len(self._outstanding)

    def close(self) -> None:
        self.flush(_CLOSE_S)
        with self._changed:
            self._is_closed = True
            left = len(self._outstanding)
            self._outstanding.clear()
            self._waiting.clear()
            self._changed.notify_all()
        if left:
            self._on_lost(left)
        if self._thread:
            self._thread.join(_CLOSE_S)

    # --- the thread ---

    def _run(self) -> None:
        while not self._is_closed:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_closed or self._sendable(), _POLL_S if self._outstanding else _RETRY_S
                )
                numbers = list(self._waiting) if self._sendable() else []
                self._waiting = deque() if numbers else self._waiting
            for number in numbers:
                self._send(number)
            if self._kept:
                self._kept.latest.poll(0)

    def _sendable(self) -> bool:
        return bool(self._waiting) and time.monotonic() >= self._due

    def _send(self, number: int) -> None:
        entry = self._outstanding.get(number)
        if entry is None:
            return
        event = entry.event
        try:
            key = None if event.request_id is None else event.request_id.encode()
            self._connected().produce(
                self._topic,
                self._codec.encode(event),
                key,
                on_delivery=lambda error, _: self._delivered(number, error),
            )
        except BufferError:
            self._refused(number, "more events wait than the client holds")
        except KafkaException as error:
            self._delivered(number, error.args[0])
        except ConsumerError as error:  # the schema registry is away, or a property is refused
            self._refused(number, str(error))
        except Exception as error:  # noqa: BLE001 - one event that can't be encoded must not end all others
            self._lose(number, f"an event can't be encoded ({type(error).__name__})")

    def _connected(self) -> Producer:
        with self._changed:  # a probe may come from another thread
            self._kept = self._kept or KeptClient(self._connect)
            return self._kept.now()

    def _connect(self) -> Producer:
        config = producer_config(self._settings) | {
            "enable.idempotence": True,
            "delivery.report.only.error": False,
            "message.timeout.ms": 10_000,
            "topic.metadata.propagation.max.ms": 2_000,
            "error_cb": self._errors,
        }
        return connect(Producer, config, "audit")

    def _delivered(self, number: int, error: KafkaError | None) -> None:
        if error is None:
            with self._changed:
                self._trouble = ""
                self._outstanding.pop(number, None)
                self._changed.notify_all()
            return
        self._look_at(error)
        self._refused(number, self._errors.explain(reason_of(KafkaException(error))))

    def _look_at(self, error: KafkaError) -> None:
        """Of what a producer had that is exchanged nobody will tell."""
        assert self._kept
        if self._kept.note(error):
            with self._changed:
                self._waiting = deque(self._outstanding)

    def _refused(self, number: int, reason: str) -> None:
        now = time.monotonic()
        with self._changed:
            self._trouble, self._due = reason, now + _RETRY_S
            entry = self._outstanding.get(number)
            if entry is None:
                return
            is_kept = self._policy.is_required or now - entry.recorded_at < self._policy.give_up_s
            if is_kept and number not in self._waiting:
                self._waiting.append(number)
        if not is_kept:
            self._lose(number, reason)

    def _lose(self, number: int, reason: str) -> None:
        with self._changed:
            self._trouble = reason
            was_there = self._outstanding.pop(number, None) is not None
            self._changed.notify_all()
        if was_there:
            self._on_lost(1)

    def _unavailable(self, reason: str) -> AuditUnavailable:
        return AuditUnavailable(f"topic {self._topic}: {reason}")
