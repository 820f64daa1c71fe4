"""Outcomes as messages: a result, a retry or a dead letter, encoded and addressed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from consumer.core.errors import Code, Rejected
from consumer.core.events import DeadLetter, Header, SeparationResult
from consumer.core.model import DeadLettered, Done, Message, Record, Retry, Stage, StoredStems
from consumer.core.ports import Codec
from consumer.delivery.retry_headers import RetryState, headers, senders_headers

_MAX_MESSAGE_CHARACTERS = 4000
_MAX_KEPT_KEY_BYTES = 64 << 10  # of a record that is too large for the dead-letter topic


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOutcome:
    """retry_topics and retry_delays_s: one each, in order."""

    codec: Codec
    results_topic: str
    dead_letter_topic: str
    retry_topics: Sequence[str]
    retry_delays_s: Sequence[float]
    version: str

    def result(self, stored: StoredStems, attempt: int) -> Done:
        """Raises RegistryUnavailable."""
        request, manifest = stored.job.request, stored.manifest
        event = SeparationResult(
            request_id=request.request_id,
            source=manifest.source,
            model=manifest.model,
            weights_sha256=manifest.weights_sha256,
            stems=manifest.stems,
            timings_s=manifest.timings_s,
            attempt=attempt,
            deduplicated=stored.deduplicated,
            metadata=request.metadata,
            completed_at=manifest.completed_at,
            warnings=manifest.warnings,
            tenant=request.tenant,
        )
        message = Message(topic=self.results_topic, key=request.request_id.encode(), value=self.codec.encode(event))
        audio_s = 0.0 if stored.deduplicated else manifest.source.duration_s
        return Done(result=message, audio_s=audio_s, deduplicated=stored.deduplicated)

    def retry(self, record: Record, retry_state: RetryState, error: str, stage: Stage) -> Retry | None:
        """To the next retry topic; None after the last one."""
        index = retry_state.attempt - 1
        if index >= len(self.retry_topics):
            return None
        due = datetime.now(UTC) + timedelta(seconds=self.retry_delays_s[index])
        following = retry_state.failed(f"{stage}: {error}", not_before=due)
        message = Message(
            topic=self.retry_topics[index], key=record.key, value=record.value, headers=headers(record, following)
        )
        return Retry(message=message, stage=stage)

    def exhausted(self, retry_state: RetryState, error: str, stage: Stage) -> Rejected:
        """What a record that no retry topic is left for is rejected with: the whole history."""
        entries = [*retry_state.history, f"{stage}: {error}"]
        numbers = [*range(retry_state.attempt - len(entries) + 1, retry_state.attempt + 1)]
        if retry_state.history:
            numbers[0] = 1  # of a long history the first entry was kept and some after it were not
        lines = "; ".join(f"attempt {number}: {entry}" for number, entry in zip(numbers, entries, strict=True))
        return Rejected(Code.RETRIES_EXHAUSTED, lines)

    def dead_letter(
        self,
        record: Record,
        retry_state: RetryState,
        rejected: Rejected,
        *,
        stage: Stage,
        attempts: int,
        request_id: str | None,
    ) -> DeadLettered:
        """Raises RegistryUnavailable."""
        letter = DeadLetter(
            request_id=request_id,
            code=rejected.code,
            message=rejected.message[:_MAX_MESSAGE_CHARACTERS],
            stage=stage,
            attempts=attempts,
            original_key=record.key,
            original_value=record.value,
            original_headers=tuple(Header(key=k, value=v) for k, v in senders_headers(record)),
            topic=retry_state.topic,
            partition=retry_state.partition,
            offset=retry_state.offset,
            timestamp=retry_state.timestamp,
            failed_at=datetime.now(UTC),
            consumer_version=self.version,
        )
        key = record.key if len(record.key or b"") <= _MAX_KEPT_KEY_BYTES else None
        without_record = replace(
            letter,
            original_key=key,
            original_value=None,
            original_headers=(),
            message=f"{letter.message} (the record is too large for this topic; read it at its topic and offset)",
        )
        smaller = Message(topic=self.dead_letter_topic, key=key, value=self.codec.encode(without_record))
        message = Message(
            topic=self.dead_letter_topic, key=record.key, value=self.codec.encode(letter), smaller=smaller
        )
        return DeadLettered(letter=message, code=rejected.code)
