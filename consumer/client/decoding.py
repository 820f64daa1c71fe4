"""From a record to an event; what is none, which anyone might write, is passed over with a warning."""

import logging
from collections import deque
from collections.abc import Mapping

from confluent_kafka import Message

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.reader import TopicReader
from consumer.core.errors import Rejected
from consumer.core.events import Event

_AT_A_TIME = 500
_log = logging.getLogger("consumer.client")


class EventDecoder:
    """`kinds` says which topic holds which event."""

    def __init__(self, codec: AvroCodec, kinds: Mapping[str, type[Event]]) -> None:
        self._codec, self._kinds = codec, kinds

    def decode(self, message: Message) -> Event | None:
        """The event in a record; None where there is none. Raises RegistryUnavailable."""
        topic, value = message.topic() or "", message.value()
        try:
            return self._codec.decode(self._kinds[topic], value if isinstance(value, bytes) else None)
        except Rejected as rejected:
            where = f"{topic} [{message.partition()}] at offset {message.offset()}"
            _log.warning("%s is no event: %s: %s", where, rejected.code, rejected.message)
            return None


class EventReader:
    """One event after the other, from a reader of its own. Not thread-safe."""

    def __init__(self, reader: TopicReader, decoder: EventDecoder) -> None:
        self._reader, self._decoder = reader, decoder
        self._waiting: deque[Message] = deque()

    @property
    def has_waiting(self) -> bool:
        """Whether records were read that `next` has not given yet."""
        return bool(self._waiting)

    def next(self, timeout_s: float) -> tuple[Message, Event | None] | None:
        """The next record and its event, None where it is none; None alone if no record came for so many seconds.

        Raises RegistryUnavailable; the same record then comes again.
        """
        if not self._waiting:
            self._waiting.extend(self._reader.consume(_AT_A_TIME, timeout_s))
        if not self._waiting:
            return None
        event = self._decoder.decode(self._waiting[0])
        return self._waiting.popleft(), event
