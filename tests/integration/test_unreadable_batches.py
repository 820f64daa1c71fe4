"""A batch that can't be read, on a real broker: told with its place, and nothing else stops or is lost for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from consumer.core.events import DeadLetter, SeparationResult
from devstack.kafka import kafka as a_kafka
from devstack.service import Service, free_port
from harness.clips import write_clip
from harness.platform import Platform, make_platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for
from tests.conftest import MinioServer

UNPACKED_BYTES = 40_000_000  # three of them are more than receive.message.max.bytes


def takes_packed_batches(platform: Platform) -> None:
    """As a topic does that was not made by `topics create`."""
    entry = ConfigEntry("compression.type", "producer", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, platform.topic("REQUESTS"), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result(30)


def send_packed(platform: Platform, count: int) -> None:
    """So many records of partition 0 in one batch of a few kilobytes."""
    producer = Producer({
        "bootstrap.servers": platform.bootstrap_servers, "compression.type": "zstd", "linger.ms": 2000,
        "message.max.bytes": 1_000_000_000, "batch.size": 1_000_000_000, "queue.buffering.max.kbytes": 1_000_000,
    })  # fmt: skip
    errors: list[object] = []
    for _ in range(count):
        producer.produce(
            platform.topic("REQUESTS"),
            bytes(UNPACKED_BYTES),
            partition=0,
            on_delivery=lambda error, _: errors.append(error),
        )
    assert producer.flush(60) == 0
    assert errors == [None] * count


def send_one(platform: Platform, key: str, partition: int) -> str:
    request = platform.a_request(key)
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    producer.produce(
        platform.topic("REQUESTS"), platform.codec.encode(request), request.request_id.encode(), partition=partition
    )
    assert producer.flush(30) == 0
    return request.request_id


def assert_told(platform: Platform, replica: ReplicaProcess, offset: int) -> None:
    """By one line, by /ready, and by a lag that is known for every partition."""
    topic = platform.topic("REQUESTS")
    wait_for(lambda: bool(replica.said("partition.unreadable")))
    [line] = replica.said("partition.unreadable")
    assert (line["topic"], line["partition"], line["offset"]) == (topic, 0, offset)
    assert "docs/operate.md#a-batch-that-cant-be-read" in str(line["see"])
    ready = replica.get("/ready")
    assert ready is not None
    assert ready.status_code == 503
    assert f"{topic} [0] can't be read at {offset}" in ready.json()["checks"]["group"]
    assert not replica.said("lag.unknown")


def skip(platform: Platform, before: int) -> None:
    """Delete the records of partition 0 before that offset."""
    place = TopicPartition(platform.topic("REQUESTS"), 0, before)
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.delete_records([place])[place].result(30)


def test_a_batch_above_the_limit_when_unpacked_keeps_nobody_else_waiting(platform: Platform, tmp_path: Path) -> None:
    """Others get their results; by a higher limit its records get their outcome too, and so do those behind them."""
    takes_packed_batches(platform)
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    before = send_one(platform, key, 0)
    send_packed(platform, 3)
    others = {before, *(send_one(platform, key, partition) for partition in range(1, 6))}
    behind = send_one(platform, key, 0)
    replica = platform.start_replica()
    wait_for(lambda: len(platform.read_outcomes()) == len(others))
    assert {outcome.request_id for outcome in platform.read_outcomes()} == others
    assert_told(platform, replica, offset=1)
    topic = platform.topic("REQUESTS")
    wait_for(lambda: replica.gauges("lag_messages").get((topic, 0)) == 4)
    others_lag = {(topic, partition): 0.0 for partition in range(1, 6)}
    wait_for(lambda: others_lag.items() <= replica.gauges("lag_messages").items())
    lag = platform.run("lag")
    assert lag.returncode == 0, lag.stderr
    replica.process.terminate()
    replica.process.wait(60)
    again = platform.start_replica(KAFKA_RECEIVE_MESSAGE_MAX_BYTES="200000000")
    again.wait_ready()
    outcomes = platform.outcomes(10)
    letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
    assert sorted((letter.offset, str(letter.code)) for letter in letters) == [
        (offset, "AVRO_UNDECODABLE") for offset in (1, 2, 3)
    ]
    results = [outcome.request_id for outcome in outcomes if isinstance(outcome, SeparationResult)]
    assert sorted(results) == sorted([*others, behind])
    assert not again.said("partition.unreadable")


def test_a_batch_that_is_deleted_is_passed(one_partition: Platform, tmp_path: Path) -> None:
    """Once the records are deleted up to the batch's end, the running replica goes on behind it."""
    platform = one_partition
    takes_packed_batches(platform)
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica()
    replica.wait_ready()
    send_packed(platform, 3)
    behind = send_one(platform, key, 0)
    assert_told(platform, replica, offset=0)
    assert platform.read_outcomes() == []
    skip(platform, before=3)
    [outcome] = platform.outcomes(1)
    assert outcome.request_id == behind
    replica.wait_ready()


