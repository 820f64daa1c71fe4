import threading
from datetime import UTC, datetime, timedelta

import pytest

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Code, Rejected
from consumer.delivery.cancel_registry import MAX_REMEMBERED, CancelRegistry

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


def rejection(cancellation: Cancellation) -> Rejected | None:
    try:
        cancellation.check()
    except Cancelled as cancelled:
        return cancelled.rejection
    return None


def begun(cancel_registry: CancelRegistry, request_id: str = "r", sent_at: datetime | None = None) -> Cancellation:
    cancellation = Cancellation()
    cancel_registry.begin(request_id, sent_at or NOW - MINUTE, cancellation)
    return cancellation


@pytest.mark.parametrize("reason", [None, "", "user closed\nthe page", "x" * 10**5])
def test_what_is_at_work_is_cancelled(reason: str | None) -> None:
    """A job at work ends as CANCELLED, with the reason in one line; another request's job goes on."""
    cancel_registry = CancelRegistry()
    job, other = begun(cancel_registry), begun(cancel_registry, "another")
    assert cancel_registry.register("r", reason, NOW)
    rejected = rejection(job)
    assert rejected
    assert rejected.code == Code.CANCELLED
    assert "\n" not in rejected.message
    assert len(rejected.message) < 600
    assert (reason or "")[:11] in rejected.message
    assert rejection(other) is None


def test_what_is_not_begun_is_cancelled_when_its_turn_comes() -> None:
    """A cancellation that is read before its request is remembered, and counts for every delivery of it."""
    cancel_registry = CancelRegistry()
    assert not cancel_registry.register("r", "why", NOW)
    for _ in range(2):
        rejected = rejection(begun(cancel_registry))
        assert rejected
        assert rejected.message == "cancelled: why"


def test_what_is_done_is_left_alone() -> None:
    """A job that has its outcome does not hear of a cancellation any more."""
    cancel_registry = CancelRegistry()
    job = begun(cancel_registry)
    cancel_registry.end(job)
    cancel_registry.end(job)
    assert not cancel_registry.register("r", None, NOW)
    assert rejection(job) is None


@pytest.mark.parametrize("is_known_first", [True, False])
def test_a_request_that_is_sent_again_later_is_a_new_wish(is_known_first: bool) -> None:
    """A cancellation concerns what was sent before it, or about then; the same id sent again a minute later runs."""
    for later, is_cancelled in ((timedelta(seconds=1), True), (MINUTE, False)):
        cancel_registry, at = CancelRegistry(), NOW - 10 * MINUTE
        if is_known_first:
            cancel_registry.register("r", None, at)
        job = begun(cancel_registry, sent_at=at + later)
        if not is_known_first:
            cancel_registry.register("r", None, at)
        assert (rejection(job) is not None) == is_cancelled


@pytest.mark.parametrize("sent_at", [None, NOW + timedelta(days=400)])
def test_a_senders_clock_does_not_make_immune(sent_at: datetime | None) -> None:
    """A request whose time is unknown or yet to come can be cancelled while it is at work."""
    cancel_registry, job = CancelRegistry(), Cancellation()
    cancel_registry.begin("r", sent_at, job)
    assert cancel_registry.register("r", None, datetime.now(UTC))
    assert rejection(job)


def test_memory_is_bounded_in_number() -> None:
    """Of too many cancellations the oldest is forgotten; one that is repeated is young again."""
    cancel_registry = CancelRegistry(max_remembered=3)
    for request_id in ("a", "b", "c", "a", "d"):
        cancel_registry.register(request_id, None, NOW)
    known = {request_id for request_id in "abcd" if rejection(begun(cancel_registry, request_id))}
    assert known == {"a", "c", "d"}
    assert MAX_REMEMBERED == 10_000


def test_memory_is_bounded_in_time() -> None:
    """A cancellation of the day before yesterday means nothing any more."""
    cancel_registry = CancelRegistry()
    cancel_registry.register("r", None, NOW - timedelta(hours=25))
    assert rejection(begun(cancel_registry, sent_at=NOW - timedelta(hours=26))) is None


def test_no_cancellation_is_lost_between_threads() -> None:
    """Whether a job begins before, after or while it is cancelled, it hears of it."""
    cancel_registry = CancelRegistry()
    for number in range(200):
        together, jobs = threading.Barrier(2, timeout=60), [Cancellation()]

        def begin(
            number: int = number, together: threading.Barrier = together, jobs: list[Cancellation] = jobs
        ) -> None:
            together.wait(30)
            cancel_registry.begin(str(number), NOW, jobs[0])

        thread = threading.Thread(target=begin)
        thread.start()
        together.wait(30)
        cancel_registry.register(str(number), None, NOW)
        thread.join(60)
        assert rejection(jobs[0]), number
