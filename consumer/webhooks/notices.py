"""From a record of results or dead letters to what its tenant is told: whose it is, and the body as it is signed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from confluent_kafka import Message

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.decoding import EventDecoder
from consumer.core.errors import Code, Rejected
from consumer.core.events import EPOCH, REQUEST_ID, DeadLetter, Event, SeparationRequest, SeparationResult
from consumer.settings import TopicSettings


class NoticeType(StrEnum):
    """What happened, in the words of the body's `type`."""

    SUCCEEDED = "separation.succeeded"
    FAILED = "separation.failed"
    CANCELLED = "separation.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one record means to its tenant. webhook_id: `<topic>-<partition>-<offset>`. body: JSON in UTF-8."""

    webhook_id: str
    tenant: str | None
    body: bytes


def kinds_of(topics: TopicSettings) -> dict[str, type[Event]]:
    """Which topic holds which event, of those that are read."""
    return {topics.results: SeparationResult, topics.dead_letter: DeadLetter}


class NoticeMaker:
    """Not thread-safe. Raises RegistryUnavailable, of a record that is to be read again later."""

    def __init__(self, codec: AvroCodec, topics: TopicSettings) -> None:
        self._codec, self._decoder = codec, EventDecoder(codec, kinds_of(topics))

    def notice(self, message: Message) -> Notice | None:
        """What a record says; None where it is none of ours, or nobody can tell whose it is."""
        match event := self._decoder.decode(message):
            case SeparationResult() if REQUEST_ID.fullmatch(event.request_id):
                return _notice(message, NoticeType.SUCCEEDED, event.request_id, event.tenant, event.completed_at)
            case DeadLetter() if event.request_id and REQUEST_ID.fullmatch(event.request_id):
                return self._failure(message, event, event.request_id)
            case _:
                return None

    def _failure(self, message: Message, letter: DeadLetter, request_id: str) -> Notice | None:
        """A letter names no tenant, but the request in it does. Without one it is nobody's, or a stranger were told."""
        try:
            request = self._codec.decode(SeparationRequest, letter.original_value)
        except Rejected:
            return None
        if request.request_id != request_id:
            return None
        kind = NoticeType.CANCELLED if letter.code == Code.CANCELLED else NoticeType.FAILED
        return _notice(message, kind, request_id, request.tenant, letter.failed_at, code=letter.code)


def _notice(
    message: Message, kind: NoticeType, request_id: str, tenant: str | None, at: datetime, *, code: str = ""
) -> Notice:
    if at == EPOCH:  # not said
        at = datetime.fromtimestamp(max(0, message.timestamp()[1]) / 1000, UTC)
    data = {"id": request_id, "tenant": tenant, "state": kind.removeprefix("separation.")}
    content = {"type": kind, "timestamp": at, "data": data | ({"code": code} if code else {})}
    return Notice(
        webhook_id=f"{message.topic()}-{message.partition()}-{message.offset()}",
        tenant=tenant,
        body=msgspec.json.encode(content),
    )
