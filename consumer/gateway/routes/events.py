"""What happens to jobs, as it happens."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import Response

from consumer.gateway.access.principal import Scope
from consumer.gateway.events.response import MEDIA_TYPE, EventStreamResponse
from consumer.gateway.routes.parameters import SeparationId, Used, Who
from consumer.gateway.routes.scopes import needs

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[needs(Scope.READ)])

_EXAMPLE = 'event: accepted\nid: 9f86d081.12,0;0,0;0,0;0,0\ndata: {"id":"5e7c","state":"queued","done":false}\n\n'
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {  # an event is no text, and OpenAPI 3.1 has no word for a stream of them
        "description": "`accepted`, `progress`, `succeeded`, `failed`, `cancelled`, `reset`",
        "content": {MEDIA_TYPE: {"schema": {}, "example": _EXAMPLE}},
    }
}

LastEventId = Annotated[
    str | None, Header(description="the last id that was read, from whichever replica: what is behind it follows")
]


@router.get(
    "/separations/{id}/events",
    summary="Follow a separation",
    status_code=HTTPStatus.OK,
    response_class=Response,
    responses=_RESPONSES,
)
async def follow_one(id: SeparationId, used: Used, who: Who, last_event_id: LastEventId = None) -> Response:
    """Server-sent events, first of its present state, until it has ended."""
    return EventStreamResponse(used.streams.open(who, id, last_event_id))


@router.get(
    "/events",
    summary="Follow all separations",
    status_code=HTTPStatus.OK,
    response_class=Response,
    responses=_RESPONSES,
)
async def follow_all(used: Used, who: Who, last_event_id: LastEventId = None) -> Response:
    """Server-sent events of all the tenant's separations, from now on."""
    return EventStreamResponse(used.streams.open(who, None, last_event_id))
