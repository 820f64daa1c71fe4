"""What a job has made: stems, all of them as one archive, and what is needed to draw them."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response, StreamingResponse

from consumer.core.audit_actions import AuditAction, AuditOutcome
from consumer.core.events import Stem
from consumer.core.model import ObjectFacts
from consumer.gateway.access.principal import Principal, Scope
from consumer.gateway.finding import Found
from consumer.gateway.problems import Problem, not_found
from consumer.gateway.routes.parameters import SeparationId, Used, Who
from consumer.gateway.routes.scopes import needs
from consumer.gateway.services import Services
from consumer.gateway.stems.archive import archive, archive_etag, file_name
from consumer.gateway.stems.content import stems_of
from consumer.gateway.stems.links import FOR_EVER, disposition_of, media_type_of
from consumer.gateway.stems.ranges import Span, span_of
from consumer.gateway.stems.segments import Segment
from consumer.gateway.trail import Act
from consumer.gateway.views import is_known

router = APIRouter(prefix="/v1/separations/{id}", tags=["stems"], dependencies=[needs(Scope.READ)])

Name = Annotated[str, Path(max_length=32)]
Range = Annotated[str | None, Header(max_length=200, description="one span of bytes")]
IfRange = Annotated[str | None, Header(max_length=200)]
IfNoneMatch = Annotated[str | None, Header(max_length=2000)]
Redirect = Annotated[bool, Query(description="whether the answer may be a link; false: the file comes from here")]


def _answers(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI tells of a file."""
    return {
        200: {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The part that was asked for"},
        304: {"description": "It is the one that `If-None-Match` names"},
    }


class Waveform(BaseModel):
    """For each stem the largest sample, 0 to 1, of each of some hundred equal spans."""

    duration_s: float
    stems: dict[str, list[float]]


class StemLink(BaseModel):
    """Where a stem can be fetched.

    url: at the store, without a key, until expires_at. Where clients don't reach the store it is a path of this
    gateway's, which takes the key, and expires_at is null.
    """

    url: str
    expires_at: datetime | None


@router.get(
    "/stems/{name}",
    summary="Get a stem",
    response_class=Response,
    responses={
        **_answers("audio/*"),
        302: {"description": "It lies there, for whoever has this link, and for five minutes"},
    },
)
async def get_stem(
    id: SeparationId,
    name: Name,
    used: Used,
    who: Who,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
    *,
    redirect: Redirect = True,
) -> Response:
    """The file, also in part; or where it lies, if clients reach the store themselves and may be sent there."""
    stem, pinned = await _stem(used, id, who, name)
    headers = _stem_headers(stem)
    if is_known(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if redirect and (link := await used.links.link(stem)) is not None:
        used.trail.tell(replace(_given(who, id), reason="presigned"))
        return Response(status_code=HTTPStatus.FOUND, headers={"Location": link.url, "Cache-Control": "no-store"})
    span = span_of(stem.size_bytes, range_=range, if_range=if_range, etag=headers["ETag"])
    used.trail.tell_once(_given(who, id))
    chunks = used.stems.chunks([Segment(content=stem)], pinned, span.start, span.length)
    return _streamed(StreamingResponse(chunks, media_type=media_type_of(stem)), span, headers)


@router.get("/stems/{name}/link", summary="Get where a stem can be fetched", response_model=StemLink)
async def get_stem_link(id: SeparationId, name: Name, used: Used, who: Who, response: Response) -> StemLink:
    """For pages: a browser can't keep its key from following a redirect of `/stems/{name}`."""
    stem, _ = await _stem(used, id, who, name)
    response.headers["Cache-Control"] = "no-store"
    if (link := await used.links.link(stem)) is None:
        return StemLink(url=f"/v1/separations/{quote(id, safe='')}/stems/{quote(name, safe='')}", expires_at=None)
    used.trail.tell(replace(_given(who, id), reason="presigned"))
    return StemLink(url=link.url, expires_at=link.expires_at)


@router.head("/stems/{name}", include_in_schema=False)
async def head_stem(id: SeparationId, name: Name, used: Used, who: Who, if_none_match: IfNoneMatch = None) -> Response:
    """What `get_stem` tells of a file, wherever it lies: a link is for GET alone."""
    stem, _ = await _stem(used, id, who, name)
    headers = _stem_headers(stem)
    if is_known(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    told = {"Content-Length": str(stem.size_bytes), "Content-Type": media_type_of(stem)}
    return Response(headers=headers | told)


@router.get(
    "/archive",
    summary="Get all stems as one zip",
    response_class=Response,
    responses=_answers("application/zip"),
)
async def get_archive(
    id: SeparationId,
    used: Used,
    who: Who,
    range: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Stored, not compressed; its length is known before it begins."""
    made = stems_of(await _found(used, id, who))
    used.trail.tell_once(_given(who, id))
    etag = archive_etag(made.stems, made.completed_at)
    headers = _headers(f"{id}.zip", etag)
    if is_known(if_none_match, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    pinned = await used.stems.pin(made.stems)
    segments = archive(made.stems, await used.stems.crc32s(made.stems, pinned), made.completed_at)
    size_bytes = sum(segment.size_bytes for segment in segments)
    span = span_of(size_bytes, range_=range, if_range=if_range, etag=etag)
    chunks = used.stems.chunks(segments, pinned, span.start, span.length)
    return _streamed(StreamingResponse(chunks, media_type="application/zip"), span, headers)


@router.get("/waveform", summary="Get what is needed to draw the stems", response_model=Waveform)
async def get_waveform(id: SeparationId, used: Used, who: Who) -> Response:
    """From the manifest."""
    made = stems_of(await _found(used, id, who))
    used.trail.tell_once(_given(who, id))
    manifest = await used.finder.manifest_beside(made.stems[0], id)
    if manifest is None:
        raise Problem(HTTPStatus.GONE, "STEMS_GONE", "the manifest is not in the store any more")
    drawn = {name: list(overview) for name, overview in manifest.overviews.items()}
    duration_s = max((stem.duration_s for stem in made.stems), default=0.0)
    return JSONResponse({"duration_s": duration_s, "stems": drawn}, headers={"Cache-Control": FOR_EVER})


async def _found(used: Services, id: str, who: Principal) -> Found:
    found = await used.finder.look_up(id, who.tenant)
    if found is None:
        raise not_found()
    return found


async def _stem(used: Services, id: str, who: Principal, name: str) -> tuple[Stem, dict[str, ObjectFacts]]:
    """One of a job's stems, which is there. Raises Problem: 404, 409, 410."""
    stem = stems_of(await _found(used, id, who)).named(name)
    return stem, await used.stems.pin([stem])


def _given(who: Principal, id: str) -> Act:
    """What the audit trail is told once something of a job's is given out."""
    return Act(
        action=AuditAction.LINK_ISSUED, outcome=AuditOutcome.SUCCESS, actor=who.id, tenant=who.tenant, request_id=id
    )


def _stem_headers(stem: Stem) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(stem.sha256)).decode()
    return {"Repr-Digest": f"sha-256=:{digest}:", **_headers(file_name(stem), f'"{stem.sha256}"')}


def _headers(name: str, etag: str) -> dict[str, str]:
    return {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": FOR_EVER,
        "Content-Disposition": disposition_of(name),
    }


def _streamed(response: StreamingResponse, span: Span, headers: Mapping[str, str]) -> Response:
    response.headers.update(headers)
    response.headers["Content-Length"] = str(span.length)
    if span.is_partial:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response.headers["Content-Range"] = span.content_range
    return response
