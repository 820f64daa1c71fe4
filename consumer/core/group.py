"""Who is in the consumer group, as its coordinator tells."""

from dataclasses import dataclass

from consumer.core.model import TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One replica. instance_id: its name, where it has one of its own (INSTANCE_ID); host: its address.

    partitions: those that it has now.
    """

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    partitions: tuple[TopicPartition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """state: in Kafka's words, such as stable or empty; "unknown" where brokers don't know the group."""

    state: str
    members: tuple[GroupMember, ...] = ()
