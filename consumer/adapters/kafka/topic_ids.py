"""The ids of logs: of a cluster and its topic (KIP-516), asked for beside a member and without making it wait."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.metadata import names_controller
from consumer.adapters.kafka.retrying import reason_of
from consumer.core.errors import BrokerUnavailable
from consumer.settings import KafkaSettings

_REQUEST_S = 5.0
_EVERY_S = 1.0
_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID})


class TopicIds:
    """Used by one thread; answers come in one of the client's own. `clock` gives seconds on a monotonic clock."""

    def __init__(self, settings: KafkaSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._kept = KeptClient(self._connect)
        self._asked: Mapping[str, Future[Any]] = {}
        self._ask_at = float("-inf")
        self._heard: dict[str, str] | None = None
        self._are_given = False  # as far as is known
        self._cluster: Future[Any] | None = None  # asked for once, with the first topic

    def _connect(self) -> AdminClient:
        return connect(AdminClient, producer_config(self._settings), "topic_ids")

    def now(self, topic: str) -> str:
        """`cluster:topic`, by their ids; "" where there is no such topic. Raises BrokerUnavailable."""
        try:
            answer = self._ask([topic])[topic]
            return self._log_id(answer, _REQUEST_S + 1)
        except TimeoutError as error:
            self._kept.forsake()
            self._cluster = None
            raise BrokerUnavailable("timed out") from error
        except KafkaException as error:
            self._kept.note(error.args[0])
            if error.args[0].code() in _MISSING:
                return ""
            raise BrokerUnavailable(reason_of(error)) from error

    def are_given(self) -> bool:
        """Whether there is anybody to ask. Raises BrokerUnavailable."""
        if not self._are_given:
            try:
                found = self._kept.now().list_topics(timeout=_REQUEST_S)
            except KafkaException as error:
                self._kept.note(error.args[0])
                raise BrokerUnavailable(reason_of(error)) from error
            self._are_given = names_controller(found)
        return self._are_given

    def last_heard(self, topics: Sequence[str]) -> Mapping[str, str] | None:
        """The same of topics by the latest answer, None before the first; asks every second, and waits for nothing."""
        answers = [*self._asked.values(), *([self._cluster] if self._cluster else [])]
        if self._asked and all(answer.done() for answer in answers):
            for answer in answers:
                if isinstance(error := answer.exception(), KafkaException):
                    self._kept.note(error.args[0])
            self._heard, self._asked = self._answered(), {}
        if not self._asked and topics and self._clock() >= self._ask_at:
            self._ask_at = self._clock() + _EVERY_S
            self._asked = self._ask(topics)
        return self._heard

    def _answered(self) -> dict[str, str]:
        if self._cluster is None or self._cluster.exception() is not None:
            return {}
        return {topic: self._log_id(answer) for topic, answer in self._asked.items() if answer.exception() is None}

    def _log_id(self, answer: "Future[Any]", timeout_s: float | None = None) -> str:
        topic_id = answer.result(timeout_s).topic_id
        assert self._cluster
        # A topic's id is Base64, which has `/` in it.
        return f"{self._cluster.result(timeout_s).cluster_id}:{topic_id}"

    def _ask(self, topics: Sequence[str]) -> Mapping[str, "Future[Any]"]:
        client = self._kept.now()
        if self._cluster is None or (self._cluster.done() and self._cluster.exception() is not None):
            self._cluster = client.describe_cluster(request_timeout=_REQUEST_S)
        answers: Mapping[str, Future[Any]] = client.describe_topics(
            TopicCollection(list(topics)), request_timeout=_REQUEST_S
        )
        return answers
