"""Properties of the Kafka client that would lose records are refused, and what they would lose is not lost."""

from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTO_OFFSET_RESET", "latest"),
        ("STATISTICS_INTERVAL_MS", "0"),
        ("ENABLE_PARTITION_EOF", "false"),
        ("ENABLE_IDEMPOTENCE", "false"),
    ],
)
def test_what_would_lose_records_ends_the_start(platform: Platform, name: str, value: str) -> None:
    """One line names that variable, and no other; nothing of the group is begun."""
    ran = platform.run("run", **{f"KAFKA_{name}": value, "HTTP_PORT": "0"})
    assert ran.returncode == 1
    [line] = [line for line in ran.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith(f"spleeter-consumer: KAFKA_{name}: ")
    assert line.count("KAFKA_") == 1


def test_records_that_are_older_than_their_partition_s_reader_are_done(one_partition: Platform, tmp_path: Path) -> None:
    """A group that is new does what waits, and so it does in a partition that is added while it runs."""
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    requests = [platform.request(key) for _ in range(2)]
    replica = platform.start_replica()
    replica.wait_ready()
    assert len(platform.outcomes(2)) == 2
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    topic = platform.topic("REQUESTS")
    admin.create_partitions([NewPartitions(topic, 2)])[topic].result(30)
    wait_for(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 2)
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    for request in [platform.a_request(key) for _ in range(3)]:
        producer.produce(topic, platform.codec.encode(request), request.request_id.encode(), partition=1)
        requests.append(request)
    assert producer.flush(30) == 0
    outcomes = platform.outcomes(5)
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    assert {outcome.request_id for outcome in outcomes} == {request.request_id for request in requests}
