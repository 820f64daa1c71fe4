"""Members of a group that are not told where to read on, as for a moment after a coordinator has moved.

librdkafka would never begin with their partitions.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from consumer.adapters.kafka.endpoint_group import EndpointGroup
from consumer.adapters.kafka.source import KafkaSource
from consumer.core.errors import BrokerUnavailable
from consumer.core.model import Record
from consumer.settings import KafkaSettings
from devstack.kafka import kafka
from devstack.service import free_port
from harness.away_coordinator import AwayCoordinator, away_coordinator
from harness.group_member import Listener, topic_of_one_record
from harness.waiting import wait_for


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwayCoordinator]:
    port, door, told = free_port(), free_port(), free_port()
    running = kafka(tmp_path_factory.mktemp("kafka"), port, {door: told}).start()
    try:
        with away_coordinator(told, door) as server:
            yield server
    finally:
        running.stop()


@pytest.fixture
def settings(way: AwayCoordinator, request: pytest.FixtureRequest) -> KafkaSettings:
    address = f"127.0.0.1:{way.server_address[1]}"
    protocol = getattr(request, "param", "consumer")
    return KafkaSettings(bootstrap_servers=address, group_id=f"away-{uuid4().hex}", group_protocol=protocol)


@pytest.fixture
def topic(settings: KafkaSettings) -> str:
    """One that holds a single record."""
    return topic_of_one_record(settings.bootstrap_servers)


@pytest.mark.parametrize("settings", ["consumer", "classic"], indirect=True)
def test_a_replica_joins_anew_and_reads(way: AwayCoordinator, settings: KafkaSettings, topic: str) -> None:
    """However often that happens."""
    way.refused, way.refusals = 0, 2
    source = KafkaSource(settings, instance_id="", is_static_member=False)
    source.subscribe([topic], Listener())
    try:
        wait_for(lambda: isinstance(source.poll(0.1), Record))
        assert way.refused == 2
        wait_for(lambda: source.poll(0.1) is not None)  # the end
        assert source.last_error == ""
    finally:
        source.close()


def test_an_endpoint_s_member_says_that_it_is_of_no_more_use(
    way: AwayCoordinator, settings: KafkaSettings, topic: str
) -> None:
    """Its worker takes another one then."""
    group = EndpointGroup(settings, settings.group_id, [topic], Listener())  # type: ignore[arg-type]
    way.refusals = 1000  # it asks as well as the client, which repeats what it asks for it
    try:
        with pytest.raises(BrokerUnavailable, match="committed offsets"):
            wait_for(lambda: group.poll(0.1))
    finally:
        way.refusals = 0
        group.close()
