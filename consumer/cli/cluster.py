"""How a cluster is set up, against what this deployment's settings need of it."""

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.settings import Settings

_INTERNAL = ("__consumer_offsets", "__transaction_state")  # where offsets and transactions are kept


def misfits_of(settings: "Settings") -> list[str]:
    """What is wrong with the cluster's settings, a sentence each; topics that are missing are none of it.

    Raises BrokerUnavailable where no broker answers as it should, or gives no right to one of the topics.
    """
    from consumer.adapters.kafka.cluster import KafkaCluster
    from consumer.adapters.kafka.misfits import ClusterView, misfits

    topics, cluster = settings.topics, KafkaCluster(settings.kafka)
    found = cluster.topics()
    of_brokers = cluster.broker_settings()
    waiting = (topics.requests, *settings.retry_topics)
    ours = (*waiting, topics.results, topics.dead_letter, topics.progress, topics.control, topics.audit)
    for name in ours:
        if name not in found:
            cluster.check_right(name)
    there = [name for name in chain(ours, _INTERNAL) if name in found]
    view = ClusterView(
        topics={name: found[name].replicas for name in _INTERNAL if name in found},
        kept=(*waiting, topics.dead_letter),
        topic_settings=cluster.topic_settings(there),
        broker_settings=of_brokers,
    )
    return misfits(view, group_protocol=settings.kafka.group_protocol, retry_delays_s=settings.service.retry_delays)
