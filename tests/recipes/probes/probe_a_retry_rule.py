"""The service that knows the tenants: tried again by its rule in place, then through the retry topics."""

import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.cancellation import Cancellation
from consumer.core.events import SeparationResult
from consumer.core.model import ObjectFacts, Stage
from consumer.pipeline.retry import RULES, Retrier
from harness.replica import CODEC, RETRIES, Flaky, Harness
from tests.unit.conftest import make

__all__ = ["make"]  # the fixture of a replica over fakes
ERROR: Any = pkgutil.resolve_name("consumer.core.errors:TenantsUnavailable")


class Sleepless(Cancellation):
    """A job whose waits are written down instead of waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)


def test_a_stage_is_tried_by_its_rule() -> None:
    """Six times in all, the waits growing up to the longest; each further try is counted by stage."""
    tries: list[int] = []
    counted: list[Stage] = []
    cancel = Sleepless()

    def step() -> None:
        tries.append(1)
        raise ERROR("away")

    with capture_logs(), pytest.raises(ERROR, match="away"):
        Retrier({}, on_retry=counted.append).run(Stage.VALIDATE, step, cancel)
    assert len(tries) == RULES[ERROR].attempts == 6
    assert counted == [Stage.VALIDATE] * 5
    assert all(0.1 <= wait_s <= 1.0 for wait_s in cancel.waits_s)
    assert cancel.waits_s[0] <= 0.2 < max(cancel.waits_s)


def test_what_outlasts_it_goes_through_the_retry_topics(
    make: Callable[..., Harness],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With two attempts in place, the third failure is past the first retry topic, and then the request is done."""
    left = [ERROR("away")] * 3
    stat = Flaky.stat

    def failing(self: Flaky, bucket: str, key: str, **rest: Any) -> ObjectFacts | None:
        if left:
            raise left.pop()
        return stat(self, bucket, key, **rest)

    monkeypatch.setattr(Flaky, "stat", failing)
    harness = make()
    harness.send()
    harness.start()
    retried, done = harness.outcomes()
    assert retried.topic == RETRIES[0]
    assert CODEC.decode(SeparationResult, done.value).attempt == 2
