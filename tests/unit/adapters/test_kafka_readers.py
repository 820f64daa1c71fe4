"""Whoever reads without being a member of the group: each of them is made, whatever is set for members."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import consumer
from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.config import MEMBER_PREFIXES, reader_config
from consumer.adapters.kafka.control_feed import KafkaControlFeed
from consumer.adapters.kafka.dead_letters import KafkaDeadLetters
from consumer.adapters.kafka.lag import KafkaLagReader
from consumer.adapters.kafka.source import KafkaSource
from consumer.client import Client
from consumer.core.errors import BrokerUnavailable
from consumer.settings import KafkaSettings, TopicSettings

AWAY_S = 0.01  # nobody answers these clients: they are only to be made


def read_dead_letters(settings: KafkaSettings) -> None:
    next(KafkaDeadLetters(settings, "dead-letters", AvroCodec(), request_s=AWAY_S).read())


def watch(settings: KafkaSettings) -> None:
    Client(settings, TopicSettings(), AvroCodec(), request_s=AWAY_S).watch()


def make_source(settings: KafkaSettings) -> None:
    KafkaSource(settings, instance_id="i", is_static_member=True).close()


READERS: dict[str, Callable[[KafkaSettings], object]] = {
    "dead letters": read_dead_letters,
    "watch": watch,
    "control feed": lambda settings: KafkaControlFeed(settings, "control", max_age_s=1.0, max_records=1),
    "lag": lambda settings: KafkaLagReader(settings, ["requests"], lambda _: ("2stems", None)),
    "commit reader": make_source,
}
# Right for a member, each of them by itself; several are such that a client which is none can't be made with them.
MEMBER_PROPERTIES = {
    "max.poll.interval.ms": "6500",
    "session.timeout.ms": "6400",
    "heartbeat.interval.ms": "900",
    "partition.assignment.strategy": "roundrobin",
    "group.remote.assignor": "uniform",
    "group.protocol.type": "consumer",
}
# Of a member by one protocol only: with the other one it may not be set.
OF_ONE_PROTOCOL = {
    "session.timeout.ms": "classic", "heartbeat.interval.ms": "classic", "partition.assignment.strategy": "classic",
    "group.remote.assignor": "consumer", "group.protocol.type": "classic",
}  # fmt: skip
CASES = [
    (name, protocol)
    for name in MEMBER_PROPERTIES
    for protocol in ("consumer", "classic")
    if OF_ONE_PROTOCOL.get(name, protocol) == protocol
]


def settings(name: str, protocol: str) -> KafkaSettings:
    made = KafkaSettings(bootstrap_servers="127.0.0.1:1", group_protocol=protocol)
    made.properties.update({name: MEMBER_PROPERTIES[name]})
    return made


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_what_is_set_for_members_keeps_no_reader_from_being_made(reader: str, name: str, protocol: str) -> None:
    """No reader is refused for a property of members; that no broker answers it here is all that goes wrong."""
    with suppress(BrokerUnavailable):
        READERS[reader](settings(name, protocol))


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_readers_get_no_property_of_members(name: str, protocol: str) -> None:
    """What begins as members' properties do is left out; what a reader wants itself outdoes what is set."""
    made = settings(name, protocol)
    made.properties.update({"fetch.wait.max.ms": "7", "queued.min.messages": "9"})
    config = reader_config(made, group_id="g", properties={"fetch.wait.max.ms": 100})
    assert [key for key in config if key.startswith(MEMBER_PREFIXES)] == ["group.id"]
    assert (config["group.id"], config["fetch.wait.max.ms"], config["queued.min.messages"]) == ("g", 100, "9")


def test_one_function_makes_all_readers() -> None:
    """Only members of groups are consumers of another making, so that no reader can be forgotten here."""
    made = {
        path.name
        for path in Path(consumer.__file__).parent.rglob("*.py")
        if re.search(r"\b(connect\(\s*Consumer\b|Consumer\()", path.read_text())
    }
    assert made == {"config.py", "source.py", "endpoint_group.py"}
    source = Path(consumer.__file__).parent / "adapters/kafka/source.py"
    assert set(re.findall(r"connect\(Consumer, (.*?), ", source.read_text())) == {"self._config"}
