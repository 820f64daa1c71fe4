"""Which audit event an outcome has: what was decided, of which record, and nothing that a sender wrote."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.audit_actions import OF_CODE, AuditAction, AuditOutcome
from consumer.core.errors import Code, RegistryUnavailable, Rejected, StoreUnavailable
from consumer.core.events import AuditEvent, Event, SourceObject
from consumer.pipeline.audit import event_id
from harness.fakes import NOON, a_record
from harness.replica import REQUESTS, RETRIES, Harness
from harness.scanner import FakeScanner

CODEC = AvroCodec()
SECRET = "an artist's secret song"


def events(harness: Harness) -> list[AuditEvent]:
    """All that were committed, once all that was sent has its outcome."""
    harness.start()
    try:
        harness.outcomes()
    finally:
        harness.stop()
    return [CODEC.decode(AuditEvent, message.value) for message in harness.broker.audited]


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def id_by_the_rfc(name: str) -> str:
    """UUIDv5 of RFC 9562, by its own words: SHA-1 of namespace and name, version and variant put in."""
    import hashlib

    space = uuid.UUID("6a1f2f3e-2f0b-5c6d-9b0a-4d6f5f3c7e11")
    digest = bytearray(hashlib.sha1(space.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def test_a_result_is_a_request_that_was_accepted(harness: Harness) -> None:
    """Its event goes to the audit topic under the request's id, and says where the record lay."""
    harness.send(tenant="label-7")
    [event] = events(harness)
    at = round(NOON.timestamp() * 1000)
    assert event.occurred_at.astimezone(UTC) <= datetime.now(UTC)
    assert event == AuditEvent(
        event_id=id_by_the_rfc(f"requests-0-0-{at}-separation.completed"),
        action="separation.completed",
        outcome="success",
        actor="kafka",
        tenant="label-7",
        request_id="r1",
        instance_id="memory",
        details={
            "deduplicated": "false", "stage": "publish", "attempt": "1",
            "topic": "requests", "partition": "0", "offset": "0", "timestamp_ms": str(at),
        },
        occurred_at=event.occurred_at,
    )  # fmt: skip
    [message] = harness.broker.audited
    assert (message.topic, message.key) == ("separation.audit", b"r1")


def of_bucket(harness: Harness) -> None:
    harness.send(source=SourceObject(bucket="elsewhere", key=f"{SECRET}.mp3"))


def too_large(harness: Harness) -> None:
    harness.store.replace("in", "large.mp3", b"x" * 101, media_type="", metadata={})
    harness.send(source=SourceObject(bucket="in", key="large.mp3"))


def too_long(harness: Harness) -> None:
    harness.separator.script.append(Rejected(Code.AUDIO_TOO_LONG, SECRET))
    harness.send()


def infected(harness: Harness) -> None:
    harness.scanner = FakeScanner(finds={b"song": SECRET})
    harness.wire()
    harness.send()


def cancelled(harness: Harness) -> None:
    harness.cancel_registry.register("r1", SECRET, datetime.now(UTC))
    harness.send()


def garbage(harness: Harness) -> None:
    harness.broker.send(REQUESTS.topic, SECRET.encode(), key=SECRET.encode(), timestamp=NOON)


def invalid(harness: Harness) -> None:
    harness.send(request_id=SECRET, tenant="label-7")


def missing(harness: Harness) -> None:
    harness.send(source=SourceObject(bucket="in", key=f"{SECRET}.mp3"))


