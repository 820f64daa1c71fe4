"""Properties of librdkafka that were set by KAFKA_<PROPERTY>, and the clients that they are for."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from consumer.adapters.kafka.config import (
    Sparing,
    connect,
    consumer_config,
    producer_config,
    reader_config,
    transactional_config,
)
from consumer.core.errors import SettingsError
from consumer.settings import KafkaSettings

# Right for a member of a group, and such that a client which is none can't be made with them.
MEMBERS = {"max.poll.interval.ms": "6500", "group.remote.assignor": "uniform"}


def settings(properties: dict[str, str], **fields: Any) -> KafkaSettings:
    made = KafkaSettings(bootstrap_servers="127.0.0.1:1", **fields)
    made.properties.update(properties)
    return made


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
@pytest.mark.parametrize(
    ("client", "config"),
    [(Consumer, lambda kafka: consumer_config(kafka, None)), (Consumer, reader_config), (Producer, producer_config)],
    ids=["member", "reader", "producer"],
)
def test_what_is_set_for_members_disturbs_nobody_else(
    protocol: str, client: Callable[..., Any], config: Callable[[KafkaSettings], dict[str, Any]]
) -> None:
    """A short poll interval and an assignor are a member's; whoever only reads or writes is made without them."""
    config_of = config(settings({**MEMBERS, "socket.nagle.disable": "true"}, group_protocol=protocol))
    assert config_of["socket.nagle.disable"] == "true"
    made = connect(client, config_of, "test")
    is_member = "group.id" in config_of and config_of["group.id"] != "unused"
    assert ("max.poll.interval.ms" in config_of) == is_member
    if isinstance(made, Consumer):
        made.close()


def test_each_client_comes_back_to_its_brokers() -> None:
    """What it takes to go on after an outage is set for each of them; transactions take something else."""
    made = settings({})
    for config in (consumer_config(made, None), reader_config(made), producer_config(made)):
        assert config["metadata.recovery.strategy"] == "rebootstrap"
    assert transactional_config(made, "id")["metadata.recovery.strategy"] == "none"


class Lines:
    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, line: str, *arguments: object) -> None:
        self.lines.append((level, line % arguments if arguments else line))


def test_what_the_client_library_repeats_is_said_once_in_a_while() -> None:
    """Lines that differ by numbers alone are the same for half a minute; others are not held back."""
    lines, now = Lines(), [0.0]
    logger = Sparing(lines, lambda: now[0])
    for ms in range(100):
        logger.log(40, "FAIL [%s]: Connection refused (after %dms)", "consumer-12", ms)
        logger.log(40, "FAIL [%s]: Connection reset (after %dms)", "consumer-12", ms)
        now[0] += 0.25
    refused, reset = (f"FAIL [consumer-12]: Connection {how} (after 0ms)" for how in ("refused", "reset"))
    assert lines.lines == [(40, refused), (40, reset)]
    now[0] = 30.0
    logger.log(40, "FAIL [%s]: Connection refused (after %dms)", "consumer-12", 7)
    assert lines.lines[2:] == [(40, "FAIL [consumer-12]: Connection refused (after 7ms)")]


def test_a_wrong_property_is_named() -> None:
    """What librdkafka refuses is told of by its variable."""
    with pytest.raises(SettingsError, match=r"^KAFKA_SOCKET_TIMEOUT_MS: "):
        connect(Consumer, reader_config(settings({"socket.timeout.ms": "soon"})), "test")
