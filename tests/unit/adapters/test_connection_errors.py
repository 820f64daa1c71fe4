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
        ((KafkaError._RESOLVE,), 3),
        ((KafkaError._TRANSPORT, KafkaError._AUTHENTICATION), 2),
        ((), 4),
    ],
)
def test_what_no_wait_mends_is_not_waited_for(codes: tuple[int, ...], asked: int) -> None:
    """A refusal of a broker that is there ends the wait; a name or a port may be there in a moment, and no later.

    Where nothing is known of why, all of the time is waited for.
    """
    clock = ManualClock()
    errors = ConnectionErrors(clock.monotonic)
    client = Client(clock, errors, *codes)
    with pytest.raises(KafkaException):
        errors.patiently(client, client.ask, 4.0)
    assert client.asked == asked


def test_an_answer_of_a_broker_is_waited_for_all_the_same() -> None:
    """That one broker can't be connected to says nothing of one that answers, and is only getting ready."""
    clock = ManualClock()
    errors = told(clock, KafkaError(KafkaError._TRANSPORT, "refused"))
    client = Client(clock, errors)
    answers = deque([KafkaError.COORDINATOR_LOAD_IN_PROGRESS] * 5)

    def ask(timeout_s: float) -> str:
        clock.advance(min(timeout_s, 1.0))
        if answers:
            raise KafkaException(KafkaError(answers.popleft()))
        return "ready"

    assert errors.patiently(client, ask, 60.0) == "ready"


def test_a_missing_topic_is_waited_for_apart() -> None:
    """Brokers that say nothing may yet answer; a topic that they don't know is misspelt, unless it is quite new."""
    clock = ManualClock()
    errors, began = ConnectionErrors(clock.monotonic), clock.monotonic()
    answers = deque([KafkaError._TIMED_OUT] * 8 + [KafkaError.UNKNOWN_TOPIC_OR_PART] * 8)

    def ask(_: float) -> str:
        clock.advance(1.0)
        raise KafkaException(KafkaError(answers.popleft()))

    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        errors.patiently(Client(clock, errors), ask, 60.0, missing_s=4.0)
    assert clock.monotonic() - began == pytest.approx(9.0, abs=0.01)


HUNG_UP = "b:1: Disconnected: connection closed by peer (look at KAFKA_SECURITY_PROTOCOL)"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("after 0ms in state APIVERSION_QUERY", HUNG_UP),
        ("after 4000ms in state APIVERSION_QUERY, 3 identical error(s) suppressed", HUNG_UP),
        ("after 12ms in state UP", HUNG_UP),
        ("after 86400000ms in state UP", ""),
    ],
)
def test_what_only_the_log_tells(state: str, reason: str) -> None:
    """A broker that hangs up as soon as it is talked to expects another protocol; one that served us has stopped."""
    errors = told(ManualClock())
    thread = "FAIL [p#producer-1] [thrd:b:1/bootstrap]: "
    errors.hear(f"{thread}b:1/bootstrap: Disconnected: connection closed by peer ({state})")
    assert errors.reason == reason


@pytest.mark.parametrize(
    ("words", "look_at"),
    [
        ("sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password",
         "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
        ("b:1/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL mechanism",
         "KAFKA_SASL_MECHANISM"),
        ("b:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state",
         "KAFKA_SECURITY_PROTOCOL"),
        ("ssl://b:1/bootstrap: SSL handshake failed: connecting to a PLAINTEXT broker listener?",
         "KAFKA_SECURITY_PROTOCOL"),
        ("ssl://b:1/bootstrap: SSL handshake failed: certificate verify failed: self-signed", "KAFKA_SSL_CA_LOCATION"),
        ("b:1/7: Failed to resolve 'b:1': Name or service not known", "advertised.listeners on the brokers"),
        ("b:1/7: Connect to ipv4#1.2.3.4:1 failed: Connection refused", "advertised.listeners on the brokers"),
    ],
)  # fmt: skip
def test_a_reason_says_where_to_look(words: str, look_at: str) -> None:
    """The variable, or what is to be changed on the brokers; what is named in our own settings needs no word more."""
    errors = told(ManualClock(), KafkaError(KafkaError._TRANSPORT, words))
    assert errors.reason.endswith(f" (look at {look_at})")


@pytest.mark.parametrize(
    ("words", "is_definite"),
    [
        ("SASL SCRAM-SHA-512 mechanism handshake failed: Local: Broker transport failure: broker's "
         "supported mechanisms: (n/a) (after 0ms in state DOWN)", False),
        ("SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported "
         "mechanisms: PLAIN (after 3ms in state AUTH_HANDSHAKE)", True),
        ("SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL "
         "mechanism SCRAM-SHA-512 (after 9ms in state AUTH_REQ)", True),
    ],
    ids=["a broker that hangs up", "another mechanism", "another password"],
)  # fmt: skip
def test_a_broker_that_hangs_up_has_refused_nothing(words: str, is_definite: bool) -> None:
    """In the middle of asking who comes: it is asked again. What it has said stands."""
    errors = told(ManualClock(), KafkaError(KafkaError._AUTHENTICATION, f"sasl_ssl://b:1/1: {words}"))
    assert errors.is_definite is is_definite
    assert ("look at" in errors.reason) is is_definite
