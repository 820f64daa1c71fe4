"""A process that asks for the group, and whatever may become of it."""

import sys

import msgspec
import pytest

from consumer.app.group_child import COMMAND, read_group
from consumer.app.group_process import GroupReport
from consumer.core.errors import BrokerUnavailable
from consumer.core.group import Group, GroupMember
from consumer.core.model import TopicPartition

GROUP = Group(
    state="stable",
    members=(
        GroupMember(
            member_id="m", instance_id=None, client_id="c", host="h", partitions=(TopicPartition("requests", 3),)
        ),
    ),
)


def printing(script: str) -> list[str]:
    """A process that does this in place of asking."""
    return [sys.executable, "-c", script]


def test_what_it_reports_is_told() -> None:
    """All of it."""
    told = msgspec.json.encode(GroupReport(group=GROUP)).decode()
    assert read_group(printing(f"print({told!r})")) == GROUP


@pytest.mark.parametrize(
    "command",
    [
        printing("import os; os.abort()"),
        printing("print('{')"),
        printing("pass"),
        ["/no/such/command"],
    ],
)
def test_its_death_ends_nobody_else(command: list[str]) -> None:
    """As where no broker answers."""
    with pytest.raises(BrokerUnavailable, match="died"):
        read_group(command)


def test_brokers_that_are_away_are_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real process."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        read_group(COMMAND)
