"""Setting up a cluster that is only getting ready, or that refuses."""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from consumer.adapters.kafka.admin import KafkaAdmin
from consumer.adapters.kafka.retrying import retried
from consumer.core.errors import BrokerUnavailable, Fatal
from consumer.settings import KafkaSettings, RetentionSettings, TopicSettings


class Cluster:
    """Answers by script, one entry an answer, None and whatever follows: done."""

    def __init__(self, *codes: int | None) -> None:
        self.codes = deque(codes)
        self.asked: list[list[str]] = []

    def _answer(self) -> "Future[None]":
        future: Future[None] = Future()
        code = self.codes.popleft() if self.codes else None
        if code is None:
            future.set_result(None)
        else:
            future.set_exception(KafkaException(KafkaError(code)))
        return future

    def create_topics(self, topics: Sequence[NewTopic], **_: Any) -> Mapping[str, "Future[None]"]:
        self.asked.append([topic.topic for topic in topics])
        return {topic.topic: self._answer() for topic in topics}

    def incremental_alter_configs(self, resources: Sequence[Any], **_: Any) -> Mapping[Any, "Future[None]"]:
        self.asked.append([resource.name for resource in resources])
        return {resource: self._answer() for resource in resources}

    def poll(self, timeout: float) -> int:
        return 0

    def list_topics(self, **_: Any) -> Any:
        named = {topic: SimpleNamespace(partitions={0: None, 1: None}) for topic in ("separation.dead-letter",)}
        return SimpleNamespace(topics=named)


def an_admin(cluster: Cluster, timeout_s: float = 60.0) -> KafkaAdmin:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    admin = KafkaAdmin(settings, timeout_s=timeout_s)
    admin._client = cluster  # type: ignore[assignment]
    return admin


def create(admin: KafkaAdmin) -> list[str]:
    return admin.create_topics(TopicSettings(), [], RetentionSettings(), partitions=1, replication=1)


def test_what_passes_is_asked_again_and_only_that() -> None:
    """A topic whose controller is just moving is created in the end; those that are done are not asked for again."""
    cluster = Cluster(KafkaError.NOT_CONTROLLER, None, KafkaError.TOPIC_ALREADY_EXISTS, None, None, None)
    lines = create(an_admin(cluster))
    assert lines == [
        "separation.requests: created",
        "separation.results: created",
        "separation.dead-letter: is there already (partitions: 2; asked for: 1)",
        "separation.progress: created",
        "separation.control: created",
        "separation.audit: created",
    ]
    assert [len(names) for names in cluster.asked] == [6, 1]
    assert cluster.asked[1] == ["separation.requests"]


def test_what_is_refused_is_told_of_at_once() -> None:
    """A refusal names its topic, and is not asked about again."""
    cluster = Cluster(KafkaError.NOT_CONTROLLER, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(Fatal, match=r"^topic separation\.results: "):
        create(an_admin(cluster))
    assert len(cluster.asked) == 1


def test_patience_has_an_end() -> None:
    """A cluster that stays unready is named, for topics and for the group's timing."""
    for call in (create, KafkaAdmin.set_group_timing):
        with pytest.raises(BrokerUnavailable, match=r"^KAFKA_BOOTSTRAP_SERVERS: no broker answers"):
            call(an_admin(Cluster(*[KafkaError._TIMED_OUT] * 10_000), timeout_s=0.01))


def test_the_groups_timing_is_set_in_the_end() -> None:
    """A coordinator that still loads does not leave the group with slow timing; a refusal does, in words."""
    cluster = Cluster(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError._TRANSPORT, None)
    assert an_admin(cluster).set_group_timing() == "group spleeter-consumer: heartbeat 1000 ms, session 6000 ms"
    assert len(cluster.asked) == 3
    refused = an_admin(Cluster(KafkaError.INVALID_CONFIG)).set_group_timing()
    assert "left at the broker's timing" in refused
    assert "group.consumer.min.session.timeout.ms" in refused


def test_what_is_no_trouble_of_kafkas_is_not_asked_again() -> None:
    """Patience is for a cluster's passing troubles alone."""
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        retried(ask, 60.0)
    assert len(asked) == 1
