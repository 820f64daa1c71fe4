"""Why brokers can't be reached, in librdkafka's own words.

What is asked of them only times out; that a password is wrong, or a name unknown, is told beside it, by a callback.
"""

import re
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from confluent_kafka import KafkaError, KafkaException

from consumer.adapters.kafka.retrying import is_transient, reason_of

_FRESH_S = 60.0  # librdkafka leaves out what it has said in the last half minute
_SLICE_S = 1.0
# Not mended by waiting: the answer of a broker that is there.
_DEFINITE = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})
_STATE = re.compile(r" \(after \d+ms in state \w+(, \d+ identical error\(s\) suppressed)?\)")

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
            self._reason, self._at = _STATE.sub("", error.str()).replace("/bootstrap", ""), self._clock()
            self.is_definite = error.code() in _DEFINITE

    @property
    def reason(self) -> str:
        """Why no connection came about lately; "" where nothing was told."""
        return self._reason if self._clock() - self._at < _FRESH_S else ""

    def explain(self, error: BaseException | str) -> str:
        """What went wrong, and why where that is known."""
        said = error if isinstance(error, str) else reason_of(error)
        return f"{said}: {self.reason}" if self.reason and self.reason not in said else said

    def patiently(self, client: Client, ask: Callable[[float], T], timeout_s: float) -> T:
        """The answer to a question that takes its own timeout in seconds; it is asked in short slices.

        Raises KafkaException with what does not pass; where a broker has refused the connection for good, or has not
        answered within `timeout_s` seconds, that is its error.
        """
        until = self._clock() + timeout_s
        while True:
            try:
                return ask(max(0.01, min(_SLICE_S, until - self._clock())))
            except KafkaException as error:
                client.poll(0.0)
                if not is_transient(error) or self.is_definite or self._clock() >= until:
                    raise
