"""`lag`: what it prints, and what it says where nobody answers."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.app import vendors as parts
from consumer.cli import app
from consumer.cli.lag import report
from consumer.core.errors import BrokerUnavailable
from consumer.core.lag import Backlog, PartitionLag
from consumer.core.model import TopicPartition

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


def test_a_table_for_people() -> None:
    """A line a partition, in columns."""
    assert report(BACKLOG, now_s=1000.0, as_json=False) == (
        "topic             partition  messages  seconds\n"
        "requests                  0        12     60.0\n"
        "requests.retry-1         11         0      0.0"
    )


def test_json_for_programs() -> None:
    """The same figures, an object a partition."""
    rows: list[dict[str, Any]] = json.loads(report(BACKLOG, now_s=1000.0, as_json=True))
    assert rows == [
        {"topic": "requests", "partition": 0, "messages": 12, "seconds": 60.0},
        {"topic": "requests.retry-1", "partition": 11, "messages": 0, "seconds": 0.0},
    ]


def test_what_senders_hold_has_a_column_where_there_is_any() -> None:
    """Offsets behind an open transaction stand beside the lag, in which they are not counted."""
    lags = [replace(BACKLOG.lags[0], held=5), BACKLOG.lags[1]]
    held = Backlog(lags=lags, taken_at=0.0)
    assert report(held, now_s=1000.0, as_json=False) == (
        "topic             partition  messages  seconds  held\n"
        "requests                  0        12     60.0     5\n"
        "requests.retry-1         11         0      0.0     0"
    )
    assert [row.get("held") for row in json.loads(report(held, now_s=1000.0, as_json=True))] == [5, None]


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
def test_the_command_prints_what_it_reads(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """One report of the figures as they are now, and the end of the line."""
    nothing_waits = Backlog(lags=[replace(lag, oldest_at_s=None) for lag in BACKLOG.lags], taken_at=0.0)
    asked: list[float] = []

    def read(*, timeout_s: float) -> Backlog:
        asked.append(timeout_s)
        return nothing_waits

    monkeypatch.setattr(parts, "make_lag", lambda *_: SimpleNamespace(read=read, trouble=""))
    ran = CliRunner().invoke(app, ["lag", "--timeout-s", "7", *arguments])
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == report(nothing_waits, now_s=0.0, as_json=bool(arguments)) + "\n"
    assert asked == [7.0]


def test_a_broker_that_is_away_is_named() -> None:
    """Without an answer there are no figures, but an error that names the variable."""
    ran = CliRunner().invoke(app, ["lag", "--timeout-s", "0"])
    assert isinstance(ran.exception, BrokerUnavailable)
    assert str(ran.exception).startswith("KAFKA_BOOTSTRAP_SERVERS: no broker answers")
