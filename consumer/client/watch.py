"""Several topics of events at once, as they come."""

from collections.abc import Iterator, Mapping

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.decoding import EventDecoder, EventReader
from consumer.client.reader import Begin, TopicReader
from consumer.core.events import Event
from consumer.settings import KafkaSettings


class Watch:
    """Reads events that were committed, and joins no group; iterating over it never ends.

    `kinds` says which topic holds which event. A record that is none, which anyone might write, is passed over with a
    warning to the logger `consumer.client`. Raises as TopicReader.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        kinds: Mapping[str, type[Event]],
        codec: AvroCodec,
        *,
        from_beginning: bool,
        request_s: float,
    ) -> None:
        begin = Begin.BEGINNING if from_beginning else Begin.END
        self._reader = TopicReader(kafka, tuple(kinds), begin=begin, request_s=request_s)
        self._events = EventReader(self._reader, EventDecoder(codec, kinds))

    def poll(self, timeout_s: float) -> Event | None:
        """The next event; None if none came within `timeout_s` seconds, or what came was no event."""
        found = self._events.next(timeout_s)
        return found[1] if found else None

    def __iter__(self) -> Iterator[Event]:
        while True:
            if (event := self.poll(1.0)) is not None:
                yield event

    def close(self) -> None:
        """End the connection to the brokers. Nothing may be called afterwards."""
        self._reader.close()
