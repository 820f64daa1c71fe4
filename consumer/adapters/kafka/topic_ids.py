"""The ids of topics (KIP-516), asked for beside a member of the group and without making it wait."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.kept_client import KeptClient
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
        self._heard: dict[str, str] = {}

    def _connect(self) -> AdminClient:
        return connect(AdminClient, producer_config(self._settings), "topic_ids")

    def now(self, topic: str) -> str:
        """The topic's id; "" where there is none. Raises BrokerUnavailable."""
        try:
            found = str(self._ask([topic])[topic].result(_REQUEST_S + 1).topic_id)
        except TimeoutError as error:
            self._kept.forsake()
            raise BrokerUnavailable("timed out") from error
        except KafkaException as error:
            self._kept.note(error.args[0])
            if error.args[0].code() not in _MISSING:
                raise BrokerUnavailable(reason_of(error)) from error
            found = ""
        return found

    def last_heard(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The topics' ids by the latest answer; asks again every second, and waits for nothing."""
        if all(answer.done() for answer in self._asked.values()):
            heard = {topic: str(a.result().topic_id) for topic, a in self._asked.items() if a.exception() is None}
            for answer in self._asked.values():
                if isinstance(error := answer.exception(), KafkaException):
                    self._kept.note(error.args[0])
            self._heard = heard if self._asked else self._heard
            self._asked = {}
            if topics and self._clock() >= self._ask_at:
                self._ask_at = self._clock() + _EVERY_S
                self._asked = self._ask(topics)
        return self._heard

    def _ask(self, topics: Sequence[str]) -> Mapping[str, Future[Any]]:
        answers: Mapping[str, Future[Any]] = self._kept.now().describe_topics(
            TopicCollection(list(topics)), request_timeout=_REQUEST_S
        )
        return answers
