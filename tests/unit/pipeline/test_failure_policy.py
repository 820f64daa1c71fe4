import itertools
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import (
    UNEXPECTED,
    Cancelled,
    Code,
    Fatal,
    OwnershipLost,
    RegistryUnavailable,
    Rejected,
    StoreUnavailable,
)
from consumer.core.events import DeadLetter
from consumer.core.model import Abandoned, DeadLettered, Outcome, Retry, Stage
from consumer.pipeline.failure_policy import MAX_UNEXPECTED_IN_A_ROW, Failure, FailurePolicy
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from harness.fakes import FakeRegistry, an_attempt

CODEC = AvroCodec()
Logs = list[MutableMapping[str, Any]]
ANOTHER = map("content {}".format, itertools.count())


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    with capture_logs() as found:
        yield found


def a_policy(codec: AvroCodec = CODEC) -> FailurePolicy:
    return FailurePolicy(
        EncodeOutcome(
            codec=codec,
            results_topic="results",
            dead_letter_topic="letters",
            retry_topics=("retry-1",),
            retry_delays_s=(10.0,),
            version="1",
        )
    )


def on(
    failure_policy: FailurePolicy,
    error: BaseException,
    *,
    attempt: int = 1,
    starts: int = 0,
    content: object = None,
    trial: Callable[[], None] | None = None,
) -> Outcome | Abandoned:
    """What the policy makes of an error, of another content each time unless it is given."""
    at_work = an_attempt(attempt=attempt, history=("fetch: away",) * (attempt - 1))
    failure = Failure(
        error=error,
        attempt=at_work,
        stage=Stage.SEPARATE,
        request_id="r1",
        content=content or next(ANOTHER),
        starts=starts,
        trial=trial,
    )
    return failure_policy.on(failure)


def letter_in(outcome: Outcome | Abandoned) -> DeadLetter:
    assert isinstance(outcome, DeadLettered)
    letter = CODEC.decode(DeadLetter, outcome.letter.value)
    assert letter.code == outcome.code
    return letter


@pytest.mark.parametrize("error", [Cancelled("partition revoked"), OwnershipLost("t [0]")])
def test_a_job_that_is_anothers_has_no_outcome(error: Exception) -> None:
    """What ended because somebody else will do it ends without an outcome here."""
    assert on(a_policy(), error) == Abandoned()


@pytest.mark.parametrize("code", [code for code in Code if code not in UNEXPECTED])
def test_a_rejection_is_a_dead_letter(code: Code) -> None:
    """A rejection, and a cancellation that names one, becomes a dead letter with its code, stage and request id."""
    for error in (Rejected(code, "because"), Cancelled("user", Rejected(code, "because"))):
        letter = letter_in(on(a_policy(), error, attempt=2))
        assert (letter.code, letter.message, letter.stage) == (code, "because", "separate")
        assert (letter.request_id, letter.attempts) == ("r1", 2)


def test_starts_count_as_attempts() -> None:
    """A record that killed its separator three times was attempted three times."""
    assert letter_in(on(a_policy(), Rejected(Code.WORKER_CRASHED, "died"), starts=3)).attempts == 3


def test_the_worlds_fault_is_retried_and_then_given_up() -> None:
    """A transient error goes to the next retry topic; after the last one it is a dead letter with its history."""
    assert isinstance(on(a_policy(), StoreUnavailable("away")), Retry)
    letter = letter_in(on(a_policy(), StoreUnavailable("still away"), attempt=2))
    assert letter.code == Code.RETRIES_EXHAUSTED
    assert letter.message == "attempt 1: fetch: away; attempt 2: separate: still away"


def test_our_fault_is_raised() -> None:
    """A Fatal is no record's outcome."""
    with pytest.raises(Fatal, match="ours"):
        on(a_policy(), Fatal("ours"))


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("x"), MemoryError(), RecursionError("deep")])
def test_an_unexpected_error_is_a_dead_letter_and_logged(error: Exception, logs: Logs) -> None:
    """A bug is told of by its kind, in the letter and, with its traceback, in the log."""
    letter = letter_in(on(a_policy(), error))
    assert letter.code == Code.SEPARATION_FAILED
    assert letter.message.startswith(type(error).__name__)
    assert logs[-1]["event"] == "separation.unexpected"
    assert logs[-1]["exc_info"] is error


def unexpected(number: int) -> Exception:
    return ValueError("odd") if number % 2 else Rejected(Code.WORKER_CRASHED, "died")


