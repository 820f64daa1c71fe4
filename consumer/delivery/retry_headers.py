"""The headers that carry a record through the retry topics: when it is due, how often it was tried, where it began.

All of ours together stay below MAX_BYTES however often a record goes round; the sender's own travel along untouched.
"""

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from consumer.core.model import OUR_HEADER_PREFIX, Headers, Record

MAX_BYTES = 4096
_HISTORY_ENTRIES, _ENTRY_CHARACTERS = 12, 200
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_INT, _LONG = 2**31 - 1, 2**63 - 1  # the largest that a dead letter can tell of


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryState:
    """What a record has been through. `attempt` is the one that is due now, from 1; `history` its earlier failures."""

    attempt: int = 1
    not_before: datetime | None = None
    history: tuple[str, ...] = ()
    topic: str
    partition: int
    offset: int
    timestamp: datetime | None = None

    def failed(self, error: str, *, not_before: datetime) -> "RetryState":
        """The next attempt, after one more failure. The first failure is kept, and then the latest ones."""
        entry = error.replace("\n", " ")[:_ENTRY_CHARACTERS]
        history = (*self.history, entry)
        if len(history) > _HISTORY_ENTRIES:
            history = (history[0], *history[-_HISTORY_ENTRIES + 1 :])
        return replace(self, attempt=self.attempt + 1, not_before=not_before, history=history)

    def due_by(self, latest: datetime) -> "RetryState":
        """The same, due then at the latest: a header can be anyone's, and what is never due holds up its partition."""
        if self.not_before is None or self.not_before <= latest:
            return self
        return replace(self, not_before=latest)


def parse(record: Record, *, is_redelivery: bool) -> RetryState:
    """What the record's headers say, if it comes from a retry topic; elsewhere they would be a stranger's."""
    first = RetryState(topic=record.topic, partition=record.partition, offset=record.offset, timestamp=record.timestamp)
    raw = next((value for name, value in record.headers if name == f"{OUR_HEADER_PREFIX}redelivery" and value), None)
    if not is_redelivery or raw is None or len(raw) > MAX_BYTES:
        return first
    try:
        fields = json.loads(raw)
        return RetryState(
            attempt=_number(fields["attempt"], 1, _INT),
            not_before=_moment(fields["not_before_ms"]),
            history=tuple(_text(entry)[:_ENTRY_CHARACTERS] for entry in fields["history"][:_HISTORY_ENTRIES]),
            topic=_topic(fields["topic"]),
            partition=_number(fields["partition"], 0, _INT),
            offset=_number(fields["offset"], 0, _LONG),
            timestamp=_moment(fields["timestamp_ms"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return first


def senders_headers(record: Record) -> Headers:
    """The headers that the record came with at first."""
    return tuple((name, value) for name, value in record.headers if not name.startswith(OUR_HEADER_PREFIX))


def headers(record: Record, retry_state: RetryState) -> Headers:
    """The sender's headers, and one of ours."""
    while len(ours := _encode(retry_state)) > MAX_BYTES and len(retry_state.history) > 1:
        retry_state = replace(retry_state, history=(retry_state.history[0], *retry_state.history[2:]))
    return (*senders_headers(record), (f"{OUR_HEADER_PREFIX}redelivery", ours))


def _encode(retry_state: RetryState) -> bytes:
    fields = {
        "attempt": retry_state.attempt,
        "not_before_ms": _millis(retry_state.not_before),
        "history": retry_state.history,
        "topic": retry_state.topic,
        "partition": retry_state.partition,
        "offset": retry_state.offset,
        "timestamp_ms": _millis(retry_state.timestamp),
    }
    return json.dumps(fields).encode()


# What a header says may have been written by anyone; each of these raises ValueError for what could not be published.


def _number(value: str | float, least: int, most: int) -> int:
    number = int(value)
    if not least <= number <= most:
        raise ValueError(number)
    return number


def _text(value: object) -> str:
    return str(value).encode().decode()  # half a surrogate pair has no encoding


def _topic(name: str) -> str:
    if not _TOPIC.fullmatch(name):
        raise ValueError(name)
    return name


def _moment(millis: float | None) -> datetime | None:
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
