"""What is set up in Kafka once: topics, and how soon the group notices that a replica is gone."""

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from consumer.adapters.kafka.broker_settings import NOT_PACKED, REQUEST_MAX_BYTES, ROOMY_MAX_BYTES
from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.retrying import ACCESS, access_refused, is_transient, reason_of
from consumer.core.errors import Fatal
from consumer.settings import KafkaSettings, RetentionSettings, TopicSettings, retention_ms

_REQUEST_S = 15.0
HEARTBEAT_MS, SESSION_MS = 1_000, 6_000
_EXISTS = "is there already"


class KafkaAdmin:
    """What an operator sets up in a cluster.

    A cluster that is only getting ready is asked again for `timeout_s` seconds. Every method raises Fatal with one line
    where the broker refuses, and BrokerUnavailable where none answers.
    """

    def __init__(self, settings: KafkaSettings, *, timeout_s: float = 30.0) -> None:
        self._settings, self._timeout_s = settings, timeout_s
        self._errors = ConnectionErrors()
        self._client = connect(AdminClient, producer_config(settings) | {"error_cb": self._errors}, "admin")

    def create_topics(
        self,
        topics: TopicSettings,
        retry_topics: Sequence[str],
        retention: RetentionSettings,
        *,
        partitions: int,
        replication: int,
    ) -> list[str]:
        """Create what is missing; returns one line a topic, which says so where one exists with other partitions."""
        roomy = {"max.message.bytes": str(ROOMY_MAX_BYTES)}
        wanted: dict[str, tuple[int, Mapping[str, str]]] = {
            topics.requests: (partitions, NOT_PACKED | {"max.message.bytes": str(REQUEST_MAX_BYTES)}),
            **dict.fromkeys(retry_topics, (partitions, NOT_PACKED | roomy)),
            topics.results: (partitions, {}),
            topics.dead_letter: (partitions, roomy),
            topics.progress: (partitions, {}),
            topics.control: (1, NOT_PACKED),
            topics.audit: (partitions, {}),
        }
        spans = retention.of_topics(topics, retry_topics)
        new = [
            NewTopic(
                name,
                num_partitions=count,
                replication_factor=replication,
                config={**config, "retention.ms": str(retention_ms(spans[name]))},
            )
            for name, (count, config) in wanted.items()
        ]
        left, reports = {topic.topic: topic for topic in new}, dict[str, str]()

        def create(_: float) -> None:
            asked = self._client.create_topics(
                list(left.values()), operation_timeout=_REQUEST_S, request_timeout=_REQUEST_S
            )
            self._errors.wait(self._client, asked.values(), _REQUEST_S)
            answers = {name: future.exception() for name, future in asked.items()}
            for name, answer in answers.items():
                if answer is None or _code(answer) == KafkaError.TOPIC_ALREADY_EXISTS:
                    reports[name] = _EXISTS if answer else "created"
                    del left[name]
                elif not is_transient(answer):
                    code, reason = _code(answer), reason_of(answer)
                    # Refused is the topic, and given is the right by one to the cluster.
                    cluster = KafkaError.CLUSTER_AUTHORIZATION_FAILED
                    told = access_refused(reason, cluster) if code in ACCESS else reason
                    raise Fatal(f"topic {name}: {told}") from answer
            if passing := next((answer for name, answer in answers.items() if name in left), None):
                raise passing

        try:
            self._patiently(create)
        except KafkaException as error:
            raise self._errors.away(error) from error
        existing = self.partitions() if _EXISTS in reports.values() else {}
        return [
            f"{name}: {reports[name]}{_difference(existing[name], count) if name in existing else ''}"
            for name, (count, _) in wanted.items()
        ]

    def partitions(self) -> Mapping[str, int]:
        """How many partitions each topic has that we may see."""
        try:
            found = self._errors.patiently(
                self._client, lambda slice_s: self._client.list_topics(timeout=slice_s).topics, _REQUEST_S
            )
        except KafkaException as error:
            raise self._errors.away(error) from error
        return {name: len(topic.partitions) for name, topic in found.items()}

    def set_group_timing(self) -> str:
        """Let a replica that died be noticed within seconds; returns a line about it."""
        entries = {"consumer.heartbeat.interval.ms": HEARTBEAT_MS, "consumer.session.timeout.ms": SESSION_MS}
        resource = ConfigResource(
            ResourceType.GROUP,
            self._settings.group_id,
            incremental_configs=[
                ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)
                for name, value in entries.items()
            ],
        )

        def set_timing(_: float) -> None:
            asked = self._client.incremental_alter_configs([resource], request_timeout=_REQUEST_S)
            self._errors.wait(self._client, asked.values(), _REQUEST_S)
            asked[resource].result()

        try:
            self._patiently(set_timing)
        except KafkaException as error:
            if is_transient(error):
                raise self._errors.away(error) from error
            return (
                f"group {self._settings.group_id}: left at the broker's timing ({reason_of(error)});"
                f" group.consumer.min.session.timeout.ms on the broker must allow {SESSION_MS}"
            )
        return f"group {self._settings.group_id}: heartbeat {HEARTBEAT_MS} ms, session {SESSION_MS} ms"

    def _patiently(self, ask: Callable[[float], None]) -> None:
        self._errors.patiently(self._client, ask, self._timeout_s)


def _difference(partitions: int, asked: int) -> str:
    """Not mended here: partitions that are added move keys to others, and none can be taken away."""
    return "" if partitions == asked else f" (partitions: {partitions}; asked for: {asked})"


def _code(error: BaseException) -> int:
    return int(error.args[0].code()) if isinstance(error, KafkaException) else 0
