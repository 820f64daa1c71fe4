"""How often separators began each record of one partition without coming to an end of it.

The counts are committed as the metadata of the partition's offset, so they survive the replica that a record kills, and
whoever owns the partition next knows them. So do deaths while reading (see `reading`), which lie beside them, and the
id of the log: a commit on its way while the topic is made anew arrives in the new one's name, and is none of its own.
"""

import json
from collections.abc import Mapping


class StartCounts:
    """One partition's, by offset. Not thread-safe."""

    def __init__(self, offset_metadata: str = "") -> None:
        self._counts = parse_offset_metadata(offset_metadata)

    def __getitem__(self, offset: int) -> int:
        return self._counts.get(offset, 0)

    def increment(self, offset: int) -> int:
        """One more start of that record; returns how many there are now."""
        self._counts[offset] = self[offset] + 1
        return self._counts[offset]

    def decrement(self, offset: int) -> None:
        """One start fewer: it came to an end, or was never begun."""
        self._counts[offset] = max(0, self[offset] - 1)

    def forget_before(self, offset: int) -> None:
        """Records before this offset are finished for good."""
        self._counts = {at: count for at, count in self._counts.items() if at >= offset}

    def offset_metadata(self, offset: int, *, reading: int = 0, is_fresh: bool = False, log_id: str = "") -> str:
        """What is committed beside `offset`: the counts from there on, and what is handed in; empty for nothing."""
        counts = {at: count for at, count in self._counts.items() if at >= offset}
        return format_offset_metadata(counts, reading=reading, is_fresh=is_fresh, log_id=log_id)

    def only_forgets(self, committed: str) -> bool:
        """Whether committing these counts in place of those would only let starts be forgotten."""
        known = parse_offset_metadata(committed)
        return all(count <= known.get(offset, 0) for offset, count in self._counts.items())


def format_offset_metadata(
    counts: Mapping[int, int], *, reading: int = 0, is_fresh: bool = False, log_id: str = ""
) -> str:
    """As JSON, {"starts": {"<offset>": count}, "reading": count, "fresh": true, "log": id}, without what says nothing.

    Nothing at all is the empty string. is_fresh: the offset says nothing, since none had been committed. log_id: of the
    log that the offset is one of.
    """
    starts = {str(offset): count for offset, count in sorted(counts.items()) if count > 0}
    told: dict[str, object] = {"starts": starts, "reading": reading, "fresh": is_fresh, "log": log_id}
    told = {name: value for name, value in told.items() if value}
    return json.dumps(told) if told else ""


def parse_offset_metadata(text: str) -> dict[int, int]:
    """Starts by offset; metadata that is not ours says nothing."""
    try:
        return {int(offset): int(count) for offset, count in json.loads(text)["starts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def parse_reading(text: str) -> int:
    """How many replicas in a row died while they read from there; metadata that is not ours says nothing."""
    count = _field(text, "reading")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


def is_fresh(text: str) -> bool:
    """Whether that offset was only committed to count what reads from it."""
    return _field(text, "fresh") is True


def parse_log_id(text: str) -> str:
    """The id of the log that the offset is one of; "" where nothing is said of it."""
    log_id = _field(text, "log")
    return log_id if isinstance(log_id, str) else ""


def _field(text: str, name: str) -> object:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told.get(name) if isinstance(told, dict) else None
