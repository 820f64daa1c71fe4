"""The page of the OpenAPI document, for everybody: it holds nothing that the document does not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException
from starlette.responses import Response

from consumer.gateway.api_docs.files import PAGE, PageFile, page_files
from consumer.gateway.views import is_known

_METHODS = ["GET", "HEAD"]

IfNoneMatch = Annotated[str | None, Header(max_length=2000)]


def make_router() -> APIRouter:
    """`/docs`, and its files below that."""
    router, files = APIRouter(include_in_schema=False), page_files()

    @router.api_route("/docs", methods=_METHODS)
    async def page(if_none_match: IfNoneMatch = None) -> Response:
        return _answer(files, PAGE, if_none_match)

    @router.api_route("/docs/{name}", methods=_METHODS)
    async def file(name: str, if_none_match: IfNoneMatch = None) -> Response:
        return _answer(files, name, if_none_match)

    return router


def _answer(files: Mapping[str, PageFile], name: str, if_none_match: str | None) -> Response:
    file = files.get(name)
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {"ETag": file.etag, "Cache-Control": "public, no-cache"}
    if is_known(if_none_match, file.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
