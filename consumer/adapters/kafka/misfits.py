"""What of a Kafka cluster does not fit this deployment's settings, or Kafka's own topics: told with what mends it.

What topics of ours are set to is looked at by `broker_settings`.

Pure: what the cluster says is handed in. A setting that is not there, or that we may not see, is taken for right.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_DAY_MS = 86_400_000
_SHORTEST_IDLE_MS = 3_600_000  # of a transactional id; a quiet hour is nothing unusual
# Only where one of these is on, group.protocol=consumer is: by its name, or by a setting that came with it.
_PROTOCOLS, _CAME_WITH_IT = "group.coordinator.rebalance.protocols", "group.consumer.session.timeout.ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """What is known of a cluster.

    topics: name -> copies of each record. kept: those that records wait in. topic_settings: name -> property -> value.
    broker_settings: property -> value.
    """

    topics: Mapping[str, int]
    kept: Sequence[str] = ()
    topic_settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    broker_settings: Mapping[str, str] = field(default_factory=dict)


def misfits(view: ClusterView, *, group_protocol: str, retry_delays_s: Sequence[float]) -> list[str]:
    """What is wrong, a sentence each."""
    return [
        *_of_brokers(view.broker_settings, group_protocol),
        *_of_copies(view),
        *_of_retention(view, _DAY_MS + round(1000 * sum(retry_delays_s))),
    ]


def _of_brokers(found: Mapping[str, str], group_protocol: str) -> Iterator[str]:
    offered = found.get(_PROTOCOLS, "consumer" if not found or _CAME_WITH_IT in found else "")
    if group_protocol == "consumer" and "consumer" not in offered:
        yield "KAFKA_GROUP_PROTOCOL: the brokers don't offer `consumer` (KIP-848): set classic, or turn it on there"
    idle_ms = _number(found, "transactional.id.expiration.ms")
    if idle_ms is not None and idle_ms < _SHORTEST_IDLE_MS:
        yield (
            f"transactional.id.expiration.ms on the brokers is {idle_ms}: an idle replica's producer is forgotten so"
            f" soon, and made anew each time; at least {_SHORTEST_IDLE_MS}"
        )


def _of_copies(view: ClusterView) -> Iterator[str]:
    for topic, copies in view.topics.items():
        needed = _number(view.topic_settings.get(topic, {}), "min.insync.replicas")
        if needed is not None and needed > copies:
            yield (
                f"topic {topic}: min.insync.replicas is {needed}, and there are {copies} replicas: it takes nothing;"
                " lower the one or add to the others"
            )


def _of_retention(view: ClusterView, at_least_ms: int) -> Iterator[str]:
    for topic in view.kept:
        kept_ms = _number(view.topic_settings.get(topic, {}), "retention.ms")
        if kept_ms is not None and 0 <= kept_ms < at_least_ms:
            yield (
                f"topic {topic}: retention.ms is {kept_ms}: what waits through RETRY_DELAYS and an outage of a day is"
                f" deleted before it is done; at least {at_least_ms}"
            )


def _number(found: Mapping[str, str], name: str) -> int | None:
    value = found.get(name, "")
    return int(value) if value.lstrip("-").isdigit() else None
