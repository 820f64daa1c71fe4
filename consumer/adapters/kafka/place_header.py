"""The header of an outcome that says which record it is the outcome of: where the group stood once it was published.

Committed offsets are forgotten some time after a group has ended; outcomes stay as long as their topic keeps them.
"""

import json
from dataclasses import dataclass

from consumer.core.model import OUR_HEADER_PREFIX, Headers, Record, TopicPartition

PLACE_HEADER = f"{OUR_HEADER_PREFIX}place"
MAX_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The last record of a partition that had its outcome when this was written.

    timestamp_ms: the record's; by it another log of the same name is told, however long. None: it had none.
    """

    partition: TopicPartition
    offset: int
    timestamp_ms: int | None


def place_of(record: Record) -> Place:
    """Where a record lies."""
    at = record.timestamp
    return Place(
        partition=record.topic_partition,
        offset=record.offset,
        timestamp_ms=None if at is None else round(at.timestamp() * 1000),
    )


def place_header(group_id: str, place: Place) -> tuple[str, bytes]:
    """The header, by its name, as that group's replicas write it."""
    fields = {
        "group": group_id,
        "topic": place.partition.topic,
        "partition": place.partition.partition,
        "offset": place.offset,
        "timestamp_ms": place.timestamp_ms,
    }
    return PLACE_HEADER, json.dumps(fields).encode()


def read_place(group_id: str, headers: Headers) -> Place | None:
    """What the headers of an outcome say; None where they say nothing of that group, or nothing that can be read."""
    raw = next((value for name, value in headers if name == PLACE_HEADER), None)
    if raw is None or len(raw) > MAX_BYTES:
        return None
    try:
        fields = json.loads(raw)
        if fields["group"] != group_id:
            return None
        at = fields["timestamp_ms"]
        return Place(
            partition=TopicPartition(str(fields["topic"]), int(fields["partition"])),
            offset=int(fields["offset"]),
            timestamp_ms=None if at is None else int(at),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
