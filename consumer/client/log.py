"""What a topic of events holds and what comes, one event after the other, with where to go on from."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from consumer.client.decoding import EventDecoder, EventReader
from consumer.client.reader import Begin, TopicReader
from consumer.core.events import Event
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings

E = TypeVar("E", bound=Event)
_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Generic[E]):
    """An event as it was read.

    positions: of each partition that was read so far, the offset of what comes next in it: `since` for going on behind
    this event, in another process too. Keep them where you keep what you made of the event.
    """

    event: E
    partition: int
    offset: int
    positions: Mapping[int, int]


class EventLog(Generic[E]):
    """Iterates over one topic's events: those that it holds behind `since`, then those that come.

    since: the `positions` of an event that was received before; None for all that the topic holds. idle_s: iterating
    ends once nothing came for so many seconds; None: never. Close it, or leave it as a context manager.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        decoder: EventDecoder,
        *,
        since: Mapping[int, int] | None = None,
        idle_s: float | None = None,
        request_s: float,
    ) -> None:
        positions = {TopicPartition(topic, partition): offset for partition, offset in (since or {}).items()}
        self._reader = TopicReader(kafka, [topic], begin=Begin.BEGINNING, positions=positions, request_s=request_s)
        self._events, self._idle_s, self._request_s = EventReader(self._reader, decoder), idle_s, request_s
        self._positions = dict(since or {})
        self._active_at = time.monotonic()

    def __iter__(self) -> Iterator[Received[E]]:
        return self

    def __next__(self) -> Received[E]:
        while True:
            if received := self._next():
                return received
            if self._idle_s is not None and time.monotonic() - self._active_at > self._idle_s:
                raise StopIteration

    def read_to_end(self) -> Iterator[Received[E]]:
        """Only what the topic held when this was opened, and what came while it was read.

        Raises BrokerUnavailable where nothing came for `request_s` seconds, and the end was not reached.
        """
        self._active_at = time.monotonic()
        while self._events.has_waiting or not self._reader.is_at_first_end():
            if received := self._next():
                yield received
            elif time.monotonic() - self._active_at > self._request_s:
                raise self._reader.away("the end of the topic is not reached")

    def close(self) -> None:
        """End the connection to the brokers. Nothing may be called afterwards."""
        self._reader.close()

    def __enter__(self) -> "EventLog[E]":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _next(self) -> Received[E] | None:
        """The next record's event; None where none came for a moment, or what came is no event."""
        if (found := self._events.next(_POLL_S)) is None:
            return None
        message, event = found
        self._active_at = time.monotonic()
        partition, offset = message.partition() or 0, message.offset() or 0
        self._positions[partition] = offset + 1
        if event is None:
            return None
        return Received(event=event, partition=partition, offset=offset, positions=dict(self._positions))  # type: ignore[arg-type]
