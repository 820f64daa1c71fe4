"""Topics that keep their records for another time than is asked for."""

from collections.abc import Mapping

from consumer.adapters.kafka.cluster import KafkaCluster
from consumer.settings import KafkaSettings, retention_ms


def retention_differences(kafka: KafkaSettings, wanted: Mapping[str, str]) -> dict[str, str]:
    """Of the topics that are there, each that differs, in their order, with what it is set to and what would be right.

    wanted: spans by topic, such as 30d. A topic whose settings we may not see is taken for right. Raises
    BrokerUnavailable.
    """
    cluster = KafkaCluster(kafka)
    found = cluster.topic_settings([name for name in cluster.topics() if name in wanted])
    differences = {}
    for name, span in wanted.items():
        kept, asked = found.get(name, {}).get("retention.ms"), str(retention_ms(span))
        if kept is not None and kept != asked:
            differences[name] = f"retention.ms is {kept}, not {asked} ({span})"
    return differences
