"""Audit events in the log: their own logger, field for field, whatever the log's level."""

import dataclasses
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from consumer.core.events import AuditEvent
from consumer.observability import logging as logs
from consumer.observability.audit_lines import log_audit
from harness.fakes import NOON

EVENT = AuditEvent(
    event_id="0b7c", action="key.created", outcome="success", actor="os:alice", tenant="label-7", request_id=None,
    instance_id="gateway-1", details={"scope": "operate"}, occurred_at=NOON,
)  # fmt: skip


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Logging is the process's: leave it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "ERROR"])
def test_each_field_has_its_name(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The event's own fields stand beside what each line has; the process's id is the event's."""
    logs.configure(level, "json", instance_id="replica-0", version="1.2.3")
    log_audit(EVENT)
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "audit.recorded", "logger": "audit", "level": "info", "version": "1.2.3",
        "event_id": "0b7c", "action": "key.created", "outcome": "success", "actor": "os:alice", "tenant": "label-7",
        "request_id": None, "instance_id": "gateway-1", "details": {"scope": "operate"},
        "occurred_at": "2024-05-06T12:00:00.123+00:00",
    }  # fmt: skip
    assert {field.name for field in dataclasses.fields(AuditEvent)} <= line.keys()
