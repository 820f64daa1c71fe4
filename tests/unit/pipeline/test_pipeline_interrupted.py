"""Jobs that are cancelled by their users or lose their partition, and outcomes that are hard to tell."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code, RegistryUnavailable, Rejected
from consumer.core.events import DeadLetter
from consumer.pipeline import retry
from harness.fakes import NOON, FakeRegistry, a_request
from harness.replica import CODEC, REQUESTS, Bench


def endless(bench: Bench) -> threading.Event:
    """Make separating take for ever; set once a job is at work."""
    at_work = threading.Event()

    def separate(*_: Any, cancel: Any, **__: Any) -> Any:
        at_work.set()
        cancel.sleep(3600)

    bench.separator.separate = separate  # type: ignore[method-assign]
    return at_work


def test_a_job_at_work_can_be_cancelled(make: Callable[..., Bench]) -> None:
    """A request that is cancelled while it is separated is a dead letter with the reason; the next one runs."""
    bench = make()
    separate, at_work = bench.separator.separate, endless(bench)
    bench.send()
    bench.start()
    assert at_work.wait(20)
    bench.separator.separate = separate  # type: ignore[method-assign]
    assert bench.cancellations.note("r1", "too slow", datetime.now(UTC))
    letter = bench.letter()
    assert (letter.code, letter.stage, letter.message) == (Code.CANCELLED, "separate", "cancelled: too slow")
    bench.send(request_id="next")
    assert bench.outcomes()[-1].topic == "results"
    assert bench.cancellations._at_work == {}


def test_a_request_can_be_cancelled_before_its_turn(make: Callable[..., Bench]) -> None:
    """A request that was cancelled before it is read is a dead letter, nothing is fetched for it, the others run."""
    bench = make()
    bench.cancellations.note("r1", None, datetime.now(UTC))
    bench.send()
    bench.send(request_id="another")
    bench.start()
    letter, result = bench.outcomes()
    dead = CODEC.decode(DeadLetter, letter.value)
    assert (dead.code, dead.stage, dead.request_id) == (Code.CANCELLED, "validate", "r1")
    assert (result.topic, result.key) == ("results", b"another")
    assert [job.request.request_id for job in bench.separator.calls] == ["another"]


def test_a_result_that_stands_is_not_undone(make: Callable[..., Bench]) -> None:
    """Cancelling what is done changes nothing."""
    bench = make()
    bench.send()
    bench.start()
    bench.outcomes()
    assert not bench.cancellations.note("r1", None, datetime.now(UTC))
    assert [message.topic for message in bench.outcomes()] == ["results"]
    assert "stems/r1/manifest.json" in bench.store.keys("out")


def away_until(registry: FakeRegistry, then: Callable[[], None]) -> None:
    """Take the registry away, once it was asked `then`."""

    class Away(RegistryUnavailable):
        def __str__(self) -> str:
            then()
            return "away"

    registry.away = Away()


def test_a_lost_record_whose_outcome_can_not_be_encoded_is_left_to_others(make: Callable[..., Bench]) -> None:
    """A job without a right to an outcome that waits for the registry is abandoned, and the replica goes on."""
    registry = FakeRegistry()
    bench = make(codec=AvroCodec(registry))
    tickets: list[Any] = []
    take = bench.ledger.next
    bench.ledger.next = lambda timeout_s: (found := take(timeout_s)) and (tickets.append(found) or found)  # type: ignore[method-assign]
    away_until(registry, lambda: tickets[0].cancellation.cancel("partition revoked"))
    abandoned = threading.Event()
    abandon = bench.ledger.abandon
    bench.ledger.abandon = lambda ticket: (abandon(ticket), abandoned.set())  # type: ignore[method-assign]
    bench.send(model="9stems")
    bench.start()
    assert abandoned.wait(20)
    assert bench.halted == []
    assert bench.broker.published == []


def test_a_cancelled_record_waits_for_its_outcome(make: Callable[..., Bench]) -> None:
    """A cancellation that is an outcome gets it, though the registry is away when it comes."""
    registry = FakeRegistry()
    bench = make(codec=AvroCodec(registry))
    tickets: list[Any] = []
    take = bench.ledger.next
    bench.ledger.next = lambda timeout_s: (found := take(timeout_s)) and (tickets.append(found) or found)  # type: ignore[method-assign]

    def cancel() -> None:
        tickets[0].cancellation.cancel("user", Rejected(Code.CANCELLED, "unwanted"))
        registry.away = None

    away_until(registry, cancel)
    bench.send(model="9stems")
    bench.start()
    [message] = bench.outcomes()
    assert AvroCodec(registry).decode(DeadLetter, message.value).code == Code.REQUEST_INVALID


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "OUTAGE_CHECK_S", 0.01)


@pytest.mark.usefixtures("quick")
def test_an_outage_of_the_registry_is_waited_for(make: Callable[..., Bench]) -> None:
    """While it is away for everyone neither requests nor outcomes use up tries; then all is done."""
    registry = FakeRegistry()
    codec = AvroCodec(registry)
    value = codec.encode(a_request())
    checked, back = threading.Semaphore(0), threading.Event()

    def check() -> None:
        checked.release()
        if not back.is_set():
            raise RegistryUnavailable("away")

    bench = make(codec=AvroCodec(registry), checks={RegistryUnavailable: check})
    registry.away = RegistryUnavailable("away")
    bench.broker.send(REQUESTS.topic, value, key=b"r1", timestamp=NOON)
    bench.send(model="9stems", request_id="r2")
    bench.start()
    for _ in range(20):
        assert checked.acquire(timeout=20)
    assert (bench.halted, bench.broker.published) == ([], [])
    registry.away = None
    back.set()
    assert sorted(message.topic for message in bench.outcomes()) == ["letters", "results"]


@pytest.mark.usefixtures("quick")
def test_a_cancelled_record_waits_for_the_registry_no_longer_than_it_is_ours(make: Callable[..., Bench]) -> None:
    """A cancelled job whose outcome can't be told yet is let go once its partition is another's."""
    registry = FakeRegistry()
    away, checked = RegistryUnavailable("away"), threading.Semaphore(0)

    def check() -> None:
        checked.release()
        raise away

    bench = make(codec=AvroCodec(registry), checks={RegistryUnavailable: check})
    abandoned = threading.Event()
    abandon = bench.ledger.abandon
    bench.ledger.abandon = lambda ticket: (abandon(ticket), abandoned.set())  # type: ignore[method-assign]
    registry.away = away
    bench.cancellations.note("r1", None, datetime.now(UTC))
    bench.send()
    bench.start()
    for _ in range(10):
        assert checked.acquire(timeout=20)
    bench.source.revoke([REQUESTS])
    assert abandoned.wait(20)
    assert (bench.halted, bench.broker.published) == ([], [])


def test_a_revoked_partitions_work_comes_to_nothing_here(make: Callable[..., Bench]) -> None:
    """When its partition moves, a job is cancelled without an outcome, and done again by whoever owns it then."""
    bench = make()
    at_work, go_on = threading.Event(), threading.Event()
    separate = bench.separator.separate

    def slow(*args: Any, cancel: Any, **rest: Any) -> Any:
        at_work.set()
        cancel.listen(go_on.set)
        assert go_on.wait(20)
        cancel.check()
        return separate(*args, cancel=cancel, **rest)

    bench.separator.separate = slow  # type: ignore[method-assign]
    bench.send()
    bench.start()
    assert at_work.wait(20)
    bench.source.revoke([REQUESTS])
    assert go_on.is_set()
    assert bench.broker.published == []
    bench.source.assign([REQUESTS])
    go_on.set()
    assert [message.topic for message in bench.outcomes()] == ["results"]
