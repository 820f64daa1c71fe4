"""The client library's messages as records."""

from datetime import UTC, datetime
from operator import methodcaller

import structlog
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE
from confluent_kafka import Message as KafkaMessage

from consumer.core.log_events import LogEvent
from consumer.core.model import Headers, Record

# For a name that is not UTF-8 the client returns a list with a hole in it and leaves an error behind. A call in plain
# bytecode may miss that once it is specialised, and touch the hole; a call from C always looks.
_ask_for_headers = methodcaller("headers")


def record_of(message: KafkaMessage) -> Record:
    """The client's message, which is no error, as a Record, whatever bytes a stranger wrote into it."""
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=_headers(message),
        timestamp=_timestamp(message),
    )


def _timestamp(message: KafkaMessage) -> datetime | None:
    """None where there is none, and where it is no moment of the years 1 to 9999: producers set what they like."""
    kind, millis = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return None
    try:
        return datetime.fromtimestamp(millis / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _headers(message: KafkaMessage) -> Headers:
    """None of them where the client can't read them, as it is with a name that is not UTF-8."""
    try:
        return tuple((name, _bytes(value)) for name, value in _ask_for_headers(message) or ())
    except (SystemError, UnicodeError) as error:
        place = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
        structlog.get_logger().warning(LogEvent.HEADERS_UNREADABLE, **place, reason=type(error).__name__)
        return ()


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
