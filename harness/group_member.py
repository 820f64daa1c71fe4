"""What a member of a group is tried with: a topic to read, and somebody to tell of its partitions."""

from uuid import uuid4

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]


class Listener:
    """Takes whatever it is given, and holds nothing."""

    def assigned(self, _: object) -> None:
        pass

    def released(self, _: object) -> dict[object, object]:
        return {}

    revoked = lost = assigned


def topic_of_one_record(bootstrap_servers: str) -> str:
    """A new topic of one partition, which holds a single record."""
    name = f"read-{uuid4().hex}"
    brokers: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap_servers}
    admin = AdminClient(brokers)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(60)
    producer = Producer(brokers)
    producer.produce(name, b"a value")
    assert producer.flush(60) == 0
    return name
