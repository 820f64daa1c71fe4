"""A client that is kept for long, and exchanged where it may be of no more use.

librdkafka's may never connect again once it was told of no brokers, as by a single one that had been frozen (its issue
5301). Nothing tells of that but that the client itself, and no broker, says that something failed. Who assigns
partitions to a client, and so has to begin anew with another, asks `is_unanswered` itself.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from confluent_kafka import KafkaError

ClientT = TypeVar("ClientT")

# What follows from an answer that brokers gave: another client would say the same.
_FROM_ANSWERS = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})


def is_unanswered(error: KafkaError) -> bool:
    """Whether no broker said this, but the client itself: then another client is to be taken."""
    return int(error.code()) < 0 and error.code() not in _FROM_ANSWERS


class KeptClient(Generic[ClientT]):
    """Thread-safe. Another client is only made once it is asked for, however often it was noted that one is needed.

    make: makes a client. retire: is given the one before, which may still be used by whoever asked for it; by default
    it ends as soon as nobody does.
    """

    def __init__(self, make: Callable[[], ClientT], retire: Callable[[ClientT], None] = lambda _: None) -> None:
        self._make, self._retire = make, retire
        self._lock = threading.Lock()
        self._is_forsaken = False
        self._client = make()

    @property
    def latest(self) -> ClientT:
        """The client as it is: to be polled, or closed."""
        return self._client

    def now(self) -> ClientT:
        """The client to ask, or to send by. Raises what `make` does."""
        with self._lock:
            if not self._is_forsaken:
                return self._client
            before, self._client = self._client, self._make()
            self._is_forsaken = False
            now = self._client
        self._retire(before)  # which may wait for a lock whose holder asks for the client
        return now

    def note(self, error: KafkaError) -> bool:
        """Have another client from now on if no broker said this, or it is fatal; returns whether that is so."""
        found = is_unanswered(error) or error.fatal()
        if found:
            self.forsake()
        return found

    def forsake(self) -> None:
        """Have another client from now on."""
        self._is_forsaken = True
