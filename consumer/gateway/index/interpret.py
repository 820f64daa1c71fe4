"""From records to what they mean to the index."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping

import msgspec
from confluent_kafka import Message

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.decoding import EventDecoder
from consumer.core.errors import Code, Rejected
from consumer.core.events import (
    REQUEST_ID,
    DeadLetter,
    Event,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
)
from consumer.gateway.index.entry import Asked, Ended, JobState
from consumer.pipeline.stages.validate import fingerprint_of
from consumer.settings import TopicSettings

Meaning = Asked | Ended | SeparationProgress


def kinds_of(topics: TopicSettings) -> dict[str, type[Event]]:
    """Which topic holds which event, of those that the index reads."""
    return {
        topics.requests: SeparationRequest,
        topics.results: SeparationResult,
        topics.dead_letter: DeadLetter,
        topics.progress: SeparationProgress,
    }


OnOutcome = Callable[[SeparationResult | DeadLetter, int], None]


class Interpreter:
    """Not thread-safe. Raises RegistryUnavailable, of a record that is to be interpreted again later.

    on_outcome: told of each result and dead letter, also of those without a request id, and of its record's time.
    """

    def __init__(self, codec: AvroCodec, decoder: EventDecoder, on_outcome: OnOutcome = lambda _, __: None) -> None:
        self._codec, self._decoder, self._on_outcome = codec, decoder, on_outcome

    def meanings(self, message: Message) -> Iterator[Meaning]:
        """What a record says, in the order in which it is to be taken; nothing where it is none of ours."""
        event, (_, at_ms) = self._decoder.decode(message), message.timestamp()
        yield from self._meanings(event, message.partition() or 0, message.offset() or 0, at_ms)
        if isinstance(event, SeparationResult | DeadLetter):
            self._on_outcome(event, at_ms)

    def _meanings(self, event: Event | None, partition: int, offset: int, at_ms: int) -> Iterator[Meaning]:
        match event:
            case SeparationRequest() if REQUEST_ID.fullmatch(event.request_id):
                yield asked(event, partition=partition, offset=offset, at_ms=at_ms)
            case SeparationResult() if REQUEST_ID.fullmatch(event.request_id):
                yield _succeeded(event, at_ms)
            case DeadLetter() if event.request_id and REQUEST_ID.fullmatch(event.request_id):
                yield from self._failed(event, at_ms)
            case SeparationProgress() if REQUEST_ID.fullmatch(event.request_id):
                yield event
            case _:
                return

    def _failed(self, letter: DeadLetter, at_ms: int) -> Iterator[Meaning]:
        """The request as it came is in the letter: it is known also where the topic of requests has dropped it."""
        request = self._original(letter)
        if request is not None:
            came_ms = at_ms if letter.timestamp is None else round(letter.timestamp.timestamp() * 1000)
            yield asked(request, partition=letter.partition, offset=letter.offset, at_ms=came_ms)
        yield Ended(
            request_id=letter.request_id or "",
            state=JobState.CANCELLED if letter.code == Code.CANCELLED else JobState.FAILED,
            tenant=request.tenant if request else None,
            fingerprint=fingerprint_of(request) if request else None,
            document=msgspec.json.encode(failure_document(letter)),
            partition=letter.partition,
            offset=letter.offset,
            at_ms=at_ms,
        )

    def _original(self, letter: DeadLetter) -> SeparationRequest | None:
        try:
            request = self._codec.decode(SeparationRequest, letter.original_value)
        except Rejected:
            return None
        return request if request.request_id == letter.request_id else None


def asked(request: SeparationRequest, *, partition: int, offset: int, at_ms: int) -> Asked:
    """A request that lies at that offset, or will."""
    fingerprint = fingerprint_of(request)
    return Asked(
        request_id=request.request_id,
        tenant=request.tenant,
        fingerprint=fingerprint,
        payload=payload_of(request, fingerprint),
        document=msgspec.json.encode(request_document(request)),
        partition=partition,
        offset=offset,
        at_ms=at_ms,
        model=request.model,
        duration_s=request.duration_s,
    )


def payload_of(request: SeparationRequest, fingerprint: str) -> str:
    """Digest of all that a sender chooses: 32 characters of hex. Two requests with another one are not the same."""
    deadline = request.deadline.isoformat() if request.deadline else None
    words = json.dumps([fingerprint, request.metadata, deadline], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def request_document(request: SeparationRequest) -> Mapping[str, object]:
    """What is shown of a request."""
    return {
        "source": request.source,
        "model": request.model,
        "output": {"format": request.output.format, "bitrate": request.output.bitrate},
        "start_s": request.start_s,
        "duration_s": request.duration_s,
        "high_frequencies": request.high_frequencies,
        "track": request.track,
        "deadline": request.deadline,
        "requested_at": request.requested_at,
        "metadata": request.metadata,
    }


def result_document(result: SeparationResult) -> Mapping[str, object]:
    """What is shown of a result."""
    return {
        "source": result.source,
        "model": result.model,
        "weights_sha256": result.weights_sha256,
        "stems": result.stems,
        "timings_s": result.timings_s,
        "attempt": result.attempt,
        "deduplicated": result.deduplicated,
        "warnings": result.warnings,
        "tenant": result.tenant,
        "completed_at": result.completed_at,
    }


def failure_document(letter: DeadLetter) -> Mapping[str, object]:
    """What is shown of a dead letter."""
    return {
        "code": letter.code,
        "message": letter.message,
        "stage": letter.stage,
        "attempts": letter.attempts,
        "failed_at": letter.failed_at,
    }


def _succeeded(result: SeparationResult, at_ms: int) -> Ended:
    return Ended(
        request_id=result.request_id,
        state=JobState.SUCCEEDED,
        tenant=result.tenant,
        fingerprint=None,
        document=msgspec.json.encode(result_document(result)),
        partition=-1,
        offset=-1,
        at_ms=at_ms,
    )
