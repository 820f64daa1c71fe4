"""Says what is wrong: compares what was sent with what was published and stored. Knows nothing of how it came about.

Every record that was sent, garbage and repetitions included, ends as exactly one result or one dead letter; every
outcome has one audit event; every stem that a result names is whole and of its own input; where a manifest stands, its
stems are whole; and nothing is left to do.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from minio.error import S3Error

from consumer.adapters.kafka.retrying import retried
from consumer.core.events import AuditEvent, DeadLetter, SeparationRequest, SeparationResult
from harness.chaos.separator import STEMS, stem_wav
from harness.platform import Platform
from harness.waiting import PATIENCE_S, wait_for

RECORD = "record"  # the name under which a request's metadata tells which record it is


class Kind(StrEnum):
    LOST = "lost"  # a record without an outcome
    TWICE = "twice"  # a record with more outcomes than it was sent
    STRANGER = "stranger"  # an outcome of a record that was not sent
    WRONG = "wrong"  # a result for garbage, or a dead letter for a good request
    BROKEN = "broken"  # a stem that is missing, or not what the result says
    FOREIGN = "foreign"  # a stem of another input
    MANIFEST = "manifest"  # it does not say what the result says, or stands without its stems
    AUDIT = "audit"  # an outcome without its audit event, or an event too many
    LAG = "lag"  # something is left to do, or looks so


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A record that Kafka has taken. `request` is None for garbage."""

    value: bytes | None
    partition: int
    offset: int
    request: SeparationRequest | None = None


# Whether stems by name are those of a source.
Belongs = Callable[[bytes, Mapping[str, bytes]], bool]


def foretold(source: bytes, stems: Mapping[str, bytes]) -> bool:
    """Of the fake separator."""
    return stems == {name: stem_wav(source, name) for name in STEMS}


def judge(
    platform: Platform, sent: Sequence[Sent], sources: Mapping[str, bytes], belongs: Belongs = foretold
) -> list[Finding]:
    """Everything that is wrong once all is done. sources: object key → its bytes."""
    wait_for(lambda: not retried(lambda: undecided(platform), PATIENCE_S))
    outcomes = platform.read_outcomes()
    objects = Objects(platform)
    findings = _counts(sent, outcomes) or _audit(outcomes, platform.audit_events())
    findings += whole_manifests(objects)
    for outcome in outcomes:
        if isinstance(outcome, SeparationResult):
            findings += _stems(outcome, objects, sources, belongs)
    if lag := platform.lag():
        findings.append(Finding(Kind.LAG, str(lag)))
    return findings


def undecided(platform: Platform) -> bool:
    """Whether a transaction is open that a reader of committed records waits for, or would be surprised by later."""
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    topics = admin.list_topics(timeout=30).topics
    places = {
        TopicPartition(name, number): OffsetSpec.latest()
        for name in (platform.topic("RESULTS"), platform.topic("DEAD_LETTER"), platform.topic("AUDIT"))
        for number in topics[name].partitions
    }
    ends = [
        {
            place: future.result(300).offset
            for place, future in admin.list_offsets(places, isolation_level=level).items()
        }
        for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    ]
    return ends[0] != ends[1]


