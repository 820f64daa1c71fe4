"""From a record to an event; what is none, which anyone might write, is passed over with a warning."""

import logging
from collections.abc import Mapping

from confluent_kafka import Message

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Rejected
from consumer.core.events import Event

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
