"""What is found wrong with the settings of topics and brokers, and how each finding is mended."""

from collections.abc import Mapping

import pytest

from consumer.adapters.kafka.broker_settings import BrokerSituation, TopicSituation

WEEK_MS = str(7 * 24 * 3_600_000)
# As `topics create` sets them, and Kafka's own defaults beside.
TOPICS: Mapping[str, Mapping[str, str]] = {
    "requests": {"compression.type": "uncompressed", "max.message.bytes": "1048588"},
    "retry": {"compression.type": "uncompressed", "max.message.bytes": "2097152"},
    "results": {"compression.type": "producer", "max.message.bytes": "1048588"},
    "dead-letter": {"compression.type": "producer", "max.message.bytes": "2097152"},
    "control": {"compression.type": "uncompressed", "max.message.bytes": "1048588"},
    "audit": {"compression.type": "producer", "max.message.bytes": "1048588"},
}
DEFAULTS = {"cleanup.policy": "delete", "min.insync.replicas": "1", "retention.ms": WEEK_MS}
BROKER = {"offsets.retention.minutes": "10080", "transaction.max.timeout.ms": "900000"}


def found(topic: str = "", broker: Mapping[str, str] = BROKER, replicas: int = 3, **settings: str) -> list[str]:
    """With these settings of one topic changed, named with _ for the dots."""

    def situation(name: str) -> TopicSituation:
        changed = {key.replace("_", "."): value for key, value in settings.items()} if name == topic else {}
        return TopicSituation(name=name, settings={**DEFAULTS, **TOPICS[name], **changed}, replicas=replicas)

    return BrokerSituation(
        requests=[situation("requests")],
        retries=[situation("retry")],
        results=[situation("results")],
        dead_letters=[situation("dead-letter")],
        control=[situation("control")],
        audit=[situation("audit")],
        broker=broker,
    ).findings()


def test_as_they_are_created_nothing_is_wrong() -> None:
    """Also with a factor that is just enough, and where nothing is known of a setting."""
    assert found() == []
    assert found("results", replicas=2, min_insync_replicas="2") == []
    nothing = [TopicSituation(name="t", settings={}, replicas=1)]
    situation = BrokerSituation(
        requests=nothing, retries=nothing, results=nothing, dead_letters=nothing, control=nothing, broker={}
    )
    assert situation.findings() == []


@pytest.mark.parametrize(
    ("topic", "setting", "value", "mend"),
    [
        ("audit", "cleanup_policy", "compact", "set cleanup.policy=delete"),
        ("audit", "max_message_bytes", "1000", "set max.message.bytes=65536"),
        ("audit", "min_insync_replicas", "4", "set min.insync.replicas=3"),
        ("requests", "compression_type", "producer", "set compression.type=uncompressed"),
        ("retry", "compression_type", "zstd", "set compression.type=uncompressed"),
        ("control", "compression_type", "gzip", "set compression.type=uncompressed"),
        ("control", "max_message_bytes", "2097153", "set max.message.bytes=2097152"),
        ("retry", "max_message_bytes", "1048587", "set max.message.bytes=2097152"),
        ("dead-letter", "max_message_bytes", "1048587", "set max.message.bytes=2097152"),
        ("requests", "cleanup_policy", "compact", "set cleanup.policy=delete"),
        ("dead-letter", "cleanup_policy", "compact,delete", "set cleanup.policy=delete"),
        ("results", "min_insync_replicas", "4", "set min.insync.replicas=3"),
        ("results", "retention_ms", "3600000", f"set retention.ms={WEEK_MS}"),
        ("dead-letter", "retention_ms", "3600000", f"set retention.ms={WEEK_MS}"),
    ],
)
def test_each_finding_names_topic_setting_and_mend(topic: str, setting: str, value: str, mend: str) -> None:
    """One line, of that topic alone."""
    [line] = found(topic, BROKER, 3, **{setting: value})
    assert line.startswith(f"topic {topic}: {setting.replace('_', '.')} is {value}, ")
    assert line.endswith(mend)


def test_a_large_request_makes_other_topics_too_small() -> None:
    """Each is told; one that holds 3 MB takes memory as well."""
    lines = found("requests", max_message_bytes="3145728")
    assert sorted(line.split(":")[0] for line in lines) == ["topic dead-letter", "topic requests", "topic retry"]


def test_offsets_that_are_forgotten_before_requests_are() -> None:
    """An hour is less than a week, and a topic that keeps requests for ever is never forgotten too late."""
    lines = found(broker={**BROKER, "offsets.retention.minutes": "60"})
    assert [line.split(" is ")[0] for line in lines] == ["offsets.retention.minutes"] * 2
    lines = found("requests", retention_ms="-1")
    assert [line.split(" ")[0] for line in lines] == ["offsets.retention.minutes", "topic", "topic"]
    assert {line.rsplit(" ", 1)[1] for line in lines[1:]} == {"retention.ms=-1"}


def test_a_broker_that_ends_transactions_too_soon() -> None:
    """Ours take up to ten seconds."""
    [line] = found(broker={**BROKER, "transaction.max.timeout.ms": "9999"})
    assert line == "transaction.max.timeout.ms on the brokers must be at least 10000"
