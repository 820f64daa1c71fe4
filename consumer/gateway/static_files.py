"""Files that lie in a package and are sent as they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources.abc import Traversable
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException
from starlette.responses import Response

from consumer.gateway.views import is_known

_METHODS = ["GET", "HEAD"]

IfNoneMatch = Annotated[str | None, Header(max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file. etag: a strong validator, in quotes."""

    content: bytes
    media_type: str
    etag: str


def read_static_file(path: Traversable, media_type: str) -> StaticFile:
    """As it lies there."""
    content = path.read_bytes()
    return StaticFile(content=content, media_type=media_type, etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def static_router(files: Mapping[str, StaticFile], *, index: tuple[str, str], below: str, policy: str) -> APIRouter:
    """Serves the files, outside the API's description. policy: their Content-Security-Policy.

    index: a path, and the name of the file that it answers with. below: where all of them are, a path with `{name}`.
    They are asked for again each time, so that a page never mixes files of two releases.
    """
    router = APIRouter(include_in_schema=False)
    index_path, index_name = index

    @router.api_route(index_path, methods=_METHODS)
    async def page(if_none_match: IfNoneMatch = None) -> Response:
        return _answer(files, index_name, if_none_match, policy)

    @router.api_route(below, methods=_METHODS)
    async def file(name: str, if_none_match: IfNoneMatch = None) -> Response:
        return _answer(files, name, if_none_match, policy)

    return router


def _answer(files: Mapping[str, StaticFile], name: str, if_none_match: str | None, policy: str) -> Response:
    """The file of that name, or 304 where it is known. Raises HTTPException, 404."""
    file = files.get(name)
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {"ETag": file.etag, "Cache-Control": "public, no-cache", "Content-Security-Policy": policy}
    if is_known(if_none_match, file.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
