"""librdkafka's own mock of a cluster, from outside the client."""

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.events import Event
from consumer.settings import KafkaSettings

CODEC = AvroCodec()


def settings(servers: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=servers)


def address_of(cluster: Producer) -> str:
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    return f"{broker.host}:{broker.port}"


def records(cluster: Producer, topic: str, count: int) -> list[Message]:
    """The first records of a topic, by a consumer that is none of ours."""
    consumer = Consumer({"bootstrap.servers": address_of(cluster), "group.id": "any", "log_level": 0})
    partitions = cluster.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    while len(found) < count:
        found += [message for message in consumer.consume(count, 20.0) if message.error() is None]
    consumer.close()
    return found


def publish(cluster: Producer, topic: str, *events: Event, value: bytes | None = None) -> None:
    for event in events:
        cluster.produce(topic, CODEC.encode(event), b"key")
    if value is not None:
        cluster.produce(topic, value, b"key")  # behind what has the same key, and before what comes
    assert cluster.flush(60) == 0
