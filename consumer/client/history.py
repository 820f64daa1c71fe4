"""What the topics hold of requests: asked for, done, given up."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.decoding import EventDecoder, EventReader
from consumer.client.reader import Begin, TopicReader
from consumer.core.errors import Rejected
from consumer.core.events import REQUEST_ID, DeadLetter, Event, SeparationRequest, SeparationResult
from consumer.settings import KafkaSettings, TopicSettings

_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A record of a request. request: as it was asked for, where the record tells. result: where it is one.

    has_ended: whether it is an outcome.
    """

    request_id: str
    tenant: str | None
    request: SeparationRequest | None = None
    result: SeparationResult | None = None
    has_ended: bool = False


class RequestHistory:
    """Reads requests, results and dead letters from their beginnings to where they end when it begins.

    Nothing is kept of what was read. Raises BrokerUnavailable, AccessDenied, RegistryUnavailable.
    """

    def __init__(self, kafka: KafkaSettings, topics: TopicSettings, codec: AvroCodec, *, request_s: float) -> None:
        self._kafka, self._codec, self._request_s = kafka, codec, request_s
        self._kinds: dict[str, type[Event]] = {
            topics.requests: SeparationRequest,
            topics.results: SeparationResult,
            topics.dead_letter: DeadLetter,
        }

    def sightings(self) -> Iterator[Sighting]:
        """Of all requests with a proper id, topic by topic: what was asked for first, what came of it then."""
        yield from self._of_topics(self._kinds)

    def outcomes_first(self) -> Iterator[Sighting]:
        """As `sightings`, the other way round: what has ended is known before it is seen that it was asked for."""
        yield from self._of_topics(reversed(self._kinds))

    def _of_topics(self, topics: Iterable[str]) -> Iterator[Sighting]:
        for topic in topics:
            kind = self._kinds[topic]
            reader = TopicReader(self._kafka, [topic], begin=Begin.BEGINNING, request_s=self._request_s)
            try:
                yield from self._read(reader, EventDecoder(self._codec, {topic: kind}))
            finally:
                reader.close()

    def _read(self, reader: TopicReader, decoder: EventDecoder) -> Iterator[Sighting]:
        events, active_at = EventReader(reader, decoder), time.monotonic()
        while events.has_waiting or not reader.is_at_first_end():
            found = events.next(_POLL_S)
            if found is None:
                if time.monotonic() - active_at > self._request_s:
                    raise reader.away("the end of the topic is not reached")
                continue
            active_at = time.monotonic()
            seen = self._seen(found[1])
            if seen and REQUEST_ID.fullmatch(seen.request_id):
                yield seen

    def _seen(self, event: Event | None) -> Sighting | None:
        match event:
            case SeparationRequest():
                return Sighting(request_id=event.request_id, tenant=event.tenant, request=event)
            case SeparationResult():
                return Sighting(request_id=event.request_id, tenant=event.tenant, result=event, has_ended=True)
            case DeadLetter(request_id=str(request_id)):
                return self._given_up(event, request_id)
            case _:
                return None

    def _given_up(self, letter: DeadLetter, request_id: str) -> Sighting | None:
        try:
            request = self._codec.decode(SeparationRequest, letter.original_value)
        except Rejected:
            return None  # it does not tell whose it was
        if request.request_id != request_id:
            return None
        return Sighting(request_id=request_id, tenant=request.tenant, request=request, has_ended=True)
