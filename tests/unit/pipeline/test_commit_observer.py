"""Committed outcomes in the metrics and in the log."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import Code
from consumer.core.model import DeadLettered, Done, Message, Outcome, Retry, Stage
from consumer.core.ports import Commit, Position
from consumer.core.tracing import Untraced
from consumer.delivery.assignment import Completed, PendingCommit
from consumer.observability.metrics import Metrics
from consumer.pipeline.commit_observer import CommitObserver
from harness.fakes import a_record, an_attempt

MESSAGE = Message(topic="there", key=b"r1", value=b"secret payload")
OUTCOMES: list[tuple[Outcome, dict[str, str], str]] = [
    (Done(result=MESSAGE), {"outcome": "done", "code": ""}, "separation.published"),
    (Retry(message=MESSAGE, stage=Stage.FETCH), {"outcome": "retried", "code": ""}, "separation.retry_scheduled"),
    (
        DeadLettered(letter=MESSAGE, code=Code.AUDIO_EMPTY),
        {"outcome": "dead_lettered", "code": "AUDIO_EMPTY"},
        "separation.dead_lettered",
    ),
]  # fmt: skip


def observe(metrics: Metrics, *outcomes: Outcome, key: bytes | None = b"r1") -> list[Any]:
    attempt = an_attempt(a_record(key=key, offset=7))
    commit = Commit(partition=attempt.record.topic_partition, position=Position(offset=8), membership=object())
    completed = tuple(Completed(attempt=attempt, outcome=outcome, span=Untraced()) for outcome in outcomes)
    pending = PendingCommit(assignment=attempt.assignment, commit=commit, completed=completed)
    with capture_logs() as logs:
        CommitObserver(metrics)(pending)
    return logs


@pytest.mark.parametrize(("outcome", "labels", "event"), OUTCOMES, ids=lambda value: type(value).__name__)
def test_each_outcome_is_counted_and_logged_once(outcome: Outcome, labels: dict[str, str], event: str) -> None:
    """An outcome that was committed is one job in the metrics and one line in the log, without payloads."""
    metrics = Metrics()
    [line] = observe(metrics, outcome)
    assert metrics.registry.get_sample_value("separation_jobs_total", labels) == 1
    assert (line["event"], line["offset"]) == (event, 7)
    assert "payload" not in str(line)


def test_retries_and_dead_letters_have_their_own_counters() -> None:
    """Retries count by stage, dead letters by code."""
    metrics = Metrics()
    observe(metrics, *(outcome for outcome, _, _ in OUTCOMES))
    sample = metrics.registry.get_sample_value
    assert sample("separation_retries_total", {"stage": "fetch"}) == 1
    assert sample("separation_dead_letters_total", {"code": "AUDIO_EMPTY"}) == 1


@pytest.mark.parametrize("key", [None, b"\xff" * 100, b"an artist's secret song", b"r1"])
def test_the_record_s_key_is_never_logged(key: bytes | None) -> None:
    """The id in the log is the request's own, whatever the record's key was."""
    for outcome, _, _ in OUTCOMES:
        [line] = observe(Metrics(), outcome, key=key)
        assert line.get("request_id", "r1") == "r1"
        assert "secret" not in str(line)
        assert "\ufffd" not in str(line)
    assert observe(Metrics(), OUTCOMES[0][0], key=key)[0]["request_id"] == "r1"
