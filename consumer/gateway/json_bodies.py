"""JSON bodies, counted and timed while they come."""

import asyncio
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from consumer.gateway.problems import Problem, invalid

MAX_JSON_BYTES = 1 << 20
BODY_S = 20.0
BodyT = TypeVar("BodyT", bound=BaseModel)


async def read_json(request: Request, kind: type[BodyT]) -> BodyT:
    """The body as one of these. Raises Problem: 400, 408, 413, 415, 422."""
    if media_type(request) != "application/json":
        raise unsupported_media_type("application/json")
    return parse_json(await read_bytes(request), kind)


def parse_json(data: bytes, kind: type[BodyT]) -> BodyT:
    """One of these from JSON. Raises Problem: 400, 422."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_context=False, include_input=False)) from None


def media_type(request: Request) -> str:
    """What the body is said to be, in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def unsupported_media_type(*wanted: str) -> Problem:
    """Of a body that nobody here reads."""
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", f"the body must be {' or '.join(wanted)}"
    )


async def read_bytes(request: Request, *, most: int = MAX_JSON_BYTES, within_s: float = BODY_S) -> bytes:
    """The whole body. Raises Problem: 400 where it was cut, 408, 413."""
    found = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                found += chunk
                if len(found) > most:
                    raise Problem(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", f"the body is larger than {most} bytes"
                    )
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "TOO_SLOW", f"the body did not come within {within_s:g} s") from None
    except ClientDisconnect:
        raise Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", "the body was cut") from None
    return bytes(found)
