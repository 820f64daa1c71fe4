"""`python -m bench.batches HOST:PORT`: what a small batch that unpacks to much takes of whoever reads it.

Prints a table, in Markdown: batches of zeros, by codec and size, to a topic as it is made by default and to one as
`topics create` makes it. What the broker takes is read by a process of its own, in the way a replica reads, and the
peak of its resident memory is told. The topics are deleted again.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.adapters.kafka.broker_settings import NOT_PACKED, REQUEST_MAX_BYTES
from consumer.adapters.kafka.config import consumer_config
from consumer.settings import KafkaSettings

BATCHES = (
    ("none", 100),
    ("none", 900_000),
    ("gzip", 100_000_000),
    ("gzip", 400_000_000),
    ("lz4", 200_000_000),
    ("snappy", 20_000_000),
    ("zstd", 60_000_000),
    ("zstd", 120_000_000),
)
FULL_TOPIC = 256  # records of nearly a mebibyte each, in as many batches
_SILENCE_S = 20.0


def main() -> None:
    """Print the table; or, as `--read TOPIC BOOTSTRAP`, read a topic and print what that took."""
    if sys.argv[1] == "--read":
        sys.stdout.write(read(sys.argv[2], sys.argv[3]))
        return
    with closing(Scene(sys.argv[1])) as scene:
        _say("| one batch, unpacked | sent | a topic as by default: a reader's peak | as `topics create` makes it |")
        _say("|---|---:|---:|---:|")
        for codec, size_bytes in BATCHES:
            told = [scene.try_one({}, codec, size_bytes), scene.try_one(NOT_PACKED, codec, size_bytes)]
            _say(f"| {codec}, {size_bytes / 1e6:,.1f} MB | {scene.sent_kb:,.0f} kB | {told[0]} | {told[1]} |")
        full = scene.try_one(NOT_PACKED, "none", 1_000_000, count=FULL_TOPIC)
        _say(f"| {FULL_TOPIC} batches, none, 1 MB each | {scene.sent_kb:,.0f} kB | | {full} |")


class Scene:
    """A broker, and topics that are there for one trial. sent_kb: what went over the wire in the latest one."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._topics: list[str] = []
        self.sent_kb = 0.0

    def close(self) -> None:
        """Leave no topic behind."""
        for answer in self._admin.delete_topics(self._topics).values():
            answer.result(30)

    def try_one(self, further: Mapping[str, str], codec: str, size_bytes: int, *, count: int = 1) -> str:
        """Send so many batches of one record to a new topic and read them; returns what that took, or why not."""
        topic = f"bench.batches.{uuid.uuid4().hex[:8]}"
        settings = {"max.message.bytes": str(REQUEST_MAX_BYTES), **further}
        self._admin.create_topics([NewTopic(topic, 1, 1, config=settings)])[topic].result(30)
        self._topics.append(topic)
        if refusal := self._send(topic, codec, size_bytes, count):
            return f"refused: {refusal}"
        command = [sys.executable, "-m", "bench.batches", "--read", topic, self._bootstrap_servers]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    def _send(self, topic: str, codec: str, size_bytes: int, count: int) -> str:
        """Returns why the broker did not take it, "" if it did."""
        statistics: list[str] = []
        producer = Producer({
            "bootstrap.servers": self._bootstrap_servers, "compression.type": codec, "batch.num.messages": 1,
            "message.max.bytes": 1_000_000_000, "queue.buffering.max.kbytes": 2_000_000, "retries": 0,
            "statistics.interval.ms": 100, "stats_cb": statistics.append,
        })  # fmt: skip
        refusals: list[str] = []

        def note(error: KafkaError | None, _: Message) -> None:
            if error:
                refusals.append(error.str())

        for _ in range(count):
            producer.produce(topic, bytes(size_bytes), on_delivery=note)
        producer.flush(120)
        statistics.clear()
        while not statistics:
            producer.poll(0.1)
        self.sent_kb = json.loads(statistics[-1])["tx_bytes"] / 1e3
        return refusals[0] if refusals else ""


def read(topic: str, bootstrap_servers: str) -> str:
    """The whole topic, a record at a time as the poll loop does, and the most memory that took; or why it can't be."""
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, group_id="bench.batches")
    consumer = Consumer(consumer_config(settings, None))
    consumer.assign([TopicPartition(topic, 0, 0)])
    trouble = ""
    while True:
        message = consumer.poll(_SILENCE_S)
        if message is None:
            trouble = ", and nothing came"
            break
        if error := message.error():
            trouble = "" if error.name() == "_PARTITION_EOF" else f", {error.str()}"
            break
    status = Path("/proc/self/status").read_text()
    peak_kib = int(status.split("VmHWM:")[1].split()[0])  # of this process since its exec, unlike rusage's
    return f"{peak_kib * 1024 / 1e6:,.0f} MB{trouble}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
