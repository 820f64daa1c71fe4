"""Asks where a group stands in each partition, and where that begins and ends."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, IsolationLevel, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.retrying import ACCESS
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings

_METADATA_S = 5.0


@dataclass(frozen=True, slots=True)
class Offsets:
    """One partition's: where it begins and ends, and from where on nothing is finished."""

    begin: int
    end: int
    committed: int | None

    @property
    def floor(self) -> int:
        """The first record that is not finished, of those that are still there.

        A log that ends before what is committed is another one of its name, or was cut: a replica begins it anew.
        """
        return self.begin if (self.committed or 0) > self.end else max(self.begin, self.committed or 0)


class GroupOffsets:
    """Used by one thread. errors: hears why no connection comes about."""

    def __init__(self, settings: KafkaSettings, topics: Collection[str], errors: ConnectionErrors) -> None:
        self._topics, self._errors = frozenset(topics), errors
        self._admin = connect(AdminClient, producer_config(settings) | {"error_cb": errors}, "lag")
        self._known: list[TopicPartition] = []
        self._known_at = float("-inf")

    def poll(self, timeout_s: float) -> None:
        """Hear what connections failed with."""
        self._admin.poll(timeout_s)

    def of(self, consumer: Consumer, request_s: float) -> dict[TopicPartition, Offsets]:
        """Of each partition of the topics that are there; `consumer` is in the group's name, and no member of it.

        Raises KafkaException, and BrokerUnavailable where none of the topics is there.
        """
        partitions = self._partitions(request_s)
        if not partitions:
            return {}
        asked = [KafkaPartition(*p) for p in partitions]
        first: OffsetSpec = OffsetSpec.earliest()
        last: OffsetSpec = OffsetSpec.latest()
        # Before the ends, so that what is finished meanwhile does not seem to lie behind them.
        committed = _committed(consumer, asked, request_s)
        begins = self._admin.list_offsets(dict.fromkeys(asked, first), request_timeout=request_s)
        ends = self._admin.list_offsets(
            dict.fromkeys(asked, last), isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=request_s
        )
        return {
            p: Offsets(begins[k].result().offset, ends[k].result().offset, committed.get(p))
            for p, k in zip(partitions, asked, strict=True)
        }

    def _partitions(self, request_s: float) -> list[TopicPartition]:
        if time.monotonic() - self._known_at > _METADATA_S:
            # By the client that asks for offsets: after an outage it learns the partitions' leaders by nothing else.
            found = self._admin.list_topics(timeout=request_s).topics
            names = sorted(self._topics & found.keys())
            for missing in sorted(self._topics - found.keys()):
                self._look_for(missing, request_s, is_needed=not names)
            self._known = [TopicPartition(name, number) for name in names for number in found[name].partitions]
            self._known_at = time.monotonic()
        return self._known

    def _look_for(self, topic: str, request_s: float, *, is_needed: bool) -> None:
        """Ask for a topic that is not listed: only then brokers say why. Raises BrokerUnavailable, but for one that is
        missing and not needed.
        """
        refusal = self._admin.list_topics(topic, timeout=request_s).topics[topic].error
        if refusal and (is_needed or refusal.code() in ACCESS):
            raise self._errors.away(KafkaException(refusal), topic=topic)


def _committed(
    consumer: Consumer, partitions: Sequence[KafkaPartition], request_s: float
) -> Mapping[TopicPartition, int]:
    """Of all partitions of the group, whoever owns them.

    By a consumer: the same question kills an AdminClient's process while the coordinator moves (librdkafka #5040).
    """
    found = consumer.committed(list(partitions), timeout=request_s)
    if failed := next((p.error for p in found if p.error), None):
        raise KafkaException(failed)
    return {TopicPartition(p.topic, p.partition): p.offset for p in found if p.offset >= 0}