class Objects:
    """What lies in the output bucket, each object read once."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._read: dict[str, bytes | None] = {}

    def __getitem__(self, key: str) -> bytes | None:
        if key not in self._read:
            try:
                with self._platform.minio.get_object(self._platform.output_bucket, key) as response:
                    self._read[key] = response.read()
            except S3Error as error:
                if error.code != "NoSuchKey":
                    raise
                self._read[key] = None
        return self._read[key]

    def keys(self) -> set[str]:
        return self._platform.objects("")


def whole_manifests(objects: Objects) -> list[Finding]:
    """Manifests without their stems. May be asked at any moment: stems come first and are never replaced."""
    findings = []
    for key in sorted(objects.keys()):
        if not key.endswith("/manifest.json"):
            continue
        findings += [
            Finding(Kind.MANIFEST, f"{key} stands, but {wrong}")
            for stem in json.loads(objects[key] or b"{}")["stems"]
            if (wrong := _difference(stem, objects)) is not None
        ]
    return findings


def _counts(sent: Sequence[Sent], outcomes: Iterable[SeparationResult | DeadLetter]) -> list[Finding]:
    """By record: a result says in its metadata which record it is of, a dead letter by topic and offset."""
    by_number = {record.request.metadata[RECORD]: record for record in sent if record.request}
    by_place = {(record.partition, record.offset): record for record in sent}
    counts: Counter[tuple[int, int]] = Counter()
    findings = []
    for outcome in outcomes:
        if isinstance(outcome, SeparationResult):
            record = by_number.get(outcome.metadata.get(RECORD, ""))
            right = record is not None and record.request is not None
            told = f"result of {outcome.request_id}"
        else:
            record = by_place.get((outcome.partition, outcome.offset))
            right = record is not None and record.request is None and record.value == outcome.original_value
            told = f"dead letter {outcome.code} of {outcome.request_id}: {outcome.message[:300]}"
        if record is None:
            findings.append(Finding(Kind.STRANGER, told))
            continue
        counts[record.partition, record.offset] += 1
        if not right:
            findings.append(Finding(Kind.WRONG, told))
    for place, record in by_place.items():
        if counts[place] != 1:
            kind = Kind.TWICE if counts[place] else Kind.LOST
            name = record.request.request_id if record.request else "garbage"
            findings.append(Finding(kind, f"partition {place[0]} offset {place[1]} ({name}): {counts[place]} outcomes"))
    return findings


def _audit(outcomes: Iterable[SeparationResult | DeadLetter], events: Sequence[AuditEvent]) -> list[Finding]:
    """By request and code, for outcomes that are as they should be: each has one event, and each event an id."""
    wanted = Counter((o.request_id, o.code if isinstance(o, DeadLetter) else "") for o in outcomes)
    found = Counter((event.request_id, event.details.get("code", "")) for event in events)
    findings = [Finding(Kind.AUDIT, f"{of}: no event of {count}") for of, count in (wanted - found).items()]
    findings += [Finding(Kind.AUDIT, f"{of}: {count} events too many") for of, count in (found - wanted).items()]
    if len({event.event_id for event in events}) != len(events):
        findings.append(Finding(Kind.AUDIT, "two events have one id"))
    return findings


def _stems(result: SeparationResult, objects: Objects, sources: Mapping[str, bytes], belongs: Belongs) -> list[Finding]:
    said = [{"key": s.key, "size_bytes": s.size_bytes, "sha256": s.sha256} for s in result.stems]
    findings = [
        Finding(Kind.BROKEN, f"{result.request_id}: {wrong}")
        for stem in said
        if (wrong := _difference(stem, objects)) is not None
    ]
    key = f"stems/{result.request_id}/manifest.json"
    manifest = json.loads(objects[key] or b'{"stems": []}')
    if [{name: stem[name] for name in said[0]} for stem in manifest["stems"]] != said:
        findings.append(Finding(Kind.MANIFEST, f"{key} does not name what the result names"))
    if not findings and not belongs(sources[result.source.key], {s.name: objects[s.key] or b"" for s in result.stems}):
        findings.append(Finding(Kind.FOREIGN, f"{result.request_id}: not the stems of {result.source.key}"))
    return findings


def _difference(stem: Mapping[str, Any], objects: Objects) -> str | None:
    """How a stem differs from what is said of it."""
    data = objects[stem["key"]]
    if data is None:
        return f"there is no {stem['key']}"
    if len(data) != stem["size_bytes"] or hashlib.sha256(data).hexdigest() != stem["sha256"]:
        return f"{stem['key']} is another"
    return None
