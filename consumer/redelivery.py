"""The headers that carry a record through the retry topics: when it is due, how often it was tried, where it began.

All of ours together stay below MAX_BYTES however often a record goes round; the sender's own travel along untouched.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from consumer.model import Headers, Record

PREFIX = "x-separation-"
MAX_BYTES = 4096
_HISTORY_ENTRIES, _ENTRY_CHARACTERS = 12, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery:
    """What a record has been through. `attempt` is the one that is due now, from 1; `history` its earlier failures."""

    attempt: int = 1
    not_before: datetime | None = None
    history: tuple[str, ...] = ()
    topic: str
    partition: int
    offset: int
    timestamp: datetime | None = None

    def failed(self, error: str, *, not_before: datetime) -> "Redelivery":
        """The next attempt, after one more failure. The first failure is kept, and then the latest ones."""
        entry = error.replace("\n", " ")[:_ENTRY_CHARACTERS]
        history = (*self.history, entry)
        if len(history) > _HISTORY_ENTRIES:
            history = (history[0], *history[-_HISTORY_ENTRIES + 1 :])
        return replace(self, attempt=self.attempt + 1, not_before=not_before, history=history)


def parse(record: Record, *, is_redelivery: bool) -> Redelivery:
    """What the record's headers say, if it comes from a retry topic; elsewhere they would be a stranger's."""
    first = Redelivery(topic=record.topic, partition=record.partition, offset=record.offset, timestamp=record.timestamp)
    raw = next((value for name, value in record.headers if name == f"{PREFIX}redelivery" and value), None)
    if not is_redelivery or raw is None or len(raw) > MAX_BYTES:
        return first
    try:
        said = json.loads(raw)
        return Redelivery(
            attempt=max(1, int(said["attempt"])),
            not_before=_moment(said["not_before_ms"]),
            history=tuple(str(entry)[:_ENTRY_CHARACTERS] for entry in said["history"][:_HISTORY_ENTRIES]),
            topic=str(said["topic"]),
            partition=int(said["partition"]),
            offset=int(said["offset"]),
            timestamp=_moment(said["timestamp_ms"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return first


def senders_headers(record: Record) -> Headers:
    """The headers that the record came with at first."""
    return tuple((name, value) for name, value in record.headers if not name.startswith(PREFIX))


def headers(record: Record, redelivery: Redelivery) -> Headers:
    """The sender's headers, and one of ours."""
    said = {
        "attempt": redelivery.attempt,
        "not_before_ms": _millis(redelivery.not_before),
        "history": redelivery.history,
        "topic": redelivery.topic,
        "partition": redelivery.partition,
        "offset": redelivery.offset,
        "timestamp_ms": _millis(redelivery.timestamp),
    }
    return (*senders_headers(record), (f"{PREFIX}redelivery", json.dumps(said).encode()))


def _moment(millis: float | None) -> datetime | None:
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
