"""A separation that comes with its file in one request."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus

import msgspec
from starlette.requests import Request

from consumer.client.files import UPLOADS
from consumer.core.errors import ConsumerError, StoreUnavailable
from consumer.core.events import SeparationRequest, SourceObject
from consumer.core.manifest import Manifest
from consumer.gateway.access.principal import Principal
from consumer.gateway.bodies import Options
from consumer.gateway.finding import Finder, Found
from consumer.gateway.json_bodies import MAX_JSON_BYTES, parse_json
from consumer.gateway.problems import Problem
from consumer.gateway.requests import build_request
from consumer.gateway.sending import Accepted, Submission, new_request_id, request_id_of
from consumer.gateway.uploads.contents import Contents
from consumer.gateway.uploads.form import OVERHEAD_BYTES, Form, boundary_of
from consumer.gateway.uploads.limits import UploadLimits
from consumer.gateway.uploads.receiving import Body, too_large
from consumer.gateway.uploads.sniffing import HEAD_BYTES, check_type
from consumer.gateway.uploads.storing import DIGEST, Digester, FileWriter, ReceivedFile, UploadTarget


class FileSeparations:
    """Belongs to one event loop. The file's key comes from the separation's id, never from the file's name."""

    def __init__(
        self, target: UploadTarget, limits: UploadLimits, submission: Submission, finder: Finder, contents: Contents
    ) -> None:
        self._target, self._limits = target, limits
        self._submission, self._finder, self._contents = submission, finder, contents

    async def ask(self, request: Request, who: Principal, idempotency_key: str | None) -> Accepted:
        """Read the form, put the file into the store, send the request. Raises as `Submission.submit`."""
        body = Body(request, self._limits.pace, self._limits.received)
        most_bytes = self._limits.max_object_bytes
        try:
            body.check_length(most_bytes + MAX_JSON_BYTES + OVERHEAD_BYTES, too_large(most_bytes))
            async with aclosing(Form(body.chunks(), boundary_of(request.headers["content-type"]))) as form:
                return await self._read(form, who, idempotency_key)
        except (Problem, ConsumerError) as error:
            if getattr(error, "status", None) != HTTPStatus.REQUEST_TIMEOUT:
                await body.drain()
            raise

    async def _read(self, form: Form, who: Principal, idempotency_key: str | None) -> Accepted:
        await form.next_part("request", "application/json")
        options = parse_json(await _small_part(form), Options)
        request_id = request_id_of(who.tenant, idempotency_key) if idempotency_key else new_request_id()
        source = SourceObject(bucket=self._target.bucket, key=f"{UPLOADS}{request_id}")
        request = build_request(options, source, request_id=request_id, principal=who)
        # What can be refused is refused before the file comes.
        self._submission.check(request)
        known = await self._finder.look_up(request_id, who.tenant) if idempotency_key else None
        if known is None:
            self._submission.check_in_flight(who.tenant)
        await form.next_part("file")
        with self._limits.slots.one():
            if known is not None:
                return await self._send(request, await self._receive(form, Digester()), known)
            return await self._store_and_send(form, request, keeps=idempotency_key is not None)

    async def _store_and_send(self, form: Form, request: SeparationRequest, *, keeps: bool) -> Accepted:
        """keeps: whether the file is found again by whoever asks again; else it goes where the request does not."""
        writer, is_sent = FileWriter(self._target, request.source.key), False
        try:
            received = await self._receive(form, writer)
            is_sent = True
            return await self._send(request, received, None)
        except BaseException as error:
            await writer.abort()
            # Whoever has gone while the request was sent does not know what became of it, and nor do we.
            is_on_its_way = is_sent and isinstance(error, asyncio.CancelledError)
            if not keeps and not is_on_its_way:
                await self._target.remove(request.source.key)
            raise

    async def _send(self, request: SeparationRequest, received: ReceivedFile, known: Found | None) -> Accepted:
        source = await self._pinned(request, received, known)
        return await self._submission.submit(replace(request, source=source))

    async def _receive(self, form: Form, sink: "FileWriter | Digester") -> ReceivedFile:
        head, size_bytes, is_checked = bytearray(), 0, False
        async for data in form.data():
            size_bytes += len(data)
            if size_bytes > self._limits.max_object_bytes:
                raise too_large(self._limits.max_object_bytes)
            head += data
            if is_checked or len(head) >= HEAD_BYTES:
                if not is_checked:
                    check_type(bytes(head[:HEAD_BYTES]), self._limits.formats)
                await sink.write(bytes(head))
                head, is_checked = bytearray(), True
        if not is_checked:
            check_type(bytes(head), self._limits.formats)
            await sink.write(bytes(head))
        await form.end()
        return await sink.finish()

    async def _pinned(self, request: SeparationRequest, received: ReceivedFile, known: Found | None) -> SourceObject:
        """The object that holds what was received. Raises Problem where another file is there."""
        source, facts = request.source, received.facts
        if facts is None:  # it was there before
            facts = await self._target.stat(source.key)
            if facts is not None and facts.metadata.get(DIGEST) != received.sha256:
                raise _other_file(known)
        if facts is not None:
            return replace(source, etag=facts.etag)
        if known is None:
            raise StoreUnavailable("an object was there, and is no more")
        # The file was removed in time. What was asked for is still known, if it was separated even by its content.
        content = await self._contents.find(received.sha256, request.tenant)
        if content and content.request_id == request.request_id:
            return content.asked
        return _source_of(known, source)


async def _small_part(form: Form) -> bytes:
    found = bytearray()
    async for data in form.data():
        found += data
        if len(found) > MAX_JSON_BYTES:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE",
                f"the part request is larger than {MAX_JSON_BYTES} bytes",
            )  # fmt: skip
    return bytes(found)


def _other_file(known: Found | None) -> Problem:
    if known and not known.has_ended:
        return Problem(HTTPStatus.CONFLICT, "IN_FLIGHT", "a separation of another file is under way under this key")
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", "this key was used before, with another file"
    )


def _source_of(known: Found, source: SourceObject) -> SourceObject:
    """The source of a known separation, if it lies at that key."""
    if isinstance(known.job, Manifest):
        used = known.job.source
        found = SourceObject(bucket=used.bucket, key=used.key, etag=used.etag)
    elif known.job.request:
        found = msgspec.convert(msgspec.json.decode(known.job.request)["source"], SourceObject)
    else:
        return source
    return found if (found.bucket, found.key) == (source.bucket, source.key) else source
