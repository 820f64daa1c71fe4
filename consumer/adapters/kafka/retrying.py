"""Questions to a cluster that is only getting ready: asked again for a while, not taken for an error.

A topic that was just created has no leader yet, a group that is new has no coordinator, a broker that was just started
still loads what it coordinates. librdkafka asks again by itself inside transactions and for members of a group, and
leaves it to us elsewhere. (`KafkaError.retriable` is only set by transactions.)
"""

from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from consumer.core.errors import BrokerUnavailable, TopicUnavailable

RETRY_EVERY_S = 0.2
TRANSIENT = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._WAIT_CACHE,
        KafkaError._WAIT_COORD,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_CONTROLLER,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)

# The right that is missing where Kafka's access control says no.
ACCESS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "rights on that topic (docs/security.md)",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "Read on the group KAFKA_GROUP_ID",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "that right on the cluster (docs/security.md)",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "Write on transactional ids that begin with KAFKA_GROUP_ID",
}
MISSING = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART})

_NO_POSITIONS = "Failed to fetch committed offset"

T = TypeVar("T")


def has_no_positions(error: KafkaError) -> bool:
    """Whether a member of a group was not told where to read on, which only the words say: librdkafka (2.16,
    rdkafka_assignment.c) begins with none of those partitions then, and asks no more. Another member has to.
    """
    return error.str().startswith(_NO_POSITIONS)


def is_transient(error: BaseException) -> bool:
    """Whether the same question may well be answered a moment later."""
    return isinstance(error, KafkaException) and error.args[0].code() in TRANSIENT


def reason_of(error: BaseException) -> str:
    """What went wrong, in librdkafka's words where they are its own."""
    return str(error.args[0].str()) if isinstance(error, KafkaException) else str(error)


def broker_away(error: BaseException | str, explained: str = "", *, topic: str = "") -> BrokerUnavailable:
    """What to raise where the cluster does not do what it was asked for: one line that names what to look at.

    explained: what went wrong, where more is known than the error says. topic: what was asked for, if that was one.
    """
    reason = explained or (error if isinstance(error, str) else reason_of(error))
    code = error.args[0].code() if isinstance(error, KafkaException) else 0
    if code in ACCESS:
        reason = access_refused(reason, code)
        return TopicUnavailable(f"topic {topic}: {reason}") if topic else BrokerUnavailable(reason)
    if topic and code in MISSING:
        return TopicUnavailable(f"topic {topic}: {reason}: `topics create` makes what is missing")
    return BrokerUnavailable(f"KAFKA_BOOTSTRAP_SERVERS: no broker answers as it should ({reason})")


def access_refused(reason: str, code: int) -> str:
    """One line on what Kafka refuses for good: a right that its access control does not give, or us as a whole."""
    needed = f": KAFKA_SASL_USERNAME, or whoever we are to it, needs {ACCESS[code]}" if code in ACCESS else ""
    return f"Kafka refuses access: {reason}{needed}"


def retried(ask: Callable[[], T], timeout_s: float, *, every_s: float = RETRY_EVERY_S) -> T:
    """The answer, asked for every `every_s` seconds for as long as `is_transient` says that this may help.

    Raises KafkaException with what does not pass, or has not passed within `timeout_s` seconds.
    """
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(every_s),
        reraise=True,
    )(ask)
