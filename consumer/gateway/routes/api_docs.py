"""The page of the OpenAPI document, for everybody: it holds nothing that the document does not."""

from fastapi import APIRouter
from starlette.responses import Response

from consumer.gateway.api_docs.files import PAGE, page_files
from consumer.gateway.policies import API_DOCS_POLICY
from consumer.gateway.static_files import IfNoneMatch, answer_static_file

_METHODS = ["GET", "HEAD"]


def make_router() -> APIRouter:
    """`/docs`, and its files below that."""
    router, files = APIRouter(include_in_schema=False), page_files()

    @router.api_route("/docs", methods=_METHODS)
    async def page(if_none_match: IfNoneMatch = None) -> Response:
        return answer_static_file(files, PAGE, if_none_match, policy=API_DOCS_POLICY)

    @router.api_route("/docs/{name}", methods=_METHODS)
    async def file(name: str, if_none_match: IfNoneMatch = None) -> Response:
        return answer_static_file(files, name, if_none_match, policy=API_DOCS_POLICY)

    return router
