"""`lag`: what it prints, and what it says where nobody answers."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.app import parts
from consumer.cli import app
from consumer.cli import lag as module
from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.observability.lag import Backlog, PartitionLag

BACKLOG = Backlog(
    lags=[
        PartitionLag(partition=TopicPartition("requests", 0), messages=12, oldest_at_s=940.0),
        PartitionLag(partition=TopicPartition("requests.retry-1", 11), messages=0, oldest_at_s=None),
    ],
    taken_at=0.0,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 1000.0))


def show(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What the command prints of BACKLOG."""
    reader = SimpleNamespace(read=lambda **_: BACKLOG)
    monkeypatch.setattr(parts, "make_lag", lambda *_: reader)
    ran = CliRunner().invoke(app, ["lag", *arguments])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_a_table_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a partition, in columns."""
    assert show(monkeypatch) == (
        "topic             partition  messages  seconds\n"
        "requests                  0        12     60.0\n"
        "requests.retry-1         11         0      0.0\n"
    )


def test_json_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures, an object a partition."""
    rows: list[dict[str, Any]] = json.loads(show(monkeypatch, "--json"))
    assert rows == [
        {"topic": "requests", "partition": 0, "messages": 12, "seconds": 60.0},
        {"topic": "requests.retry-1", "partition": 11, "messages": 0, "seconds": 0.0},
    ]


def test_a_broker_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer there are no figures, but an error that names the variable."""
    monkeypatch.setattr(module, "_PATIENCE_S", 0.0)
    ran = CliRunner().invoke(app, ["lag"])
    assert isinstance(ran.exception, BrokerUnavailable)
    assert str(ran.exception).startswith("KAFKA_BOOTSTRAP_SERVERS: no broker answers")
