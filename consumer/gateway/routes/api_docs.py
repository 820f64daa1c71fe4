"""The page of the OpenAPI document, for everybody: it holds nothing that the document does not."""

from fastapi import APIRouter

from consumer.gateway.api_docs.files import PAGE, page_files
from consumer.gateway.policies import API_DOCS_POLICY
from consumer.gateway.static_files import static_router


def make_router() -> APIRouter:
    """`/docs`, and its files below that."""
    return static_router(page_files(), index=("/docs", PAGE), below="/docs/{name}", policy=API_DOCS_POLICY)
