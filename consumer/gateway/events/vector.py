"""An event's id: how far each partition of the topics was read when the event had been sent.

    <log>.<requests>;<progress>;<results>;<dead letters>       9f86d081.12,0,7;40,41,39;3,0,2;0,0,1

`log` stands for the topics themselves, so that those that were made anew are told from those before; then, of each
topic, the offset that comes next in each of its partitions, from 0; nothing between two commas where none was read.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from consumer.core.model import TopicPartition
from consumer.gateway.index.positions import Positions

_LONGEST = 32 * 1024  # bytes; one that we gave is shorter, or could not be sent back as a header
_OFFSET = r"(?:0|[1-9]\d{0,17})?"
_TOPIC = rf"{_OFFSET}(?:,{_OFFSET})*"
_ID = re.compile(rf"([0-9a-f]{{8}})\.({_TOPIC}(?:;{_TOPIC})*)", re.ASCII)


class EventIds:
    """topics: in the order in which ids name them, each with what its brokers know it by, "" where they don't say."""

    def __init__(self, topics: Mapping[str, str]) -> None:
        self._topics: Sequence[str] = tuple(topics)
        self._log = hashlib.sha256(repr(list(topics.items())).encode()).hexdigest()[:8]

    def text(self, positions: Positions) -> str:
        """Positions of these topics, as an id."""
        return f"{self._log}.{';'.join(self._topic_text(topic, positions) for topic in self._topics)}"

    def parse(self, text: str) -> dict[TopicPartition, int] | None:
        """What `text` made, of the same topics; None where it did not."""
        if len(text) > _LONGEST or (found := _ID.fullmatch(text)) is None or found.group(1) != self._log:
            return None
        of_topics = found.group(2).split(";")
        if len(of_topics) != len(self._topics):
            return None
        return {
            TopicPartition(topic, partition): int(offset)
            for topic, offsets in zip(self._topics, of_topics, strict=True)
            for partition, offset in enumerate(offsets.split(","))
            if offset
        }

    @staticmethod
    def _topic_text(topic: str, positions: Positions) -> str:
        found = {place.partition: offset for place, offset in positions.items() if place.topic == topic}
        return ",".join(str(found.get(partition, "")) for partition in range(max(found, default=-1) + 1))
