"""An embedded broker and an embedded object store, in this process. For a demonstration only.

librdkafka's mock cluster takes part in groups and transactions, but its transactions are no real ones.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer
from minio import Minio
from moto.server import ThreadedMotoServer


@contextmanager
def broker(*topics: str) -> Iterator[str]:
    """Yields the address of a Kafka broker that holds these topics."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    [node] = owner.list_topics(timeout=10).brokers.values()
    for topic in topics:
        owner.list_topics(topic, timeout=10)  # to be asked for it is what makes the mock cluster create it
    yield f"{node.host}:{node.port}"
    del owner  # ends the cluster


@contextmanager
def object_store(*buckets: str) -> Iterator[tuple[str, Minio]]:
    """Yields an S3 endpoint that holds these buckets, and a client for it; every key opens it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it prints every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = Minio(f"{host}:{port}", "demo", "demo-secret", secure=False, region="us-east-1")
    try:
        for bucket in buckets:
            client.make_bucket(bucket)
        yield f"{host}:{port}", client
    finally:
        server.stop()
