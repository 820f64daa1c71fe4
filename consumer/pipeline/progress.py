"""Tells the progress topic how far jobs are: best effort, at most once a second a job."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from consumer.core.errors import RegistryUnavailable
from consumer.core.events import SeparationProgress
from consumer.core.model import Message, Stage
from consumer.core.ports import Codec, Notices, OnProgress

INTERVAL_S = 1.0


class ProgressReporter:
    def __init__(self, notices: Notices, codec: Codec, *, topic: str, instance_id: str) -> None:
        self._notices, self._codec = notices, codec
        self._topic, self._instance_id = topic, instance_id

    def reporter(self, request_id: str, attempt: int, clock: Callable[[], float] = time.monotonic) -> OnProgress:
        """What to call with a job's segments done and expected."""
        last = -INTERVAL_S

        def report(done: int, total: int | None) -> None:
            nonlocal last
            now = clock()
            if now - last < INTERVAL_S:
                return
            last = now
            event = SeparationProgress(
                request_id=request_id,
                stage=Stage.SEPARATE,
                segments_done=done,
                segments_total=total,
                attempt=attempt,
                instance_id=self._instance_id,
                at=datetime.now(UTC),
            )
            try:
                value = self._codec.encode(event)
            except RegistryUnavailable:
                return
            self._notices.send(Message(topic=self._topic, key=request_id.encode(), value=value))

        return report
