"""The ASGI application: routes, and what lies around them."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from consumer.core.tracing import RequestTracer
from consumer.gateway.access.authenticator import Authenticator
from consumer.gateway.access_control import AccessControl
from consumer.gateway.bodies import ProblemBody, SeparationBody
from consumer.gateway.middleware import App, Report, RequestScope
from consumer.gateway.problems import MEDIA_TYPE, add_handlers
from consumer.gateway.rate_limit import RateLimiter
from consumer.gateway.routes import access, api_docs, catalog, events, operator, page, separations, stems, uploads
from consumer.gateway.services import Services
from consumer.gateway.uploads.bodies import FileForm, UploadBody

_SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
_PROBLEMS = ("400", "401", "403", "404", "405", "408", "409", "410", "411", "413", "415", "422", "429", "501", "503")


def make_app(
    services: Services,
    authenticator: Authenticator,
    limiter: RateLimiter,
    *,
    report: Report,
    tracer: RequestTracer,
) -> App:
    """The whole of it. `report` is told of each answer, `tracer` of each request; see `middleware`."""
    api = FastAPI(
        title="spleeter-consumer",
        version=version("spleeter-consumer"),
        summary="Music in, stems out: exactly one outcome for every request.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    api.state.services = services
    routers = (separations, stems, events, uploads, catalog, access, operator)
    for router in (each.router for each in routers):
        api.include_router(router)
    api.include_router(api_docs.make_router())
    api.include_router(page.make_router(services.links.origin))
    add_handlers(api)
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]
    return RequestScope(AccessControl(api, authenticator, limiter, services.trail), report, tracer)


def _document(api: FastAPI) -> dict[str, object]:
    """OpenAPI, with what every operation has: keys, and problems in place of the framework's own errors."""
    if api.openapi_schema:
        return api.openapi_schema
    document = get_openapi(
        title=api.title, version=api.version, summary=api.summary, routes=api.routes, openapi_version="3.1.0"
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    document["components"]["securitySchemes"] = _SECURITY
    document["security"] = [{name: []} for name in _SECURITY]
    for model in (SeparationBody, FileForm, UploadBody, ProblemBody):
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= described.pop("$defs", {}) | {model.__name__: described}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}}
    for path in document["paths"].values():
        for operation in path.values():
            answers: dict[str, dict[str, Any]] = operation["responses"]
            answers |= {status: {"description": _words(status), **problem} for status in _PROBLEMS}
    api.openapi_schema = document
    return document


def _words(status: str) -> str:
    return HTTPStatus(int(status)).phrase
