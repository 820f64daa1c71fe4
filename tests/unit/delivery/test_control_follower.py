"""The follower of the control topic, over a topic of this process's own."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.cancellation import Cancellation
from consumer.core.errors import BrokerUnavailable, Cancelled, RegistryUnavailable
from consumer.core.events import SeparationControl, SeparationRequest, SourceObject
from consumer.core.model import Record
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.delivery.control_follower import ControlFollower
from harness.clock import ManualClock
from harness.fakes import NOON, FakeRegistry, a_record
from harness.feed import FakeFeed

CODEC = AvroCodec()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with capture_logs() as logs:
        yield logs


def a_control(request_id: str = "r", *, value: bytes | None = None, codec: AvroCodec = CODEC, **fields: Any) -> Record:
    value = value or codec.encode(SeparationControl(request_id=request_id, **fields))
    return a_record(topic="separation.control", key=request_id.encode(), value=value, timestamp=NOON)


def follow(*records: Record | Exception, codec: AvroCodec = CODEC) -> CancelRegistry:
    """All of that was read."""
    cancel_registry = CancelRegistry(clock=ManualClock())
    follower = ControlFollower(FakeFeed(*records), codec, cancel_registry, retry_s=0.01)
    follower.start()
    assert follower.wait_caught_up(20)
    follower.stop()
    return cancel_registry


def is_cancelled(cancel_registry: CancelRegistry, request_id: str) -> bool:
    job = Cancellation()
    cancel_registry.begin(request_id, NOON, job)
    try:
        job.check()
    except Cancelled:
        return True
    return False


def test_a_cancellation_is_noted(logs: list[Any]) -> None:
    """A cancellation that is read counts, from when it was sent."""
    cancel_registry = follow(a_control("a", reason="because"))
    assert cancel_registry._requests["a"].at == NOON
    assert is_cancelled(cancel_registry, "a")
    assert [line["event"] for line in logs] == ["control.cancelled"]


STRANGE = {
    "garbage": a_control(value=b"garbage"),
    "request": a_control(
        value=CODEC.encode(SeparationRequest(request_id="r", source=SourceObject(bucket="b", key="k")))
    ),
    "action": a_control(action="pause"),
    "id": a_control("no id of ours"),
}


@pytest.mark.parametrize("record", STRANGE.values(), ids=STRANGE)
def test_what_is_no_cancellation_is_logged_and_ignored(record: Record, logs: list[Any]) -> None:
    """Whatever else lies in the topic does no harm, and what comes behind it counts."""
    cancel_registry = follow(record, a_control("good"))
    assert list(cancel_registry._requests) == ["good"]
    assert logs[0]["event"] == "control.ignored"


@pytest.mark.parametrize("trouble", [BrokerUnavailable("away"), RuntimeError("bug")])
def test_trouble_is_waited_for_and_told_once(trouble: Exception, logs: list[Any]) -> None:
    """While the topic can't be read that is said once, and then reading goes on."""
    cancel_registry = follow(trouble, trouble, trouble, a_control("late"))
    assert list(cancel_registry._requests) == ["late"]
    assert [line["event"] for line in logs] == ["control.unavailable", "control.cancelled"]


def test_a_registry_that_is_away_loses_nothing(logs: list[Any]) -> None:
    """A cancellation that can't be decoded yet is decoded later."""
    registry = FakeRegistry()
    record = a_control("r", codec=AvroCodec(registry))
    schema, answers = registry.schema, iter([RegistryUnavailable("away"), None])

    def sometimes(schema_id: int) -> Any:
        if error := next(answers):
            raise error
        return schema(schema_id)

    registry.schema = sometimes  # type: ignore[method-assign]
    assert list(follow(record, codec=AvroCodec(registry))._requests) == ["r"]


def test_it_can_be_stopped_in_trouble_and_before_it_began() -> None:
    """Stopping does not wait for what can't be had."""
    away = [BrokerUnavailable("away")] * 10**6
    follower = ControlFollower(FakeFeed(*away), CODEC, CancelRegistry(), retry_s=0.01)
    follower.stop()
    follower = ControlFollower(FakeFeed(*away), CODEC, CancelRegistry(), retry_s=0.01)
    follower.start()
    assert not follower.wait_caught_up(0)
    follower.stop()
    assert not follower._thread.is_alive()


def test_it_can_be_stopped_while_a_cancellation_can_not_be_decoded() -> None:
    """While the registry is away it is asked again and again, and a stop ends that."""
    registry, asked = FakeRegistry(), threading.Event()
    record = a_control("r", codec=AvroCodec(registry))

    def away(schema_id: int) -> Any:
        asked.set()
        raise RegistryUnavailable("away")

    registry.schema = away  # type: ignore[method-assign]
    cancel_registry = CancelRegistry()
    follower = ControlFollower(FakeFeed(record), AvroCodec(registry), cancel_registry, retry_s=0.01)
    follower.start()
    assert asked.wait(60)
    follower.stop()
    assert not follower._thread.is_alive()
    assert not cancel_registry._requests
