"""What librdkafka says of its connections, put beside what was asked and not answered."""

from collections import deque

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.adapters.kafka.connection_errors import ConnectionErrors
from harness.clock import ManualClock

TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))


def told(clock: ManualClock, *errors: KafkaError) -> ConnectionErrors:
    made = ConnectionErrors(clock.monotonic)
    for error in errors:
        made(error)
    return made


def test_what_was_told_goes_with_what_failed() -> None:
    """In librdkafka's words, without its counters; that all brokers are down does not hide why."""
    words = "b:1/bootstrap: Failed to resolve 'b:1' (after 3ms in state CONNECT, 9 identical error(s) suppressed)"
    errors = told(
        ManualClock(),
        KafkaError(KafkaError._RESOLVE, words),
        KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"),
    )
    assert errors.explain(TIMED_OUT) == "timed out: b:1: Failed to resolve 'b:1'"
    assert errors.explain("no broker can be reached") == "no broker can be reached: b:1: Failed to resolve 'b:1'"


def test_what_was_told_long_ago_explains_nothing() -> None:
    """A reason is of its time: what fails a minute later may fail for another."""
    clock = ManualClock()
    errors = told(clock, KafkaError(KafkaError._TRANSPORT, "refused"))
    clock.advance(59)
    assert errors.explain(TIMED_OUT) == "timed out: refused"
    clock.advance(2)
    assert errors.explain(TIMED_OUT) == "timed out"


class Client:
    """Hands out one error a poll, and lets a second pass for each question."""

    def __init__(self, clock: ManualClock, errors: ConnectionErrors, *codes: int) -> None:
        self.clock, self.errors, self.codes = clock, errors, deque(codes)
        self.asked = 0

    def poll(self, timeout: float) -> None:
        if self.codes:
            self.errors(KafkaError(self.codes.popleft(), "said"))

    def ask(self, timeout_s: float) -> str:
        self.asked += 1
        self.clock.advance(timeout_s)
        raise TIMED_OUT


@pytest.mark.parametrize(
    ("codes", "asked"),
    [
        ((KafkaError._AUTHENTICATION,), 1),
        ((KafkaError._SSL,), 1),
        ((KafkaError._RESOLVE,), 4),
        ((KafkaError._TRANSPORT, KafkaError._AUTHENTICATION), 2),
        ((), 4),
    ],
)
def test_what_no_wait_mends_is_not_waited_for(codes: tuple[int, ...], asked: int) -> None:
    """A refusal of a broker that is there ends the wait; a name or a port may be there in a moment."""
    clock = ManualClock()
    errors = ConnectionErrors(clock.monotonic)
    client = Client(clock, errors, *codes)
    with pytest.raises(KafkaException):
        errors.patiently(client, client.ask, 4.0)
    assert client.asked == asked