def test_too_many_unexpected_errors_in_a_row_stop_the_consumer() -> None:
    """One more than the limit, of whichever unexpected kind, is Fatal instead of a dead letter."""
    failure_policy = a_policy()
    for number in range(MAX_UNEXPECTED_IN_A_ROW):
        assert isinstance(on(failure_policy, unexpected(number)), DeadLettered)
    with pytest.raises(Fatal, match="in a row"):
        on(failure_policy, unexpected(0))


def test_a_separator_is_tried_before_it_is_blamed() -> None:
    """With each tenth failure in a row; one that passes begins the row anew, one that fails is the end."""
    failure_policy, tried = a_policy(), []
    for number in range(3 * MAX_UNEXPECTED_IN_A_ROW):
        assert isinstance(on(failure_policy, unexpected(number), trial=lambda: tried.append(1)), DeadLettered)
    assert len(tried) == 3

    def fails() -> None:
        raise Rejected(Code.MODEL_UNAVAILABLE, "no weights")

    for number in range(MAX_UNEXPECTED_IN_A_ROW - 1):
        assert isinstance(on(failure_policy, unexpected(number), trial=fails), DeadLettered)
    with pytest.raises(Fatal, match=r"in a row, .* plain tone too: no weights"):
        on(failure_policy, unexpected(0), trial=fails)


@pytest.mark.parametrize("code", sorted(UNEXPECTED))
def test_one_content_does_not_stop_the_consumer(code: Code) -> None:
    """However often it is sent, and whatever it ends as; beside others it counts once."""
    failure_policy = a_policy()
    for _ in range(3 * MAX_UNEXPECTED_IN_A_ROW):
        assert isinstance(on(failure_policy, Rejected(code, "again"), content="the same"), DeadLettered)
    for _ in range(MAX_UNEXPECTED_IN_A_ROW - 1):
        assert isinstance(on(failure_policy, Rejected(code, "others")), DeadLettered)
    with pytest.raises(Fatal, match="each about another content"):
        on(failure_policy, Rejected(code, "others"))


@pytest.mark.parametrize("code", [code for code in Code if code not in UNEXPECTED])
def test_no_number_of_bad_messages_stops_the_consumer(code: Code) -> None:
    """What is a message's or a file's own fault, under each of its codes, never counts."""
    failure_policy = a_policy()
    for _ in range(3 * MAX_UNEXPECTED_IN_A_ROW):
        assert isinstance(on(failure_policy, Rejected(code, "bad")), DeadLettered)


def test_a_success_ends_the_row_and_a_bad_message_does_not() -> None:
    """What is a message's own fault neither counts nor excuses; a job that went through shows that all is well."""
    failure_policy = a_policy()
    for number in range(MAX_UNEXPECTED_IN_A_ROW):
        on(failure_policy, unexpected(number))
        on(failure_policy, Rejected(Code.REQUEST_INVALID, "bad"))
    failure_policy.record_success()
    for number in range(MAX_UNEXPECTED_IN_A_ROW):
        on(failure_policy, unexpected(number))
    with pytest.raises(Fatal):
        on(failure_policy, unexpected(0))


def test_a_world_that_fails_at_everything_stops_the_consumer_too() -> None:
    """Records that used up their retries one after the other, as where a store takes no writes, empty no topic."""
    failure_policy = a_policy()
    for _ in range(MAX_UNEXPECTED_IN_A_ROW):
        assert isinstance(on(failure_policy, StoreUnavailable("full"), attempt=2), DeadLettered)
        assert isinstance(on(failure_policy, StoreUnavailable("full")), Retry)  # which is no dead letter yet
    with pytest.raises(Fatal, match=r"in a row, .*, the next would be RETRIES_EXHAUSTED: .*full"):
        on(failure_policy, StoreUnavailable("full"), attempt=2)
    failure_policy.record_success()
    assert isinstance(on(failure_policy, StoreUnavailable("full"), attempt=2), DeadLettered)


def test_a_letter_that_can_not_be_encoded_yet_counts_once() -> None:
    """While the registry is away the policy is asked again and again, about one and the same failure."""
    registry = FakeRegistry()
    registry.away = RegistryUnavailable("away")
    failure_policy = a_policy(AvroCodec(registry))
    for number in range(2 * MAX_UNEXPECTED_IN_A_ROW):
        with pytest.raises(RegistryUnavailable):
            on(failure_policy, unexpected(number))
    registry.away = None
    assert isinstance(on(failure_policy, unexpected(0)), DeadLettered)
