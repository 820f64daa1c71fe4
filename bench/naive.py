"""`python -m bench.naive`: what one writes first. A poll loop around a warm Separator, offsets committed by themselves.

It reads the same settings as the service. Nothing here survives a crash, a rebalance or a failed upload.
"""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, Producer
from minio import Minio
from spleeter.separator import Separator

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.events import SeparationResult


def main() -> None:
    settings, codec, separator = os.environ, AvroCodec(), Separator("spleeter:2stems")
    store = Minio(settings["MINIO_ENDPOINT"], settings["MINIO_ACCESS_KEY"], settings["MINIO_SECRET_KEY"], secure=False)
    consumer = Consumer({
        "bootstrap.servers": settings["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "naive", "auto.offset.reset": "earliest",
    })  # fmt: skip
    producer = Producer({"bootstrap.servers": settings["KAFKA_BOOTSTRAP_SERVERS"]})
    consumer.subscribe([settings["TOPIC_REQUESTS"]])
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        request = codec.decode_request(message.value())
        with tempfile.TemporaryDirectory() as folder:
            song = Path(folder, f"song{Path(request.source.key).suffix}")
            store.fget_object(request.source.bucket, request.source.key, str(song))
            separator.separate_to_file(str(song), folder)
            for stem in Path(folder, "song").iterdir():
                store.fput_object(settings["OUTPUT_BUCKET"], f"stems/{request.request_id}/{stem.name}", str(stem))
        result = SeparationResult(request_id=request.request_id, completed_at=datetime.now(UTC))
        producer.produce(settings["TOPIC_RESULTS"], codec.encode(result), request.request_id.encode())
        producer.flush()


if __name__ == "__main__":
    main()
