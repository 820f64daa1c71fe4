"""What the source learns from the client library's own figures."""

import json
from collections.abc import Iterator

import pytest

from consumer.adapters.kafka import KafkaSource
from consumer.settings import KafkaSettings


@pytest.fixture
def source() -> Iterator[KafkaSource]:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", group_protocol="classic")
    source = KafkaSource(settings, instance_id="", is_static_member=False)
    yield source
    source.close()


def figures(**states: str) -> str:
    """As librdkafka tells them; a broker that it was only told of, and has not met, has no number."""
    brokers = {
        name: {"state": state, "nodeid": -1 if name == "bootstrap" else 1, "rtt": {"avg": 2000}}
        for name, state in states.items()
    }
    return json.dumps({"rx_bytes": 5, "tx_bytes": 7, "brokers": brokers})


def test_brokers_that_are_all_away_are_told_of_until_one_is_back(source: KafkaSource) -> None:
    """As long as one that we have met is up all is well, whatever became of the others."""
    assert source.last_error == ""
    source._on_statistics(figures(bootstrap="UP", one="UP", two="DOWN"))
    assert source.last_error == ""
    assert (source.traffic.received_bytes, source.traffic.sent_bytes, source.traffic.round_trip_s) == (5, 7, 0.002)
    for away in (figures(bootstrap="UP", one="DOWN"), figures(one="TRY_CONNECT"), figures()):
        source._on_statistics(away)
        assert source.last_error == "no broker can be reached"
    source._on_statistics(figures(one="UP"))
    assert source.last_error == ""
