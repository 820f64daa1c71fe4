"""Small stand-ins for the world outside, and builders of values that tests begin with."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected
from consumer.core.events import SeparationRequest, SourceObject
from consumer.core.model import AudioFacts, Job, Message, Record, Separation, StemFile, TopicPartition
from consumer.core.ports import Commit, ErasableStore, ObjectStore, OnProgress, Position, RebalanceListener, Room
from consumer.delivery.assignment import Assignment, Attempt
from consumer.delivery.retry_headers import RetryState
from consumer.pipeline.forgetting import Eraser, ErasingPlace
from consumer.pipeline.forgotten import ForgottenRequests, Tombstones
from consumer.separator.status import SeparatorStatus
from consumer.testing.broker import MemoryBroker
from consumer.testing.outbox import MemoryOutbox
from consumer.testing.source import MemorySource

NOON = datetime(2024, 5, 6, 12, 0, 0, 123000, tzinfo=UTC)


def a_request(**fields: Any) -> SeparationRequest:
    defaults: dict[str, Any] = {"request_id": "r1", "source": SourceObject(bucket="in", key="a.mp3")}
    return SeparationRequest(**defaults | fields)


def a_record(**fields: Any) -> Record:
    defaults: dict[str, Any] = {"topic": "separation.requests", "partition": 0, "offset": 0}
    return Record(**defaults | fields)


def a_job(request: SeparationRequest | None = None, **fields: Any) -> Job:
    request = request or a_request()
    defaults: dict[str, Any] = {
        "request": request,
        "output_bucket": "out",
        "output_prefix": f"stems/{request.request_id}/",
        "format": request.output.format,
        "bitrate": None,
        "fingerprint": "f" * 64,
    }
    return Job(**defaults | fields)


def forgotten_in(store: ObjectStore) -> ForgottenRequests:
    """What was forgotten, as a replica sees it whose stems go to `out`, below `stems/`."""
    tombstones = Tombstones(store=store, bucket="out", prefix="stems/")
    place = ErasingPlace(bucket="out", prefix="stems/")
    eraser = Eraser(store, store, place) if isinstance(store, ErasableStore) else None
    return ForgottenRequests(tombstones=tombstones, eraser=eraser)


def a_retry_state(record: Record, **fields: Any) -> RetryState:
    origin: dict[str, Any] = {
        "topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": record.timestamp,
    }  # fmt: skip
    return RetryState(**origin | fields)


def an_attempt(record: Record | None = None, **fields: Any) -> Attempt:
    """An attempt of an open assignment that reads from 0, for a record that is at work."""
    record = record or a_record()
    assignment = Assignment(record.topic_partition)
    assignment.begin(None)
    state = a_retry_state(record, **fields)
    return Attempt(assignment=assignment, record=record, retry_state=state, membership=object())


class FakeRegistry:
    """A schema registry's memory; `away` is raised instead of any answer."""

    def __init__(self, schemas: Mapping[int, Any] | None = None) -> None:
        self.schemas: dict[int, Any] = dict(schemas or {})
        self.away: Exception | None = None

    def check(self) -> None:
        if self.away:
            raise self.away

    def schema(self, schema_id: int) -> Any:
        if self.away:
            raise self.away
        if schema_id not in self.schemas:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"the registry knows no schema id {schema_id}")
        return self.schemas[schema_id]

    def id_of(self, name: str, schema: Any) -> int:
        if self.away:
            raise self.away
        known = next((number for number, held in self.schemas.items() if held == schema), None)
        if known is None:
            known = max(self.schemas, default=0) + 1
            self.schemas[known] = schema
        return known


class FakeSeparator:
    """Writes a few bytes a stem. `script` holds what to raise instead, one entry a call; None: nothing."""

    folder: Path | None = None

    def __init__(self, *script: Exception | None) -> None:
        self.script = deque(script)
        self.calls: list[Job] = []
        self.status = SeparatorStatus(ready=True, reason="", last_heartbeat=1000.0)
        self.killed = False
        self.weights_sha256 = "0" * 64

    def report(self, **changes: Any) -> None:
        """From now on its status is another in these fields."""
        self.status = replace(self.status, **changes)

    def start(self) -> None:
        pass

    def revive(self) -> None:
        pass

    def kill(self) -> None:
        self.killed = True

    def prepare(self, cancel: Cancellation) -> None:
        cancel.check()

    def separate(
        self, job: Job, path: Path, *, cancel: Cancellation, on_progress: OnProgress, room: Room | None = None
    ) -> Separation:
        self.calls.append(job)
        if error := self.script.popleft() if self.script else None:
            raise error
        on_progress(1, 1)
        return a_separation(path.parent, weights_sha256=self.weights_sha256)


def a_separation(folder: Path, *, salt: bytes = b"", weights_sha256: str = "0" * 64) -> Separation:
    """Stem files in `folder`, whose bytes depend on `salt`."""
    stems = []
    for name in ("vocals", "accompaniment"):
        path = folder / f"{name}.wav"
        path.write_bytes(name.encode() + salt)
        stems.append(StemFile(name=name, path=path, duration_s=1.5, peak=0.5, clipped_samples=0, overview=(0.1, 0.5)))
    audio = AudioFacts(format="mp3", duration_s=1.5, channels=2, sample_rate_hz=44100)
    return Separation(audio=audio, stems=tuple(stems), weights_sha256=weights_sha256, timings_s={"decode": 0.1})


@dataclass
class FakeNotices:
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def close(self) -> None:
        pass


class FakeBroker(MemoryBroker):
    """A broker that may be away, for what only asks whether it is."""

    is_up = True


class FakeSource(MemorySource):
    """The only member of its group, which tests assign to and revoke from. `away` is raised while it is set."""

    away: Exception | None = None
    last_error: str = ""

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        super().subscribe(topics, listener)
        self.assign([partition for partition in self.broker.log if partition.topic in topics])

    def _follow(self) -> None:
        pass

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        if self.away:
            raise self.away
        return super().committed(partitions)

    def end(self, partition: TopicPartition) -> int:
        if self.away:
            raise self.away
        return super().end(partition)

    def membership(self) -> object:
        return object()

    def is_member(self) -> bool:
        assert isinstance(self.broker, FakeBroker)
        return self.broker.is_up


class FakeOutbox(MemoryOutbox):
    """Publishes to the broker. `script` holds what to raise instead, one entry a call; None: nothing."""

    def __init__(self, broker: MemoryBroker, *script: Exception | None, applies_first: bool = False) -> None:
        super().__init__(broker)
        self.script, self._applies_first = deque(script), applies_first

    def publish(self, commits: Sequence[Commit]) -> None:
        error = self.script.popleft() if self.script else None
        if error is None or self._applies_first:
            self.broker.apply(commits)
        if error is not None:
            raise error


@contextmanager
def serve(pages: Mapping[str, tuple[int, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine; yields its address and the list of paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = pages.get(self.path.partition("?")[0], (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()
