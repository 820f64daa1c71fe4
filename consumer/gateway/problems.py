"""Everything that is no success, as problem documents (RFC 9457), made in one place. None repeats what was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from consumer.client.errors import AccessDenied
from consumer.core.errors import (
    AuditUnavailable,
    BrokerUnavailable,
    Code,
    ConsumerError,
    Rejected,
    StoreBusy,
    Transient,
)
from consumer.core.log_events import LogEvent
from consumer.gateway.access.principal import Forbidden, Unauthenticated

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5  # for what is away
_STATUS = {
    Code.REQUEST_INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.BUCKET_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Code.OBJECT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.OBJECT_CHANGED: HTTPStatus.CONFLICT,
    Code.OBJECT_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.FORMAT_NOT_ALLOWED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one field: a JSON pointer to it, and a sentence."""

    pointer: str
    detail: str


class Problem(Exception):
    """An answer that is no success. code: stable, in capitals; detail: a sentence that says what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = int(status), code, detail
        self.headers, self.errors = dict(headers or {}), tuple(errors)


def not_found() -> Problem:
    """Of a job, whoever's it is: what is another's is not told from what is not there."""
    return Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "there is no such separation")


def service_unavailable(detail: str, *, retry_after_s: float = _RETRY_AFTER_S) -> Problem:
    """Something that the gateway needs is away; the same may be asked again."""
    headers = {"Retry-After": str(max(1, round(retry_after_s)))}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", detail, headers=headers)


def problem_response(problem: Problem, request_id: str) -> JSONResponse:
    """As it is sent; `request_id` is that of the HTTP request, which the log has too."""
    body: dict[str, Any] = {
        "type": f"urn:spleeter-consumer:problem:{problem.code.lower().replace('_', '-')}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"urn:uuid:{request_id}",
        "code": problem.code,
    }
    if problem.errors:
        body["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in problem.errors]
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """Whatever was raised, as what is answered."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return invalid(error.errors())
        case HTTPException():
            return _of_framework(error)
        case Unauthenticated():
            headers = {"WWW-Authenticate": 'Bearer realm="spleeter-consumer"'}
            return Problem(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", str(error), headers=headers)
        case Forbidden():
            return Problem(HTTPStatus.FORBIDDEN, "SCOPE_MISSING", str(error))
        case Rejected():
            return Problem(_STATUS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY), error.code, error.message)
        case StoreBusy() if error.retry_after_s:
            return service_unavailable("object storage has too many requests", retry_after_s=error.retry_after_s)
        case AuditUnavailable():
            return service_unavailable("the audit trail takes nothing: nothing is done without it")
        case BrokerUnavailable() | AccessDenied():
            return service_unavailable("Kafka does not answer: nothing was accepted")
        case Transient():
            return service_unavailable("something that the service needs does not answer")
        case _:
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "an error of the service, which is logged")


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """A body or parameters without the form that was asked for, in pydantic's words; 400 where it is no JSON."""
    if any(error["type"] == "json_invalid" for error in errors):
        return Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", "the body is not JSON in UTF-8")
    found = tuple(FieldError(pointer=_pointer(error["loc"]), detail=_told(error)) for error in errors)
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, Code.REQUEST_INVALID, "some fields can't be used; `errors` says which",
        errors=found,
    )  # fmt: skip


def add_handlers(app: FastAPI) -> None:
    """Have all that is raised answered by this module."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            reason = str(error) if isinstance(error, ConsumerError) else type(error).__name__
            structlog.get_logger().warning(LogEvent.HTTP_UNAVAILABLE, code=problem.code, reason=reason)
        return problem_response(problem, request.scope["state"]["request_id"])

    for kind in (Problem, RequestValidationError, HTTPException, ConsumerError):
        app.add_exception_handler(kind, answer)


def _of_framework(error: HTTPException) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    details = {
        HTTPStatus.NOT_FOUND: "there is no such page",
        HTTPStatus.METHOD_NOT_ALLOWED: "this page has no such method",
    }
    code = phrase.upper().replace(" ", "_").replace("-", "_").replace("'", "")
    detail = details.get(HTTPStatus(error.status_code), phrase.lower())
    return Problem(error.status_code, code, detail, headers=error.headers)


def _told(error: Mapping[str, Any]) -> str:
    words = {"extra_forbidden": "there is no such field", "missing": "must be there"}
    return words.get(str(error["type"]), str(error["msg"]))


def _pointer(location: Sequence[object]) -> str:
    """RFC 6901; names that a sender chose are left out."""
    parts = [str(part).replace("~", "~0").replace("/", "~1")[:64] for part in location]
    return "".join(f"/{part}" for part in parts)
