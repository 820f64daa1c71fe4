"""How far topics were read: a vector of offsets, and its text form, which clients hand back."""

import re
from collections.abc import Mapping

from consumer.core.model import TopicPartition

_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})")
_MOST = 4096  # partitions of all topics; longer texts are nobody's whom we gave one

Positions = Mapping[TopicPartition, int]
"""Of each partition the offset of what comes next."""


def place_text(partition: TopicPartition, offset: int) -> str:
    """One record's place, as `topic:partition:offset`."""
    return f"{partition.topic}:{partition.partition}:{offset}"


def parse_place(text: str) -> tuple[TopicPartition, int] | None:
    """What `place_text` made; None where it did not."""
    if (found := _PLACE.fullmatch(text)) is None:
        return None
    topic, partition, offset = found.groups()
    return TopicPartition(topic, int(partition)), int(offset)


def positions_text(positions: Positions) -> str:
    """All of them, as an event's id: `topic:partition:offset,...`."""
    return ",".join(place_text(place, offset) for place, offset in sorted(positions.items()))


def parse_positions(text: str) -> dict[TopicPartition, int] | None:
    """What `positions_text` made; None where it did not."""
    parts = text.split(",", _MOST)
    if len(parts) > _MOST:
        return None
    places = [parse_place(part) for part in parts]
    known = [place for place in places if place is not None]
    return dict(known) if len(known) == len(parts) else None
