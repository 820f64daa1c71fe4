"""Records that wait in a retry topic, in real replicas."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from consumer.core.events import SeparationRequest, SeparationResult, SourceObject
from consumer.delivery.retry_headers import RetryState, headers
from harness.chaos.oracle import undecided
from harness.chaos.traffic import Traffic
from harness.fakes import a_record
from harness.platform import Platform
from harness.waiting import wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer


@pytest.fixture
def traffic(new_platform: NewPlatform, kafka: Kafka, minio: MinioServer) -> Traffic:
    traffic = Traffic(new_platform(kafka.bootstrap_servers, minio.endpoint), random.Random(3))
    traffic.add_sources(1)
    return traffic


def retry_at(platform: Platform, moment: datetime, *, partition: int) -> str:
    """A request in its first retry topic, due at that moment; returns its id."""
    topic = platform.topic("REQUESTS")
    request = SeparationRequest(
        request_id=f"due-{moment:%H%M%S}",
        source=SourceObject(bucket=platform.source_bucket, key="song-0.wav"),
        requested_at=datetime.now(UTC),
    )
    retry_state = RetryState(topic=topic, partition=0, offset=10**6).failed("away", not_before=moment)
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    carried: list[tuple[str, str | bytes | None]] = list(headers(a_record(topic=topic), retry_state))
    producer.produce(f"{topic}.retry-1", platform.codec.encode(request), b"key", partition, headers=carried)
    assert producer.flush(30) == 0
    return request.request_id


def test_a_retry_waits_until_it_is_due_and_nothing_waits_for_it(traffic: Traffic) -> None:
    """None is begun before its time, by whichever replica; requests and other partitions' retries go on meanwhile."""
    platform = traffic.platform
    environment = {"RETRY_DELAYS": "3600s,1s"}
    first = platform.start_replica(**environment)
    wait_for(lambda: first.said("partitions.assigned"))
    far, near = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) + timedelta(seconds=4)
    waits = retry_at(platform, far, partition=0)
    wait_for(lambda: platform.lag() == 1)
    first.process.kill()
    first.process.wait(180)
    second = platform.start_replica(**environment)
    comes = retry_at(platform, near, partition=1)
    requests = {traffic.send_request(partition=number).request_id for number in range(traffic.partitions)}
    traffic.flush()
    wait_for(lambda: platform.lag() == 1 and not undecided(platform))
    outcomes = platform.read_outcomes()
    assert {outcome.request_id for outcome in outcomes} == {comes, *requests}
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    begun = {str(line["request_id"]): line for line in second.said("separation.validate")}
    assert datetime.fromisoformat(str(begun[comes]["timestamp"])) >= near
    assert begun[comes]["attempt"] == 2
    assert waits not in begun
