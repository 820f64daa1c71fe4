"""Records that kill whoever reads them, before anybody has seen them, in real replicas, among good ones."""

import os
import random
from pathlib import Path

import pytest
from confluent_kafka import Producer

from consumer.core.events import DeadLetter, SeparationResult
from consumer.delivery.reading import MAX_DEATHS
from harness.chaos.oracle import undecided
from harness.chaos.traffic import Traffic
from harness.platform import Platform
from harness.waiting import LONG_PATIENCE_S, wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer
from tests.integration.test_unreadable_batches import takes_packed_batches

UNPACKED_BYTES = 400_000_000
LIMIT_KIB = 900_000  # of address space: a replica without networks takes two thirds of it
# One that nobody counted, since records before it had come through; one that was charged to all that was about to be
# read; and those that were the record's own.
MOST_DEATHS = MAX_DEATHS + 2
KILLS = b"kills who decodes it"
# In each process that is started with it: whatever decodes that value ends at once, as by a crash in a C extension.
DEADLY_CODEC = f"""
import os
from consumer.adapters.avro.codec import AvroCodec

decode = AvroCodec.decode

def deadly(self, kind, value):
    if value == {KILLS!r}:
        os._exit(66)
    return decode(self, kind, value)

AvroCodec.decode = deadly
"""


@pytest.fixture
def traffic(new_platform: NewPlatform, kafka: Kafka, minio: MinioServer) -> Traffic:
    traffic = Traffic(new_platform(kafka.bootstrap_servers, minio.endpoint), random.Random(5))
    traffic.add_sources(2)
    return traffic


def send_good(traffic: Traffic, *partitions: int) -> None:
    for partition in partitions:
        traffic.send_request(partition=partition, source="song-0.wav")
    traffic.flush()


def send_bad(platform: Platform, value: bytes, *, packed: bool) -> None:
    producer = Producer({
        "bootstrap.servers": platform.bootstrap_servers, "compression.type": "gzip" if packed else "none",
        "message.max.bytes": 1_000_000_000, "queue.buffering.max.kbytes": 1_000_000,
    })  # fmt: skip
    errors: list[object] = []
    producer.produce(platform.topic("REQUESTS"), value, partition=0, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    assert errors == [None]


def bring_to_an_end(platform: Platform) -> int:
    """As an orchestrator would: what died is started again, until nothing is left to do. Returns how many died."""
    replicas = [platform.start_replica()]

    def is_done() -> bool:
        if replicas[-1].process.poll() is not None:
            assert len(replicas) < 10, "they die for ever"
            replicas.append(platform.start_replica(INSTANCE_ID=f"next-{len(replicas)}"))
        return platform.lag() == 0

    wait_for(is_done, patience_s=LONG_PATIENCE_S)
    return sum(replica.process.poll() is not None for replica in replicas)


def assert_given_up(traffic: Traffic, offset: int, *, sound: int) -> None:
    """One dead letter that knows its place alone, and a result for each of the others."""
    wait_for(lambda: not undecided(traffic.platform))  # each partition hears of a commit in its own time
    outcomes = traffic.platform.read_outcomes()
    [letter] = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
    assert (letter.topic, letter.partition, letter.offset) == (traffic.platform.topic("REQUESTS"), 0, offset)
    assert (letter.code, letter.attempts, letter.request_id) == ("WORKER_CRASHED", MAX_DEATHS, None)
    assert (letter.original_key, letter.original_value) == (None, None)
    assert f"{MAX_DEATHS} replicas died while they read it" in letter.message
    results = [outcome.request_id for outcome in outcomes if isinstance(outcome, SeparationResult)]
    assert len(set(results)) == len(results) == sound


def test_a_record_that_unpacks_to_more_than_there_is_is_given_up(traffic: Traffic) -> None:
    """Replicas that die while they read it are counted; what lies around it, and elsewhere, gets its results."""
    platform = traffic.platform
    takes_packed_batches(platform)
    send_good(traffic, 0, 0, 1)
    send_bad(platform, bytes(UNPACKED_BYTES), packed=True)
    send_good(traffic, 0, 0, 2)
    limited = 'ulimit -v "$1"; shift; exec "$@"'
    platform.replica_command = ["bash", "-c", limited, "-", str(LIMIT_KIB), *platform.replica_command]
    platform.environment = {**platform.environment, "MALLOC_ARENA_MAX": "2"}
    deaths = bring_to_an_end(platform)
    assert MAX_DEATHS <= deaths <= MOST_DEATHS
    assert_given_up(traffic, 2, sound=6)


def test_a_record_that_kills_whoever_decodes_it_is_given_up(traffic: Traffic, tmp_path: Path) -> None:
    """So are those that die while they decode it: who works on it, and who only estimates how much work it is."""
    platform = traffic.platform
    (tmp_path / "sitecustomize.py").write_text(DEADLY_CODEC)
    python_path = os.pathsep.join([str(tmp_path), platform.environment["PYTHONPATH"]])
    platform.environment = {**platform.environment, "PYTHONPATH": python_path}
    send_good(traffic, 0, 1)
    send_bad(platform, KILLS, packed=False)
    send_good(traffic, 0, 0, 2)
    lag = platform.run("lag")
    assert lag.returncode == 0, lag.stderr
    assert "counted by offsets" in lag.stderr
    deaths = bring_to_an_end(platform)
    assert MAX_DEATHS <= deaths <= MOST_DEATHS
    assert_given_up(traffic, 1, sound=5)
