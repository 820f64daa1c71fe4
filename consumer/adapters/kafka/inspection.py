"""How a cluster is set up, against what this deployment needs of it: for `doctor`, and for a replica that starts."""

from collections.abc import Sequence
from itertools import chain

from consumer.adapters.kafka.broker_settings import BrokerSituation, TopicSituation
from consumer.adapters.kafka.cluster import KafkaCluster
from consumer.adapters.kafka.misfits import ClusterView, misfits
from consumer.settings import KafkaSettings, TopicSettings

_INTERNAL = ("__consumer_offsets", "__transaction_state")  # where offsets and transactions are kept


def inspect(
    kafka: KafkaSettings, topics: TopicSettings, *, retry_topics: Sequence[str], retry_delays_s: Sequence[float]
) -> list[str]:
    """What is wrong with the cluster's settings, a sentence each; topics that are missing are none of it.

    Settings that we may not see are taken for right. Raises BrokerUnavailable where no broker answers as it should, or
    gives no right to one of the topics.
    """
    cluster = KafkaCluster(kafka)
    found = cluster.topics()
    of_brokers = cluster.broker_settings()
    waiting = (topics.requests, *retry_topics)
    ours = (*waiting, topics.results, topics.dead_letter, topics.progress, topics.control)
    for name in ours:
        if name not in found:
            cluster.check_right(name)
    settings = cluster.topic_settings([name for name in chain(ours, (topics.audit,), _INTERNAL) if name in found])
    view = ClusterView(
        topics={name: found[name].replicas for name in _INTERNAL if name in found},
        kept=(*waiting, topics.dead_letter),
        topic_settings=settings,
        broker_settings=of_brokers,
    )

    def situations(*names: str) -> list[TopicSituation]:
        return [
            TopicSituation(name=name, settings=settings[name], replicas=found[name].replicas)
            for name in names
            if settings.get(name)
        ]

    situation = BrokerSituation(
        requests=situations(topics.requests),
        retries=situations(*retry_topics),
        results=situations(topics.results),
        dead_letters=situations(topics.dead_letter),
        control=situations(topics.control),
        broker=of_brokers,
        audit=situations(topics.audit),
    )
    of_deployment = misfits(view, group_protocol=kafka.group_protocol, retry_delays_s=retry_delays_s)
    return [*of_deployment, *situation.findings()]