@pytest.mark.parametrize(
    ("happens", "code", "action", "outcome", "request_id"),
    [
        (of_bucket, Code.BUCKET_NOT_ALLOWED, "separation.bucket_not_allowed", "denied", "r1"),
        (too_large, Code.OBJECT_TOO_LARGE, "separation.limit_exceeded", "denied", "r1"),
        (too_long, Code.AUDIO_TOO_LONG, "separation.limit_exceeded", "denied", "r1"),
        (infected, Code.MALWARE_FOUND, "separation.malware_found", "denied", "r1"),
        (cancelled, Code.CANCELLED, "separation.cancelled", "success", "r1"),
        (garbage, Code.AVRO_UNDECODABLE, "separation.refused", "denied", None),
        (invalid, Code.REQUEST_INVALID, "separation.refused", "denied", None),
        (missing, Code.OBJECT_NOT_FOUND, "separation.failed", "failure", "r1"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)  # fmt: skip
def test_each_refusal_is_told_by_its_kind(
    harness: Harness, happens: Any, code: Code, action: str, outcome: str, request_id: str | None
) -> None:
    """One event a dead letter, which has its code and none of the sender's or the scanner's words."""
    happens(harness)
    [event] = events(harness)
    assert (event.action, event.outcome, event.request_id) == (action, outcome, request_id)
    assert event.details["code"] == code
    assert SECRET not in str(event)
    assert harness.broker.audited[0].key == (request_id.encode() if request_id else None)


def test_every_code_has_its_action() -> None:
    """A new code has to be thought about here too."""
    assert OF_CODE.keys() == set(Code)
    for action, outcome in OF_CODE.values():
        assert action.writer == "consumer"
        assert (outcome is AuditOutcome.FAILURE) == (action is AuditAction.SEPARATION_FAILED)


def test_a_retry_decides_nothing(harness: Harness) -> None:
    """Only the record's end is told of, by its place in the retry topic; no two of them have one id."""
    harness.separator.script.extend([StoreUnavailable("away")] * 4)
    harness.send()
    [event] = events(harness)
    assert (event.action, event.details["topic"]) == ("separation.completed", RETRIES[1])
    assert event.details["attempt"] == "3"


@pytest.mark.parametrize("tenant", ["x" * 100_000, "a\nb\x00c\u2028", ""])
def test_a_tenant_is_told_as_a_name(harness: Harness, tenant: str) -> None:
    """It is the sender's word: no more of it than a name takes, and nothing that breaks a line."""
    harness.send(tenant=tenant)
    [event] = events(harness)
    assert event.tenant is not None
    assert len(event.tenant) <= 128
    assert event.tenant.isprintable()


def test_an_id_tells_records_and_actions_apart() -> None:
    """The same for the same record and action; another for another place, another log of that name, another action."""
    record = a_record(topic="t", partition=1, offset=2, timestamp=NOON)
    first = event_id(record, AuditAction.SEPARATION_COMPLETED)
    assert first == event_id(
        a_record(topic="t", partition=1, offset=2, timestamp=NOON, value=b"other"), AuditAction.SEPARATION_COMPLETED
    )
    others = [
        event_id(a_record(topic="u", partition=1, offset=2, timestamp=NOON), AuditAction.SEPARATION_COMPLETED),
        event_id(a_record(topic="t", partition=0, offset=2, timestamp=NOON), AuditAction.SEPARATION_COMPLETED),
        event_id(a_record(topic="t", partition=1, offset=3, timestamp=NOON), AuditAction.SEPARATION_COMPLETED),
        event_id(a_record(topic="t", partition=1, offset=2, timestamp=None), AuditAction.SEPARATION_COMPLETED),
        event_id(record, AuditAction.SEPARATION_FAILED),
    ]
    assert len({first, *others}) == 6


class AwayForAudit(AvroCodec):
    """One whose registry is away for the audit event alone, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def encode(self, event: Event) -> bytes:
        if isinstance(event, AuditEvent) and self.times:
            self.times -= 1
            raise RegistryUnavailable("away")
        return super().encode(event)


@pytest.mark.parametrize("happens", [Harness.send, too_large])
def test_an_outcome_waits_for_the_schema_of_its_event(tmp_path: Path, happens: Any) -> None:
    """Where the registry is away for everybody, for as long as it takes."""
    looks = iter([True, True, True])

    def check() -> None:
        if next(looks, False):
            raise RegistryUnavailable("away")

    codec = AwayForAudit(1)

    harness = Harness(tmp_path, codec=codec, checks={RegistryUnavailable: check})
    happens(harness)
    assert len(events(harness)) == 1
