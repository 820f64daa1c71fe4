"""Why brokers can't be reached, in librdkafka's own words, and what is to be looked at for it.

What is asked of them only times out; that a password is wrong, or a name unknown, is told beside it, by a callback. So
whoever asks waits in slices, and looks in between whether there is anything to wait for.
"""

import math
import re
import time
from collections.abc import Callable, Collection
from concurrent import futures
from typing import Any, Protocol, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.adapters.kafka.retrying import MISSING, RETRY_EVERY_S, broker_away, is_transient, reason_of
from consumer.core.errors import BrokerRefusal, BrokerUnavailable

LOOK_S = 3.0  # whoever can be connected to is by then
_FRESH_S = 60.0  # librdkafka leaves out what it has said in the last half minute
_SLICE_S = 1.0
# Not mended by waiting: the answer of a broker that is there.
_DEFINITE = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})
_STATE = re.compile(r" \(after \d+ms in state \w+(, \d+ identical error\(s\) suppressed)?\)")
# What a connection ended with that had only begun: librdkafka writes that into its log and tells nobody.
_HUNG_UP = re.compile(r"(?:Disconnected|(?:Send|Receive) failed)\b.* \(after (?:\d{1,3}ms in|\d+ms in state (?!UP))")
# What a broker says of a certificate of ours, or of none, after the connection was made.
_ALERT = re.compile(r"alert (?:bad certificate|certificate|unknown ca|no certificate|access denied|unsupported cert)")
# Whoever gives tokens is no broker, and may be away for a moment; unless it has said that it does not know us.
_OF_A_TOKEN = re.compile(r"(?!.*(?:\b40[013]\b|invalid_client|unauthorized_client)).*(?:OIDC|token)", re.IGNORECASE)
# A connection that ended while the broker asked who we are, as it does where that took too long, is no answer.
_CUT_OFF = re.compile(r"handshake failed: Local: ")
# What is to be looked at beside the addresses, by what librdkafka says; the first that fits.
_LOOK_AT = (
    (_ALERT, "KAFKA_SSL_CERTIFICATE_LOCATION, KAFKA_SSL_KEY_LOCATION"),
    (re.compile(r"current SASL state"), "KAFKA_SECURITY_PROTOCOL"),
    (_HUNG_UP, "KAFKA_SECURITY_PROTOCOL"),
    (re.compile(r"invalid credentials"), "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    (re.compile(r"mechanism", re.IGNORECASE), "KAFKA_SASL_MECHANISM"),
    (re.compile(r"SASL|Authentication failed"), "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    (re.compile(r"certificate verify failed|ssl\.ca\."), "KAFKA_SSL_CA_LOCATION"),
    (re.compile(r"SSL|security\.protocol|TLS"), "KAFKA_SECURITY_PROTOCOL"),
    # A broker that has a number was not named by us, but by the one that we reached.
    (re.compile(r":\d+/\d+: (?:Failed to resolve|Connect to)|Coordinator"), "advertised.listeners on the brokers"),
)

T = TypeVar("T")


class Client(Protocol):
    """A librdkafka client, as far as it hands out what it was told."""

    def poll(self, timeout: float) -> object: ...


class ConnectionErrors:
    """The latest of them; to be given to a client as its `error_cb`. `clock` gives seconds on a monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reason, self._at = "", float("-inf")
        self.is_definite = False

    def __call__(self, error: KafkaError) -> None:
        """What the client reports. That all brokers are down says nothing of why."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._note(error.str())
            is_refusal = error.code() in _DEFINITE or bool(_ALERT.search(error.str()))
            is_passing = _OF_A_TOKEN.search(error.str()) or _CUT_OFF.search(error.str())
            self.is_definite = is_refusal and not is_passing

    def hear(self, line: str) -> None:
        """What the client logs: that brokers hang up on what they don't expect is told nowhere else."""
        if _HUNG_UP.search(line):
            self._note(line.rpartition("]: ")[2])

    def _note(self, said: str) -> None:
        rules = () if _CUT_OFF.search(said) else _LOOK_AT
        look_at = next((f" (look at {what})" for pattern, what in rules if pattern.search(said)), "")
        self._reason = f"{_STATE.sub('', said).replace('/bootstrap', '')}{look_at}"
        self._at = self._clock()

    @property
    def reason(self) -> str:
        """Why no connection came about lately; "" where nothing was told."""
        return self._reason if self._clock() - self._at < _FRESH_S else ""

    def explain(self, error: BaseException | str) -> str:
        """What went wrong, and why where that is known."""
        said = error if isinstance(error, str) else reason_of(error)
        return f"{said}: {self.reason}" if self.reason and self.reason not in said else said

    def unavailable(self, error: BaseException | str) -> BrokerUnavailable:
        """What to raise where brokers don't answer: BrokerRefusal where they have said that they won't."""
        return (BrokerRefusal if self.is_definite and self.reason else BrokerUnavailable)(self.explain(error))

    def away(self, error: BaseException | str, *, topic: str = "") -> BrokerUnavailable:
        """What to raise where the cluster does not do what it was asked for: one line, with the reason.

        topic: what was asked for, if that was one.
        """
        return broker_away(error, self.explain(error), topic=topic)

    def patiently(
        self, client: Client, ask: Callable[[float], T], timeout_s: float, *, missing_s: float = math.inf
    ) -> T:
        """The answer to a question that takes its own timeout in seconds; at first it is asked in short slices.

        Raises KafkaException with what does not pass. What passes is waited for as long as `timeout_s` seconds, but no
        longer than LOOK_S where no connection comes about, and not at all where a broker has refused it for good. For a
        topic of which brokers say that it is missing they are asked again for `missing_s`.
        """
        began = self._clock()
        while True:
            waited_s = self._clock() - began
            left_s = timeout_s - waited_s
            try:
                return ask(max(0.01, min(_SLICE_S, left_s) if waited_s < LOOK_S else left_s))
            except KafkaException as error:
                client.poll(0.0)
                waited_s = self._clock() - began
                code = error.args[0].code()
                is_answer = code > 0  # of a broker, which was reached
                patience_s = min(timeout_s, missing_s) if code in MISSING else timeout_s
                if not is_transient(error) or waited_s >= patience_s or (not is_answer and self._is_vain(waited_s)):
                    raise
                client.poll(min(RETRY_EVERY_S, timeout_s - waited_s))

    def wait(self, client: Client, answers: Collection["futures.Future[Any]"], timeout_s: float) -> None:
        """Until all have come; no longer than `patiently` would. Raises KafkaException where some have not."""
        began = self._clock()
        while futures.wait(answers, timeout=RETRY_EVERY_S).not_done:
            client.poll(0.0)
            waited_s = self._clock() - began
            if waited_s >= timeout_s or self._is_vain(waited_s):
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))

    def flush(self, producer: Producer, timeout_s: float) -> int:
        """How many messages are not delivered, once there is nothing more to wait for; no longer than `patiently`."""
        began = self._clock()
        while unsent := producer.flush(RETRY_EVERY_S):
            waited_s = self._clock() - began
            if waited_s >= timeout_s or self._is_vain(waited_s):
                break
        return unsent

    def _is_vain(self, waited_s: float) -> bool:
        return self.is_definite or (bool(self.reason) and waited_s >= LOOK_S)
