"""What happens to jobs, as it happens."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path
from starlette.responses import Response

from consumer.gateway.access.principal import Principal, Scope
from consumer.gateway.events.response import MEDIA_TYPE, EventStreamResponse
from consumer.gateway.routes.scopes import needs
from consumer.gateway.services import Services, principal_of, services_of

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[needs(Scope.READ)])

_EXAMPLE = 'event: accepted\nid: 9f86d081.12,0;0,0;0,0;0,0\ndata: {"id":"5e7c","state":"queued","done":false}\n\n'
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`accepted`, `progress`, `succeeded`, `failed`, `cancelled`, `reset`",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the separation's id")]
LastEventId = Annotated[
    str | None, Header(description="the last id that was read, from whichever replica: what is behind it follows")
]
Used = Annotated[Services, Depends(services_of)]
Who = Annotated[Principal, Depends(principal_of)]


@router.get(
    "/separations/{id}/events",
    summary="Follow a separation",
    status_code=HTTPStatus.OK,
    response_class=EventStreamResponse,
    responses=_RESPONSES,
)
async def follow_one(id: Id, used: Used, who: Who, last_event_id: LastEventId = None) -> Response:
    """Server-sent events, first of its present state, until it has ended."""
    return EventStreamResponse(used.streams.open(who, id, last_event_id))


@router.get(
    "/events",
    summary="Follow all separations",
    status_code=HTTPStatus.OK,
    response_class=EventStreamResponse,
    responses=_RESPONSES,
)
async def follow_all(used: Used, who: Who, last_event_id: LastEventId = None) -> Response:
    """Server-sent events of all the tenant's separations, from now on."""
    return EventStreamResponse(used.streams.open(who, None, last_event_id))
