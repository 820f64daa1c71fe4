"""For platform code: send requests, wait for their outcomes, read all outcomes. Needs no networks.

with Client.from_env() as client:
    job = client.separate("music/song.mp3", model="4stems", format="flac")
    result = job.result(timeout_s=600)
    job.download("out")
"""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.decoding import EventDecoder
from consumer.client.errors import ClientClosed
from consumer.client.files import Files
from consumer.client.job import Job
from consumer.client.log import EventLog
from consumer.client.outcomes import Outcome, OutcomeReader
from consumer.client.sender import Headers, Sender
from consumer.client.sources import object_of
from consumer.client.watch import Watch
from consumer.core.errors import SettingsError
from consumer.core.events import (
    DeadLetter,
    Event,
    OutputOptions,
    SeparationControl,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
    SourceObject,
)
from consumer.pipeline.stages.validate import check_request
from consumer.settings import KafkaSettings, TopicSettings

REQUEST_S = 10.0  # how long a broker may take to answer
_GRACE_S = 5.0
E = TypeVar("E", bound=Event)


def no_files() -> Files:
    """In place of a store where none is configured."""
    raise SettingsError("MINIO_ENDPOINT: must be set, to send and to fetch files", variables=("MINIO_ENDPOINT",))


class Client:
    """Thread-safe; one for the whole life of a process. Close it, or leave it as a context manager.

    It holds one producer and one reader of outcomes, however many jobs are under way; both are made when they are
    first needed. `files` makes what local files go through. Each answer of a broker is waited for up to `request_s`
    seconds. Every method raises BrokerUnavailable where none comes, its kind TopicUnavailable where there is no such
    topic, AccessDenied where it is not ours to use, SettingsError for a KAFKA_<PROPERTY> that librdkafka refuses, and
    RegistryUnavailable where the codec has a schema registry that does not answer.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: TopicSettings,
        codec: AvroCodec,
        *,
        files: Callable[[], Files] = no_files,
        request_s: float = REQUEST_S,
    ) -> None:
        self._kafka, self._topics, self._codec = kafka, topics, codec
        self._make_files, self._request_s = files, request_s
        self._lock = threading.RLock()
        self._is_closed = False
        self._made_sender: Sender | None = None
        self._made_outcomes: OutcomeReader | None = None
        self._made_files: Files | None = None

    @classmethod
    def from_env(cls) -> Self:
        """One that is configured by KAFKA_*, TOPIC_*, SCHEMA_REGISTRY_URL and, for files, the object store's settings.

        Raises SettingsError, which names the variable.
        """
        from consumer.client.environment import files_from_env, kafka_from_env

        kafka, topics, codec = kafka_from_env()
        return cls(kafka, topics, codec, files=files_from_env)

    def separate(
        self,
        source: str | Path | SourceObject,
        *,
        model: str = "2stems",
        format: str = "wav",
        bitrate: str | None = None,
        start_s: float | None = None,
        duration_s: float | None = None,
        high_frequencies: str = "zeros",
        track: int | None = None,
        tenant: str | None = None,
        deadline: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
        request_id: str | None = None,
        headers: Headers = (),
    ) -> Job:
        """Ask for the stems of `source`: "bucket/key" or a SourceObject for an object, a Path for a local file.

        A local file is uploaded before this returns. The rest means what it means in a SeparationRequest; without
        `request_id` the job gets a new one. Returns without waiting for the brokers: `Job.sent` does. Raises
        Rejected(REQUEST_INVALID) for what a replica would answer so.
        """
        asked = SeparationRequest(
            request_id=request_id or str(uuid.uuid4()),
            source=object_of(source),
            model=model,
            output=OutputOptions(format=format, bitrate=bitrate),
            start_s=start_s,
            duration_s=duration_s,
            high_frequencies=high_frequencies,
            track=track,
            tenant=tenant,
            deadline=deadline,
            requested_at=datetime.now(UTC),
            metadata=dict(metadata or {}),
        )
        check_request(asked)  # before a file is uploaded in vain
        if isinstance(source, Path):
            asked = replace(asked, source=self._open_files().upload(source, asked.request_id))
        return self._submit(asked, headers)

    def submit(self, request: SeparationRequest, headers: Headers = ()) -> Job:
        """As `separate`, of a whole request.

        `headers` are the record's, pairs of a name and bytes or None: a `traceparent` makes the job part of a trace.
        """
        check_request(request)
        return self._submit(request, headers)

    def send(self, request: SeparationRequest, headers: Headers = ()) -> None:
        """Send a request whose outcome others wait for; returns when the brokers have it. Raises as `Job.sent`."""
        check_request(request)
        self._send(self._topics.requests, request, request.request_id, headers)

    def job(self, request_id: str) -> Job:
        """Take up again what was sent earlier, or by somebody else; what the topics still hold of it is found.

        Reads results and dead letters from their beginning, which takes the longer the more they hold.
        """
        pending = self._outcomes.expect(request_id)
        if (found := self._found(request_id)) is not None:
            pending.settle(found)
        return Job(pending, None, cancel=self.cancel, files=self._open_files)

    def cancel(self, request_id: str, reason: str | None = None) -> None:
        """Ask that a request be stopped, or not begun; returns when the brokers have that wish.

        The request then ends as a dead letter CANCELLED, which gives the `reason`, unless it is done already.
        """
        wish = SeparationControl(request_id=request_id, action="cancel", reason=reason, issued_at=datetime.now(UTC))
        self._send(self._topics.control, wish, request_id)

    def results(
        self, *, since: Mapping[int, int] | None = None, idle_s: float | None = None
    ) -> EventLog[SeparationResult]:
        """All results, and those that come; as EventLog, which says what `since` and `idle_s` are."""
        return self._log_of(self._topics.results, SeparationResult, since, idle_s)

    def dead_letters(
        self, *, since: Mapping[int, int] | None = None, idle_s: float | None = None
    ) -> EventLog[DeadLetter]:
        """All dead letters, and those that come; as `results`."""
        return self._log_of(self._topics.dead_letter, DeadLetter, since, idle_s)

    def watch(self, *, from_beginning: bool = False) -> Watch:
        """Watch results, dead letters and progress together: what comes from now on, or all that the topics hold.

        What is sent after this has returned is not missed. Close it when it is no longer needed.
        """
        return Watch(
            self._kafka, _kinds_of(self._topics), self._codec, from_beginning=from_beginning, request_s=self._request_s
        )

    def close(self) -> None:
        """Wait until what was sent is acknowledged, at most `request_s` seconds, and end all connections.

        Whoever still waits for an outcome gets ClientClosed. Closing twice does nothing.
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        if self._made_sender is not None:
            self._made_sender.close(self._request_s)
        if self._made_outcomes is not None:
            self._made_outcomes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _submit(self, request: SeparationRequest, headers: Headers) -> Job:
        pending = self._outcomes.expect(request.request_id)  # before it is sent: nothing can be missed
        value = self._codec.encode(request)
        # A request that was not sent has no outcome but that.
        sent = self._sender.send(self._topics.requests, value, request.request_id, headers, pending.settle)
        return Job(pending, sent, cancel=self.cancel, files=self._open_files)

    def _send(self, topic: str, event: Event, key: str, headers: Headers = ()) -> None:
        acknowledged = self._sender.send(topic, self._codec.encode(event), key, headers)
        # The producer gives up by itself within request_s; the rest is for its thread to say so.
        acknowledged.future().result(self._request_s + _GRACE_S)

    def _found(self, request_id: str) -> Outcome | None:
        """The latest outcome of this request that the topics hold."""
        found: list[Outcome] = []
        logs: tuple[EventLog[SeparationResult] | EventLog[DeadLetter], ...] = (self.results(), self.dead_letters())
        for log in logs:
            with log:
                found += [each.event for each in log.read_to_end() if each.event.request_id == request_id]
        return max(found, key=_ended_at, default=None)

    def _log_of(self, topic: str, kind: type[E], since: Mapping[int, int] | None, idle_s: float | None) -> EventLog[E]:
        decoder = EventDecoder(self._codec, {topic: kind})
        return EventLog(self._kafka, topic, decoder, since=since, idle_s=idle_s, request_s=self._request_s)

    @property
    def _sender(self) -> Sender:
        with self._lock:
            self._check_open()
            if self._made_sender is None:
                self._made_sender = Sender(self._kafka, request_s=self._request_s)
            return self._made_sender

    @property
    def _outcomes(self) -> OutcomeReader:
        with self._lock:
            self._check_open()
            if self._made_outcomes is None or self._made_outcomes.has_ended:
                decoder = EventDecoder(self._codec, _kinds_of(self._topics))
                self._made_outcomes = OutcomeReader(self._kafka, self._topics, decoder, request_s=self._request_s)
            return self._made_outcomes

    def _open_files(self) -> Files:
        with self._lock:
            if self._made_files is None:
                self._made_files = self._make_files()
            return self._made_files

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClientClosed("the client was closed")


def _kinds_of(topics: TopicSettings) -> dict[str, type[Event]]:
    return {
        topics.results: SeparationResult, topics.dead_letter: DeadLetter, topics.progress: SeparationProgress,
    }  # fmt: skip


def _ended_at(outcome: Outcome) -> datetime:
    return outcome.completed_at if isinstance(outcome, SeparationResult) else outcome.failed_at
