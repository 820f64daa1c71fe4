"""How a dead letter is shown. Whoever could write to its topic chose its words, so no text is shown longer."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from consumer.adapters.kafka.dead_letters import DeadLetterEntry
from consumer.core.errors import Rejected
from consumer.core.events import DeadLetter, SeparationRequest
from consumer.core.model import Message

Document = dict[str, Any]

_WORD, _TEXT = 200, 4000  # characters
_MOST_ENTRIES = 100
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def listed(entry: DeadLetterEntry) -> Document:
    """Without the record itself; a record of the topic that is no dead letter has its place alone."""
    letter = entry.dead_letter
    told = {} if letter is None else {
        "request_id": letter.request_id and _cut(letter.request_id, _WORD), "code": _cut(letter.code, _WORD),
        "message": _cut(letter.message, _TEXT), "stage": _cut(letter.stage, _WORD), "attempts": letter.attempts,
        "topic": _cut(letter.topic, _WORD), "partition": letter.partition, "offset": letter.offset,
        "failed_at": msgspec.to_builtins(letter.failed_at),
    }  # fmt: skip
    return {"place": entry.place, **told}


def record_of(letter: DeadLetter, request: SeparationRequest | Rejected) -> Document:
    """The record as it came. request: what it says, or why it says nothing."""
    is_read = isinstance(request, SeparationRequest)
    kept = letter.original_headers[:_MOST_ENTRIES]
    return {
        "consumer_version": _cut(letter.consumer_version, _WORD),
        "timestamp": letter.timestamp and msgspec.to_builtins(letter.timestamp),
        "key": _bytes(letter.original_key),
        "value_bytes": None if letter.original_value is None else len(letter.original_value),
        "headers": [{"name": _cut(header.key, _WORD), "value": _bytes(header.value)} for header in kept],
        "headers_left_out": len(letter.original_headers) - len(kept),
        "request": bounded(msgspec.to_builtins(request)) if is_read else None,
        "request_error": None if is_read else _cut(str(request), _TEXT),
        "trace_id": _trace_id(letter),
    }


def planned(entry: DeadLetterEntry, message: Message | Rejected) -> Document:
    """What a replay would send, or why it would not."""
    if isinstance(message, Rejected):
        nothing = dict.fromkeys(("topic", "key", "value_bytes", "headers"))
        return {"place": entry.place, "would_send": False, "why_not": _cut(message.message, _TEXT), **nothing}
    return {
        "place": entry.place,
        "would_send": True,
        "why_not": None,
        "topic": message.topic,
        "key": _bytes(message.key),
        "value_bytes": len(message.value or b""),
        "headers": [_cut(name, _WORD) for name, _ in message.headers[:_MOST_ENTRIES]],
    }


def bounded(value: Any) -> Any:
    """The same JSON with texts cut at 4000 characters, and with 100 entries of an object or array at most."""
    match value:
        case str():
            return _cut(value, _TEXT)
        case Mapping():
            return {_cut(name, _WORD): bounded(each) for name, each in list(value.items())[:_MOST_ENTRIES]}
        case Sequence():
            return [bounded(each) for each in value[:_MOST_ENTRIES]]
        case float() if not math.isfinite(value):
            return str(value)  # JSON has no such number
        case _:
            return value


def _bytes(data: bytes | None) -> Document | None:
    """Their size, and what they say where they are UTF-8."""
    if data is None:
        return None
    try:
        text: str | None = _cut(data.decode(), _WORD)
    except UnicodeDecodeError:
        text = None
    return {"size_bytes": len(data), "text": text}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _trace_id(letter: DeadLetter) -> str | None:
    """By its header `traceparent`, if that has the form which W3C gives it."""
    values = (header.value for header in letter.original_headers if header.key == "traceparent")
    found = _TRACEPARENT.fullmatch(next(values, None) or b"")
    return found[1].decode() if found and found[1].strip(b"0") else None
