"""How the last hour is shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from consumer.gateway.history.outcomes import HourOfOutcomes, Minute
from consumer.gateway.history.samples import EVERY_S, SPAN_S, Sample
from consumer.gateway.timestamps import iso_time


def history_document(
    samples: Sequence[Sample], outcomes: HourOfOutcomes, *, has_read_all: bool, now: datetime
) -> dict[str, Any]:
    """A HistoryBody says what the fields are. has_read_all: whether the index has read the topics to their ends."""
    return {
        "now": iso_time(now.timestamp()),
        "span_s": SPAN_S,
        "every_s": EVERY_S,
        "begins_at": iso_time(samples[0].at_s) if samples else None,
        "samples": [_sample(each) for each in samples],
        "minutes": [_minute(each) for each in outcomes.minutes],
        "codes": outcomes.codes,
        "has_read_all": has_read_all,
    }


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "at": iso_time(sample.at_s),
        "messages": sample.messages,
        "seconds": sample.seconds,
        "replicas": sample.replicas,
    }


def _minute(minute: Minute) -> dict[str, Any]:
    counts = {kind.value: count for kind, count in minute.kinds.items()}
    return {"at": iso_time(minute.at_ms / 1000), **counts, "audio_s": minute.audio_s}
