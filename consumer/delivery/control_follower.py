"""Follows the control topic in a thread of its own; nothing that happens there can hold up or stop the replica."""

import threading
from datetime import UTC, datetime

import structlog

from consumer.core.errors import BrokerUnavailable, RegistryUnavailable, Rejected
from consumer.core.events import REQUEST_ID
from consumer.core.log_events import LogEvent
from consumer.core.model import Record
from consumer.core.ports import Codec, ControlFeed
from consumer.delivery.cancel_registry import CancelRegistry

_POLL_S = 0.5
RETRY_S = 1.0


class ControlFollower:
    """Every replica follows all of the topic: only the one that has the request knows that it does.

    retry_s: how long it waits between two attempts while something is wrong.
    """

    def __init__(
        self, feed: ControlFeed, codec: Codec, cancel_registry: CancelRegistry, *, retry_s: float = RETRY_S
    ) -> None:
        self._feed, self._codec, self._cancel_registry = feed, codec, cancel_registry
        self._retry_s = retry_s
        self._stopped, self._caught_up = threading.Event(), threading.Event()
        self._trouble = ""
        self._log = structlog.get_logger()
        self._thread = threading.Thread(target=self._run, daemon=True, name="control")

    def start(self) -> None:
        self._thread.start()

    def wait_caught_up(self, timeout_s: float) -> bool:
        """Whether what was said before we started is known by now."""
        return self._caught_up.wait(timeout_s)

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident:
            self._thread.join(2 * _POLL_S)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                record = self._feed.poll(_POLL_S)
                if record is not None:
                    self._follow(record)
                elif self._feed.is_caught_up:
                    self._caught_up.set()
                self._trouble = ""
            except BrokerUnavailable as away:
                self._complain(str(away))
            except Exception as error:  # noqa: BLE001 - jobs matter more than their cancellation
                self._complain(f"{type(error).__name__}: {error}")

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._log.warning(LogEvent.CONTROL_UNAVAILABLE, reason=trouble)
        self._trouble = trouble
        self._stopped.wait(self._retry_s)

    def _follow(self, record: Record) -> None:
        log = self._log.bind(topic=record.topic, partition=record.partition, offset=record.offset)
        while not self._stopped.is_set():
            try:
                event = self._codec.decode_control(record.value)
                break
            except RegistryUnavailable as away:
                self._complain(str(away))
            except Rejected as rejected:
                log.warning(LogEvent.CONTROL_IGNORED, code=rejected.code, reason=rejected.message)
                return
        else:
            return
        if event.action != "cancel" or not REQUEST_ID.fullmatch(event.request_id):
            log.warning(LogEvent.CONTROL_IGNORED, reason="not the cancellation of a request")
            return
        heard_at = record.timestamp or datetime.now(UTC)
        was_at_work = self._cancel_registry.register(event.request_id, event.reason, heard_at)
        log.info(LogEvent.CONTROL_CANCELLED, request_id=event.request_id, was_at_work=was_at_work)
