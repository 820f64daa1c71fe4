"""What brokers and topics are set to, held against what the service rests on; each finding says how it is mended.

Settings are text, by Kafka's names for them: a topic's as they are in effect, whoever set them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from consumer.adapters.kafka.config import TRANSACTION_TIMEOUT_MS

# A request of the largest size (AvroCodec.MAX_VALUE_BYTES) with key and headers fits into Kafka's own default; a dead
# letter or a retry holds a whole record, and headers or fields beside it.
REQUEST_MAX_BYTES = 1_048_588
ROOMY_MAX_BYTES = 2 << 20
AUDIT_MAX_BYTES = 64 << 10  # far more than any audit event has
# librdkafka unpacks a batch into memory whole, however large it becomes, and every replica reads each twice. A topic
# that keeps nothing packed has the broker unpack it first, and refuse it where it is above max.message.bytes.
NOT_PACKED = {"compression.type": "uncompressed"}

_FOR_EVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSituation:
    """One topic: its settings, and how many replicas its worst partition has."""

    name: str
    settings: Mapping[str, str]
    replicas: int

    def number(self, setting: str, default: int = 0) -> int:
        """A setting that is a number; for a time -1 stands for ever."""
        value = int(self.settings.get(setting, default))
        return _FOR_EVER if value < 0 else value

    def must_be(self, setting: str, value: object, why: str) -> str:
        """A finding about one of its settings."""
        found = self.settings.get(setting, "not known")
        return f"topic {self.name}: {setting} is {found}, {why}: set {setting}={value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSituation:
    """The topics of the service that are there, by what they are for, and one broker's settings."""

    requests: Sequence[TopicSituation]
    retries: Sequence[TopicSituation]
    results: Sequence[TopicSituation]
    dead_letters: Sequence[TopicSituation]
    control: Sequence[TopicSituation]
    broker: Mapping[str, str]
    audit: Sequence[TopicSituation] = ()

    def findings(self) -> list[str]:
        """What is wrong, a line each; none where all is well."""
        return [
            *self._memory(),
            *self._sizes(),
            *self._cleanup(),
            *self._replication(),
            *self._retention(),
            *self._transactions(),
        ]

    @property
    def _work(self) -> Sequence[TopicSituation]:
        return [*self.requests, *self.retries]

    @property
    def _outcomes(self) -> Sequence[TopicSituation]:
        return [*self.results, *self.dead_letters]

    def _memory(self) -> Iterator[str]:
        for topic in (*self._work, *self.control):
            for setting, value in NOT_PACKED.items():
                if topic.settings.get(setting, value) != value:
                    why = "so a small batch may unpack to gigabytes in every replica"
                    yield topic.must_be(setting, value, why)
            if topic.number("max.message.bytes", ROOMY_MAX_BYTES) > ROOMY_MAX_BYTES:
                yield topic.must_be("max.message.bytes", ROOMY_MAX_BYTES, "and as much takes memory in every replica")

    def _sizes(self) -> Iterator[str]:
        largest = max((t.number("max.message.bytes", REQUEST_MAX_BYTES) for t in self.requests), default=0)
        for topic in (*self.retries, *self.dead_letters):
            if topic.number("max.message.bytes", ROOMY_MAX_BYTES) < largest:
                yield topic.must_be("max.message.bytes", ROOMY_MAX_BYTES, "less than a request may have")
        for topic in self.audit:
            if topic.number("max.message.bytes", AUDIT_MAX_BYTES) < AUDIT_MAX_BYTES:
                yield topic.must_be("max.message.bytes", AUDIT_MAX_BYTES, "less than an audit event may have")

    def _cleanup(self) -> Iterator[str]:
        for topic in (*self._work, *self._outcomes, *self.audit):
            if "compact" in topic.settings.get("cleanup.policy", "delete"):
                why = "which takes no record without a key, and drops the earlier of two with the same"
                yield topic.must_be("cleanup.policy", "delete", why)

    def _replication(self) -> Iterator[str]:
        for topic in (*self.retries, *self._outcomes, *self.audit):
            if topic.number("min.insync.replicas", 1) > topic.replicas:
                why = f"and it has {topic.replicas} replicas, so brokers before Kafka 4.1 take no outcome"
                yield topic.must_be("min.insync.replicas", topic.replicas, why)

    def _retention(self) -> Iterator[str]:
        kept_ms = int(self.broker.get("offsets.retention.minutes", _FOR_EVER)) * 60_000
        for topic in self._work:
            if topic.number("retention.ms", 0) > kept_ms:
                yield (
                    f"offsets.retention.minutes is {self.broker['offsets.retention.minutes']} on the brokers, less than"
                    f" retention.ms of topic {topic.name}: a group that is scaled to none for longer forgets where it"
                    " stands, and must read all outcomes to learn it again; raise the former or lower the latter"
                )
        longest = max((t.number("retention.ms", 0) for t in self._work), default=0)
        for topic in self._outcomes:
            if topic.number("retention.ms", _FOR_EVER) < longest:
                why = "less than requests are kept, so what was done can't be learnt from it"
                yield topic.must_be("retention.ms", -1 if longest == _FOR_EVER else longest, why)

    def _transactions(self) -> Iterator[str]:
        if int(self.broker.get("transaction.max.timeout.ms", TRANSACTION_TIMEOUT_MS)) < TRANSACTION_TIMEOUT_MS:
            yield f"transaction.max.timeout.ms on the brokers must be at least {TRANSACTION_TIMEOUT_MS}"
