"""The ways in which a source can be named, or sent."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request

from consumer.gateway.access.principal import Principal
from consumer.gateway.bodies import ContentSource, ObjectSource, SeparationBody, UploadSource
from consumer.gateway.json_bodies import media_type, read_json, unsupported_media_type
from consumer.gateway.problems import Problem
from consumer.gateway.requests import SourceRules, build_request
from consumer.gateway.sending import Accepted, Submission, new_request_id, request_id_of
from consumer.gateway.uploads.contents import Contents, unknown_content
from consumer.gateway.uploads.files import FileSeparations
from consumer.gateway.uploads.form import MEDIA_TYPE
from consumer.gateway.uploads.limits import UploadLimits
from consumer.gateway.uploads.sessions import UploadSessions
from consumer.gateway.uploads.threads import StoreThreads


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploading:
    """What takes files, in a store that takes them part by part."""

    files: FileSeparations
    sessions: UploadSessions
    threads: StoreThreads
    limits: UploadLimits


class Asking:
    """Belongs to one event loop. uploading: None where the store takes no files from here."""

    def __init__(
        self, sources: SourceRules, submission: Submission, contents: Contents, uploading: Uploading | None
    ) -> None:
        self._sources, self._submission, self._contents = sources, submission, contents
        self._uploading = uploading

    def uploading(self) -> Uploading:
        """Raises Problem, 501."""
        if self._uploading is None:
            raise Problem(HTTPStatus.NOT_IMPLEMENTED, "UPLOADS_UNAVAILABLE", "files are not taken here: name an object")
        return self._uploading

    async def ask(self, request: Request, who: Principal, idempotency_key: str | None) -> Accepted:
        """What was asked for, in the log. Raises Problem, Rejected, StoreUnavailable, BrokerUnavailable."""
        kind = media_type(request)
        if kind == MEDIA_TYPE:
            return await self.uploading().files.ask(request, who, idempotency_key)
        if kind != "application/json":
            raise unsupported_media_type("application/json", MEDIA_TYPE)
        body = await read_json(request, SeparationBody)
        if idempotency_key:  # before its source is looked for, which has gone too
            await self._submission.check_not_forgotten(request_id_of(who.tenant, idempotency_key), who.tenant)
        match body.source:
            case ObjectSource():
                source = self._sources.object(body.source)
            case UploadSource(upload_id=upload_id):
                up = self.uploading()
                source = await up.threads.run(lambda: up.sessions.source(who.tenant, upload_id))
            case ContentSource(sha256=sha256):
                content = await self._contents.find(sha256, who.tenant)
                if content is None:
                    raise unknown_content()
                # Under a key the same is the same for ever, also where the content is separated once more meanwhile.
                if not idempotency_key and (found := await self._contents.answered(content, body, who)):
                    return Accepted(found=found, position=None)
                source = await self._contents.source(content)
        request_id = request_id_of(who.tenant, idempotency_key) if idempotency_key else new_request_id()
        return await self._submission.submit(build_request(body, source, request_id=request_id, principal=who))
