"""Settings of a cluster that don't fit, one by one: each is found, alone, and what fits is not spoken of."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from consumer.adapters.kafka.misfits import ClusterView, misfits

DAY_MS = 24 * 60 * 60 * 1000
# As Kafka 4 has them from the start.
BROKER = {
    "group.coordinator.rebalance.protocols": "classic,consumer,streams",
    "group.consumer.session.timeout.ms": "45000",
    "transactional.id.expiration.ms": str(7 * DAY_MS),
}
TOPIC = {"min.insync.replicas": "1", "cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
NAMES = ("requests", "requests.retry-1", "results", "dead-letter", "__transaction_state")
WELL = ClusterView(
    topics=dict.fromkeys(NAMES, 1),
    kept=("requests", "requests.retry-1", "dead-letter"),
    topic_settings=dict.fromkeys(NAMES, TOPIC),
    broker_settings=BROKER,
)


def found(view: ClusterView, *, group_protocol: str = "consumer") -> list[str]:
    return misfits(view, group_protocol=group_protocol, retry_delays_s=(10.0, 60.0, 600.0))


def with_topic(name: str, **given: str) -> ClusterView:
    settings: Mapping[str, str] = {**TOPIC, **{key.replace("_", "."): value for key, value in given.items()}}
    return replace(WELL, topic_settings={**WELL.topic_settings, name: settings})


def with_broker(given: Mapping[str, str]) -> ClusterView:
    return replace(WELL, broker_settings={**BROKER, **given})


WITHOUT_KIP_848 = {name: value for name, value in BROKER.items() if not name.startswith("group.")}
WRONG: dict[str, tuple[ClusterView, tuple[str, ...]]] = {
    "no KIP-848, turned off": (
        with_broker({"group.coordinator.rebalance.protocols": "classic"}), ("KAFKA_GROUP_PROTOCOL", "classic"),
    ),
    "no KIP-848, too old": (replace(WELL, broker_settings=WITHOUT_KIP_848), ("KAFKA_GROUP_PROTOCOL", "classic")),
    "producers forgotten": (
        with_broker({"transactional.id.expiration.ms": "8000"}), ("transactional.id.expiration.ms", "8000"),
    ),
    "too few copies": (with_topic("results", min_insync_replicas="2"), ("results", "min.insync.replicas")),
    "too few copies of transactions": (
        with_topic("__transaction_state", min_insync_replicas="2"), ("__transaction_state", "min.insync.replicas"),
    ),
    "short retention": (
        with_topic("requests", retention_ms="600000"), ("requests", "retention.ms", str(DAY_MS + 670_000)),
    ),
}  # fmt: skip


def test_a_cluster_as_it_comes_fits() -> None:
    """And so does one that keeps records for ever, or whose brokers don't let us look."""
    assert found(WELL) == []
    assert found(with_topic("requests", retention_ms="-1")) == []
    assert found(replace(WELL, broker_settings={}, topic_settings={})) == []
    assert found(with_broker({"group.coordinator.rebalance.protocols": "classic"}), group_protocol="classic") == []


@pytest.mark.parametrize("what", WRONG)
def test_each_misfit_is_told_alone(what: str) -> None:
    """With its name, and what mends it."""
    view, words = WRONG[what]
    [told] = found(view)
    assert [word for word in words if word not in told] == []


def test_all_are_told_at_once() -> None:
    """However many there are."""
    worst: dict[str, Any] = {
        "broker_settings": {**BROKER, "transactional.id.expiration.ms": "8000"},
        "topic_settings": {name: {"min.insync.replicas": "2"} for name in NAMES},
    }
    assert len(found(replace(WELL, **worst))) == 1 + len(NAMES)
