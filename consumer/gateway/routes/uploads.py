"""Large files, part by part: straight to object storage where clients reach it, through the gateway elsewhere."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from consumer.core.audit_actions import AuditAction
from consumer.gateway.access.principal import Scope
from consumer.gateway.json_bodies import read_json
from consumer.gateway.problems import Problem
from consumer.gateway.routes.parameters import Used, Who
from consumer.gateway.routes.scopes import needs
from consumer.gateway.uploads.asking import Uploading
from consumer.gateway.uploads.bodies import CompletedUpload, Upload, UploadBody, UploadPart
from consumer.gateway.uploads.receiving import Body
from consumer.gateway.uploads.sessions import UploadRecord

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], dependencies=[needs(Scope.WRITE)])

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the upload's id")]
Number = Annotated[int, Path(ge=1, le=10_000, description="the part's number, from 1")]


@router.post(
    "",
    summary="Begin an upload",
    status_code=HTTPStatus.CREATED,
    response_model=Upload,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UploadBody"}}},
        }
    },
)  # fmt: skip
async def begin(request: Request, response: Response, used: Used, who: Who) -> Upload:
    """Answers with the parts that the file is to be put in; each is sent by PUT, in any order, several at once."""
    with used.trail.of(AuditAction.UPLOAD_REQUESTED, who) as subject:
        up, body = used.asking.uploading(), await read_json(request, UploadBody)
        upload = await up.threads.run(lambda: _begin(up, who.tenant, body))
        subject.upload_id = upload.upload_id
    response.headers["Location"] = f"/v1/uploads/{upload.upload_id}"
    return upload


def _begin(up: Uploading, tenant: str | None, body: UploadBody) -> Upload:
    upload_id, record = up.sessions.begin(tenant, body.size_bytes, body.sha256)
    return Upload(
        upload_id=upload_id,
        size_bytes=record.size_bytes,
        expires_at=record.expires_at,
        parts=[
            UploadPart(number=number, size_bytes=size, url=_url(up, tenant, upload_id, record, number))
            for number, size in record.part_sizes().items()
        ],
    )


def _url(up: Uploading, tenant: str | None, upload_id: str, record: UploadRecord, number: int) -> str:
    own = f"/v1/uploads/{upload_id}/parts/{number}"
    return up.sessions.part_url(tenant, upload_id, record, number) or own


@router.put(
    "/{id}/parts/{number}",
    summary="Send a part",
    status_code=HTTPStatus.NO_CONTENT,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)  # fmt: skip
async def put_part(id: Id, number: Number, request: Request, used: Used, who: Who) -> Response:
    """Of exactly its size. Sent again, it takes the place of what came before."""
    up = used.asking.uploading()
    size = await up.threads.run(lambda: up.sessions.part_size(who.tenant, id, number))
    body = Body(request, up.limits.pace, up.limits.received)
    try:
        body.check_length(size, _too_large(size))
        with up.limits.slots.one():
            data = await _exactly(body, size)
            await up.threads.run(lambda: up.sessions.put_part(who.tenant, id, number, data))
    except Problem as problem:
        if problem.status != HTTPStatus.REQUEST_TIMEOUT:
            await body.drain()
        raise
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _exactly(body: Body, size: int) -> bytes:
    found = bytearray()
    async for chunk in body.chunks():
        found += chunk
        if len(found) > size:
            raise _too_large(size)
    if len(found) < size:
        raise Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", f"this part has {size} bytes, and fewer came")
    return bytes(found)


def _too_large(size: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", f"this part has {size} bytes")


@router.post("/{id}/complete", summary="Complete an upload", response_model=CompletedUpload)
async def complete(id: Id, used: Used, who: Who) -> CompletedUpload:
    """Once all parts are there. Then `source: {upload_id}` names the file, in as many separations as are wanted."""
    with used.trail.of(AuditAction.UPLOAD_COMPLETED, who, upload_id=id):
        up = used.asking.uploading()
        record = await up.threads.run(lambda: up.sessions.complete(who.tenant, id))
    return CompletedUpload(upload_id=id, size_bytes=record.size_bytes, sha256=record.sha256)


@router.delete("/{id}", summary="Remove an upload", status_code=HTTPStatus.NO_CONTENT)
async def remove(id: Id, used: Used, who: Who) -> Response:
    """With its file, complete or not. Separations of it that have not begun will not find it."""
    with used.trail.of(AuditAction.UPLOAD_REMOVED, who, upload_id=id):
        up = used.asking.uploading()
        await up.threads.run(lambda: up.sessions.remove(who.tenant, id))
    return Response(status_code=HTTPStatus.NO_CONTENT)
