"""A cluster for a module's tests, with topics of each test's own."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from consumer.settings import TopicSettings


@pytest.fixture(scope="module")
def cluster() -> Iterator[Producer]:
    """A cluster that lives as long as this producer."""
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    yield producer
    producer.flush(5)


@pytest.fixture
def topics(request: pytest.FixtureRequest, cluster: Producer) -> TopicSettings:
    """Topics of this test's own."""
    name = "".join(letter for letter in request.node.name if letter.isalnum())
    names = {field: f"{name}.{field}" for field in ("requests", "results", "dead_letter", "progress", "control")}
    for topic in names.values():
        cluster.list_topics(topic, timeout=10)  # which creates it
    return TopicSettings.model_validate(names)