class OwnBroker:
    """A broker that is stopped and started, with a platform of one partition on it."""

    def __init__(self, service: Service, platform: Platform) -> None:
        self._service, self.platform = service, platform
        self._running = service.start()

    @property
    def log(self) -> Path:
        """The one segment of the requests' only partition."""
        [file] = (self._service.folder / "data" / f"{self.platform.topic('REQUESTS')}-0").glob("*.log")
        return file

    def restart(self, change: Callable[[bytearray], None]) -> None:
        """Stopped in good order, its file of requests changed, and started again."""
        self._running.stop()
        content = bytearray(self.log.read_bytes())
        change(content)
        self.log.write_bytes(content)
        self._running = self._service.start()

    def stop(self) -> None:
        self._running.stop()


@pytest.fixture
def own_broker(minio: MinioServer, tmp_path: Path, model_path: Path) -> Iterator[OwnBroker]:
    port = free_port()
    service = a_kafka(tmp_path / "kafka", port)
    first = service.start()
    platform = make_platform(f"127.0.0.1:{port}", minio.endpoint, tmp_path, model_path, partitions=1)
    first.stop()
    broker = OwnBroker(service, platform)
    yield broker
    platform.close()
    broker.stop()


def batch_begins(content: bytearray) -> list[int]:
    """Where each batch begins: 8 bytes of base offset, 4 of the length of what follows these 12."""
    begins, at = [], 0
    while at < len(content):
        begins.append(at)
        at += 12 + int.from_bytes(content[at + 8 : at + 12], "big")
    return begins


def in_the_value(content: bytearray, begin: int) -> int:
    return begin + 100


def in_the_codec(content: bytearray, begin: int) -> int:
    return begin + 22  # the low byte of the attributes, whose last three bits name the codec


@pytest.mark.parametrize("place", [in_the_value, in_the_codec])
def test_what_a_disk_has_altered_is_no_request_and_is_not_passed_over(
    own_broker: OwnBroker, tmp_path: Path, place: Callable[[bytearray, int], int]
) -> None:
    """The batch's checksum tells; what lies behind it waits, and all have one outcome once it is as it was."""
    platform = own_broker.platform
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    sent = [send_one(platform, key, 0) for _ in range(4)]

    def alter(content: bytearray) -> None:
        content[place(content, batch_begins(content)[1])] ^= 0x07

    own_broker.restart(alter)
    replica = platform.start_replica()
    wait_for(lambda: len(platform.read_outcomes()) == 1)
    assert_told(platform, replica, offset=1)
    # Time for the client to go on behind it, if it did.
    wait_for(lambda: replica.gauges("lag_messages").get((platform.topic("REQUESTS"), 0), 0) >= 2)
    assert [outcome.request_id for outcome in platform.read_outcomes()] == sent[:1]
    own_broker.restart(alter)
    outcomes = platform.outcomes(4)
    assert sorted(outcome.request_id or "" for outcome in outcomes) == sorted(sent)
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    replica.wait_ready()
