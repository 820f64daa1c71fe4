"""The gateway's own application, on a log and a store in memory: every route, and who may use it, without a socket."""

import asyncio
import hashlib
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from consumer.core.events import SeparationRequest
from consumer.core.model import ObjectFacts, StoredPart, TopicPartition
from consumer.gateway.access.authenticator import Authenticator
from consumer.gateway.access.key_file import FollowedKeys
from consumer.gateway.app import make_app
from consumer.gateway.events.room import StreamRoom
from consumer.gateway.events.streams import EventStreams, StreamTimes
from consumer.gateway.finding import Finder
from consumer.gateway.forgetting import Forgetting, ForgettingPlace
from consumer.gateway.forgotten import ForgottenBook
from consumer.gateway.index.interpret import asked
from consumer.gateway.operating import Operating
from consumer.gateway.publishing import Publisher
from consumer.gateway.rate_limit import RateLimiter, RatePolicy
from consumer.gateway.requests import SourceRules
from consumer.gateway.sending import Submission
from consumer.gateway.services import LinksElsewhere, Services
from consumer.gateway.stems.content import StemStore
from consumer.gateway.stems.links import StemLinks
from consumer.gateway.trail import Trail
from consumer.gateway.uploads.asking import Asking
from consumer.gateway.uploads.contents import ContentPlace, Contents
from consumer.gateway.uploads.limits import UploadLimits
from consumer.gateway.uploads.receiving import Pace
from consumer.gateway.uploads.slots import Slots
from consumer.gateway.uploads.uploads import Uploads
from consumer.observability.tracing import NoTracer
from consumer.pipeline.forgetting import Eraser, ErasingPlace
from consumer.pipeline.forgotten import Forgetter, Tombstones
from consumer.pipeline.stages.validate import Validate
from consumer.settings import JobSettings
from consumer.testing.audit import MemoryAuditLog
from consumer.testing.store import MemoryStore
from harness.job_log import REQUESTS, IndexOf, JobLog

IN, OUT, PREFIX = "music", "stems", "stems/"
_PATIENCE_S = 60.0
_ENDLESS = b": keep-alive\n"  # of a stream that has nothing more to tell for now


class MemoryFiles(MemoryStore):
    """See ports.PartStore and ports.RangedReads. Clients don't reach it."""

    def __init__(self, *buckets: str) -> None:
        super().__init__(*buckets)
        self._uploads: dict[tuple[str, str, str], dict[int, bytes]] = {}
        self._numbers, self._uploading = itertools.count(1), threading.Lock()

    def begin(self, bucket: str, key: str) -> str:
        with self._uploading:
            upload_id = f"store-{next(self._numbers)}"
            self._uploads[bucket, key, upload_id] = {}
        return upload_id

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> StoredPart | None:
        with self._uploading:
            parts = self._uploads.get((bucket, key, upload_id))
            if parts is None:
                return None
            parts[number] = data
        return _part(number, data)

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Sequence[StoredPart] | None:
        with self._uploading:
            parts = self._uploads.get((bucket, key, upload_id))
            return None if parts is None else [_part(number, parts[number]) for number in sorted(parts)]

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[StoredPart]) -> str | None:
        with self._uploading:
            data = self._uploads.pop((bucket, key, upload_id), None)
        if data is None:
            return None
        content = b"".join(data[part.number] for part in parts)
        return self.replace(bucket, key, content, media_type="application/octet-stream", metadata={}).etag

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        with self._uploading:
            self._uploads.pop((bucket, key, upload_id), None)

    def read_chunks(self, bucket: str, key: str, *, etag: str, first_bytes: int | None = None) -> Iterator[bytes]:
        facts = self.stat(bucket, key)
        if facts is not None and facts.etag == etag:
            yield (self.read(bucket, key) or b"")[:first_bytes]

    def part_url(self, bucket: str, key: str, upload_id: str, number: int, *, expires_s: int) -> str | None:
        return None

    def read_range(self, source: ObjectFacts, start: int, length: int) -> Iterator[bytes]:
        yield self._pinned(source).data[start : start + length]


def _part(number: int, data: bytes) -> StoredPart:
    return StoredPart(
        number=number, size_bytes=len(data), etag=hashlib.md5(data, usedforsecurity=False).hexdigest()
    )  # fmt: skip


