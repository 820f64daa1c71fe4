"""Jobs that are cancelled by their users or lose their partition, and outcomes that are hard to tell."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code, RegistryUnavailable, Rejected
from consumer.core.events import DeadLetter
from consumer.delivery.assignment import Attempt
from harness.fakes import NOON, FakeRegistry, a_request
from harness.replica import CODEC, REQUESTS, Harness


def endless(harness: Harness) -> threading.Event:
    """Make separating take for ever; set once a job is at work."""
    at_work = threading.Event()

    def separate(*_: Any, cancel: Any, **__: Any) -> Any:
        at_work.set()
        cancel.sleep(3600)

    harness.separator.separate = separate  # type: ignore[method-assign]
    return at_work


def note_attempts(harness: Harness, attempts: list[Attempt]) -> None:
    """From now on what the dispatcher hands out is added there too."""
    take = harness.dispatcher.next

    def noted(timeout_s: float) -> Attempt | None:
        if found := take(timeout_s):
            attempts.append(found)
        return found

    harness.dispatcher.next = noted  # type: ignore[method-assign]


def tell_of_abandoning(harness: Harness) -> threading.Event:
    """Set once an attempt was abandoned."""
    abandoned, abandon = threading.Event(), harness.dispatcher.abandon

    def told(attempt: Attempt) -> None:
        abandon(attempt)
        abandoned.set()

    harness.dispatcher.abandon = told  # type: ignore[method-assign]
    return abandoned


def test_a_job_at_work_can_be_cancelled(make: Callable[..., Harness]) -> None:
    """A request that is cancelled while it is separated is a dead letter with the reason; the next one runs."""
    harness = make()
    separate, at_work = harness.separator.separate, endless(harness)
    harness.send()
    harness.start()
    assert at_work.wait(60)
    harness.separator.separate = separate  # type: ignore[method-assign]
    assert harness.cancel_registry.register("r1", "too slow", datetime.now(UTC))
    letter = harness.letter()
    assert (letter.code, letter.stage, letter.message) == (Code.CANCELLED, "separate", "cancelled: too slow")
    harness.send(request_id="next")
    assert harness.outcomes()[-1].topic == "results"
    assert harness.cancel_registry._at_work == {}


def test_a_request_can_be_cancelled_before_its_turn(make: Callable[..., Harness]) -> None:
    """A request that was cancelled before it is read is a dead letter, nothing is fetched for it, the others run."""
    harness = make()
    harness.cancel_registry.register("r1", None, datetime.now(UTC))
    harness.send()
    harness.send(request_id="another")
    harness.start()
    letter, result = harness.outcomes()
    dead = CODEC.decode(DeadLetter, letter.value)
    assert (dead.code, dead.stage, dead.request_id) == (Code.CANCELLED, "validate", "r1")
    assert (result.topic, result.key) == ("results", b"another")
    assert [job.request.request_id for job in harness.separator.calls] == ["another"]


def test_a_result_that_stands_is_not_undone(make: Callable[..., Harness]) -> None:
    """Cancelling what is done changes nothing."""
    harness = make()
    harness.send()
    harness.start()
    harness.outcomes()
    assert not harness.cancel_registry.register("r1", None, datetime.now(UTC))
    assert [message.topic for message in harness.outcomes()] == ["results"]
    assert "stems/r1/manifest.json" in harness.store.keys("out")


def away_until(registry: FakeRegistry, then: Callable[[], None]) -> None:
    """Take the registry away, once it was asked `then`."""

    class Away(RegistryUnavailable):
        def __str__(self) -> str:
            then()
            return "away"

    registry.away = Away()


def test_a_lost_record_whose_outcome_can_not_be_encoded_is_left_to_others(make: Callable[..., Harness]) -> None:
    """A job without a right to an outcome that waits for the registry is abandoned, and the replica goes on."""
    registry = FakeRegistry()
    harness = make(codec=AvroCodec(registry))
    attempts: list[Attempt] = []
    note_attempts(harness, attempts)
    away_until(registry, lambda: attempts[0].cancellation.cancel("partition revoked"))
    abandoned = tell_of_abandoning(harness)
    harness.send(model="9stems")
    harness.start()
    assert abandoned.wait(60)
    assert harness.halted == []
    assert harness.broker.published == []


def test_a_cancelled_record_waits_for_its_outcome(make: Callable[..., Harness]) -> None:
    """A cancellation that is an outcome gets it, though the registry is away when it comes."""
    registry = FakeRegistry()
    harness = make(codec=AvroCodec(registry))
    attempts: list[Attempt] = []
    note_attempts(harness, attempts)

    def cancel() -> None:
        attempts[0].cancellation.cancel("user", Rejected(Code.CANCELLED, "unwanted"))
        registry.away = None

    away_until(registry, cancel)
    harness.send(model="9stems")
    harness.start()
    [message] = harness.outcomes()
    assert AvroCodec(registry).decode(DeadLetter, message.value).code == Code.REQUEST_INVALID


def test_an_outage_of_the_registry_is_waited_for(make: Callable[..., Harness]) -> None:
    """While it is away for everyone neither requests nor outcomes use up tries; then all is done."""
    registry = FakeRegistry()
    codec = AvroCodec(registry)
    value = codec.encode(a_request())
    checked, back = threading.Semaphore(0), threading.Event()

    def check() -> None:
        checked.release()
        if not back.is_set():
            raise RegistryUnavailable("away")

    harness = make(codec=AvroCodec(registry), checks={RegistryUnavailable: check})
    registry.away = RegistryUnavailable("away")
    harness.broker.send(REQUESTS.topic, value, key=b"r1", timestamp=NOON)
    harness.send(model="9stems", request_id="r2")
    harness.start()
    for _ in range(20):
        assert checked.acquire(timeout=60)
    assert (harness.halted, harness.broker.published) == ([], [])
    registry.away = None
    back.set()
    assert sorted(message.topic for message in harness.outcomes()) == ["letters", "results"]


def test_a_cancelled_record_waits_for_the_registry_no_longer_than_it_is_ours(make: Callable[..., Harness]) -> None:
    """A cancelled job whose outcome can't be told yet is let go once its partition is another's."""
    registry = FakeRegistry()
    away, checked = RegistryUnavailable("away"), threading.Semaphore(0)

    def check() -> None:
        checked.release()
        raise away

    harness = make(codec=AvroCodec(registry), checks={RegistryUnavailable: check})
    abandoned = tell_of_abandoning(harness)
    registry.away = away
    harness.cancel_registry.register("r1", None, datetime.now(UTC))
    harness.send()
    harness.start()
    for _ in range(10):
        assert checked.acquire(timeout=60)
    harness.source.revoke([REQUESTS])
    assert abandoned.wait(60)
    assert (harness.halted, harness.broker.published) == ([], [])


def test_a_revoked_partitions_work_comes_to_nothing_here(make: Callable[..., Harness]) -> None:
    """When its partition moves, a job is cancelled without an outcome, and done again by whoever owns it then."""
    harness = make()
    at_work, go_on = threading.Event(), threading.Event()
    separate = harness.separator.separate

    def slow(*args: Any, cancel: Any, **rest: Any) -> Any:
        at_work.set()
        cancel.listen(go_on.set)
        assert go_on.wait(60)
        cancel.check()
        return separate(*args, cancel=cancel, **rest)

    harness.separator.separate = slow  # type: ignore[method-assign]
    harness.send()
    harness.start()
    assert at_work.wait(60)
    harness.source.revoke([REQUESTS])
    assert go_on.is_set()
    assert harness.broker.published == []
    harness.source.assign([REQUESTS])
    go_on.set()
    assert [message.topic for message in harness.outcomes()] == ["results"]
