"""The page, for everybody: it holds nothing of any tenant's until a key is entered in it."""

from fastapi import APIRouter
from starlette.responses import Response

from consumer.gateway.page.files import INDEX, page_files
from consumer.gateway.policies import strict_policy
from consumer.gateway.static_files import IfNoneMatch, answer_static_file

_METHODS = ["GET", "HEAD"]


def make_router(store_origin: str | None) -> APIRouter:
    """`/`, and its files below `/page/`. store_origin: of object storage, where clients reach it; None: nowhere."""
    router, files, policy = APIRouter(include_in_schema=False), page_files(), strict_policy(store_origin)

    @router.api_route("/", methods=_METHODS)
    async def index(if_none_match: IfNoneMatch = None) -> Response:
        return answer_static_file(files, INDEX, if_none_match, policy=policy)

    @router.api_route("/page/{path:path}", methods=_METHODS)
    async def file(path: str, if_none_match: IfNoneMatch = None) -> Response:
        return answer_static_file(files, path, if_none_match, policy=policy)

    return router
