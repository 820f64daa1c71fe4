"""What a group has finished and what there is, asked by a client that is kept: making one for each look, many times
while a test waits, would cost the broker more than the answers do."""

from collections.abc import Sequence
from functools import partial

from confluent_kafka import Consumer, TopicPartition

from consumer.adapters.kafka.retrying import retried

_ANSWER_S, _PATIENCE_S = 30.0, 180.0


class GroupReader:
    """Asks in the group's name, and is never a member."""

    def __init__(self, bootstrap_servers: str, group_id: str) -> None:
        self.bootstrap_servers, self.group_id = bootstrap_servers, group_id
        # Soon there again where brokers were away, and without a word about it.
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap_servers, "group.id": group_id, "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
        })  # fmt: skip

    def places(self, *prefixes: str) -> list[TopicPartition]:
        """The partitions of all topics whose names begin like one of these."""
        topics = retried(lambda: self._consumer.list_topics(timeout=_ANSWER_S), _PATIENCE_S).topics
        return [
            TopicPartition(name, number)
            for name, topic in topics.items()
            if name.startswith(prefixes)
            for number in topic.partitions
        ]

    def committed(self, places: Sequence[TopicPartition]) -> list[TopicPartition]:
        """With the group's offsets, which are negative where it has none."""
        return retried(lambda: self._consumer.committed(list(places), timeout=_ANSWER_S), _PATIENCE_S)

    def ends(self, places: Sequence[TopicPartition]) -> list[int]:
        """Behind the last record of each that no open transaction holds back."""
        ask = self._consumer.get_watermark_offsets
        return [retried(partial(ask, place, timeout=_ANSWER_S), _PATIENCE_S)[1] for place in places]

    def close(self) -> None:
        self._consumer.close()