class MemoryPublisher:
    """As Publisher: what is sent lies in the log, and the index has read it."""

    def __init__(self, log: JobLog, replica: IndexOf) -> None:
        self._log, self._replica = log, replica
        self.cancelled: list[str] = []

    async def request(self, request: SeparationRequest) -> tuple[TopicPartition, int]:
        where = TopicPartition(REQUESTS, 0)
        offset = len(self._log.partitions.get(where, ()))
        at_ms = round(request.requested_at.timestamp() * 1000)
        place = self._log.write(REQUESTS, 0, asked(request, partition=0, offset=offset, at_ms=at_ms))
        self._replica.read((where, 1))
        return place

    async def cancel(self, request_id: str) -> None:
        self.cancelled.append(request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A whole answer. headers: names in lower case, in the order in which they came."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class _Heard:
    """Belongs to the running loop."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(default_factory=bytearray)
    is_all: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class MemoryGateway:
    """Belongs to the running loop. keys: a file of `spleeter-consumer keys`. most_in_flight: jobs of one tenant."""

    def __init__(self, folder: Path, keys: Path, *, most_in_flight: int = 1000) -> None:
        self.log, self.store = JobLog(), MemoryFiles(IN, OUT)
        self.replica = IndexOf(self.log, folder)
        self.publisher = MemoryPublisher(self.log, self.replica)
        self._uploads = Uploads(self.store, self.store, IN, _limits(), expires_s=600)
        generous = RateLimiter(RatePolicy(requests_per_s=1_000_000, burst=1_000_000))
        authenticator = Authenticator(keys=FollowedKeys(keys))
        self._app = make_app(
            self._services(most_in_flight), authenticator, generous, report=lambda *_: None, tracer=NoTracer()
        )

    async def close(self) -> None:
        """End its threads."""
        await self._uploads.close()
        self.replica.table.close()

    async def ask(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Told:
        """An answer; of a stream of events that goes on what it has to tell by now."""
        heard, sent = _Heard(), False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.sleep(_PATIENCE_S)  # a client that stays
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                heard.status = message["status"]
                heard.headers = tuple((name.decode().lower(), value.decode()) for name, value in message["headers"])
                return
            heard.body += message.get("body", b"")
            if not heard.is_all.done() and (not message.get("more_body") or _ENDLESS in heard.body):
                heard.is_all.set_result(None)

        answering = asyncio.ensure_future(self._app(_scope(method, target, headers or {}, body), receive, send))
        told, _ = await asyncio.wait(
            (answering, heard.is_all), timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
        )
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering
        assert told, f"{method} {target} is not answered"
        return Told(status=heard.status, headers=heard.headers, body=bytes(heard.body))

    def _services(self, most_in_flight: int) -> Services:
        index, store = self.replica.index, self.store
        tombstones = Tombstones(store=store, bucket=OUT, prefix=PREFIX)
        finder = Finder(index, store, ForgottenBook(tombstones), output_bucket=OUT, output_prefix=PREFIX)
        validate = Validate(source_buckets=(IN,), output_bucket=OUT, output_prefix=PREFIX, further_output_buckets=())
        publisher = cast(Publisher, self.publisher)
        submission = Submission(validate, finder, index, publisher, most_in_flight=most_in_flight)
        sources = SourceRules(source_buckets=(IN,), upload_bucket=IN)
        contents = Contents(store, ContentPlace(bucket=OUT, prefix=PREFIX, source_buckets=(IN,)), submission)
        uploading = self._uploads.take(submission, finder, contents)
        room = StreamRoom(most=100, most_of_one=100)
        eraser = Eraser(store, store, ErasingPlace(bucket=OUT, prefix=PREFIX, upload_bucket=IN))
        forgetting = Forgetting(
            finder,
            index,
            submission,
            Forgetter(tombstones=tombstones, eraser=eraser),
            ForgettingPlace(bucket=OUT, prefix=PREFIX, further_buckets=()),
            lambda _: None,  # no other gateway is there to be told
        )
        return Services(
            index=index,
            finder=finder,
            submission=submission,
            asking=Asking(sources, submission, contents, uploading),
            streams=EventStreams(index, finder, self.replica.log, room, times=StreamTimes(keep_alive_s=0.0)),
            sources=sources,
            stems=StemStore(store, store),
            links=StemLinks(None),
            operating=cast(Operating, None),  # asks Kafka; no key of these tests has the scope for it
            links_elsewhere=LinksElsewhere(),
            trail=Trail(MemoryAuditLog(), "gateway"),
            can_forget=forgetting,
            jobs=JobSettings(allowed_source_buckets=(IN,), output_bucket=OUT),
        )


def _limits() -> UploadLimits:
    return UploadLimits(
        max_object_bytes=1 << 20,
        formats=("wav",),
        pace=Pace(idle_s=30.0, least_bytes_per_s=1),
        slots=Slots(16),
        received=lambda _: None,
    )


def _scope(method: str, target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = target.partition("?")
    told = {"host": "gateway", "content-length": str(len(body)), **{n.lower(): v for n, v in headers.items()}}
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "root_path": "", "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        "client": ("127.0.0.1", 1), "server": ("gateway", 80),
    }  # fmt: skip
