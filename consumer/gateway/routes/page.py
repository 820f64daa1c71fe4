"""The page, for everybody: it holds nothing of any tenant's until a key is entered in it."""

from fastapi import APIRouter

from consumer.gateway.page.files import INDEX, page_files
from consumer.gateway.policies import strict_policy
from consumer.gateway.static_files import static_router


def make_router(store_origin: str | None) -> APIRouter:
    """`/`, and its files below `/page/`. store_origin: of object storage, where clients reach it; None: nowhere."""
    policy = strict_policy(store_origin)
    return static_router(page_files(), index=("/", INDEX), below="/page/{name:path}", policy=policy)
