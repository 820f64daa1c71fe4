"""Operators' endpoints, behind a scope of their own."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from consumer.core.audit_actions import AuditAction
from consumer.core.errors import Code
from consumer.core.events import REQUEST_ID
from consumer.gateway.access.principal import Scope
from consumer.gateway.routes.parameters import Used, Who
from consumer.gateway.routes.scopes import needs

router = APIRouter(prefix="/v1/operator", tags=["operator"], dependencies=[needs(Scope.OPERATE)])


class PartitionLagBody(BaseModel):
    """One partition: records without an outcome, the age of the oldest in seconds, and offsets that nobody can read."""

    topic: str
    partition: int
    messages: int
    seconds: float
    held: int


class LagBody(BaseModel):
    """How far the group is behind."""

    items: list[PartitionLagBody]


class PartitionBody(BaseModel):
    """A partition that a replica has."""

    topic: str
    partition: int


class RunningJobBody(BaseModel):
    """A job that a replica is at. since: when it was first heard of in this attempt; at: when last."""

    id: str
    instance_id: str
    stage: str
    progress: float | None
    attempt: int
    since: str
    at: str


class ReplicaBody(BaseModel):
    """A member of the group, or, without a member_id, who is heard of and is none (any more)."""

    instance_id: str | None
    member_id: str | None
    client_id: str | None
    host: str | None
    partitions: list[PartitionBody]
    jobs: list[RunningJobBody]


class ReplicasBody(BaseModel):
    """The group, in Kafka's words for its state, and its members."""

    state: str
    items: list[ReplicaBody]


class DeadLettersBody(BaseModel):
    """Dead letters, the latest first."""

    items: list[dict[str, Any]]


@router.get("/lag", summary="Read the group's lag", response_model=LagBody)
async def lag(used: Used) -> Response:
    """Of every partition, also where no replica runs."""
    return JSONResponse({"items": await used.operating.lag()})


@router.get("/replicas", summary="List the replicas, and what each does", response_model=ReplicasBody)
async def replicas(used: Used) -> Response:
    """The group's members by its coordinator; what they do by their progress, of all tenants."""
    return JSONResponse(await used.operating.replicas(used.index.outlook.running()))


@router.get("/dead-letters", summary="List dead letters", response_model=DeadLettersBody)
async def dead_letters(
    used: Used,
    code: Annotated[Code | None, Query(description="of this code alone")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Of all tenants."""
    return JSONResponse({"items": await used.operating.dead_letters(code=code, limit=limit)})


@router.post(
    "/dead-letters/{place}/replay",
    summary="Send a dead letter's record again",
    status_code=HTTPStatus.ACCEPTED,
    response_model=dict[str, str],
)
async def replay(
    place: Annotated[str, Path(max_length=32, description="PARTITION:OFFSET in the topic of dead letters")],
    used: Used,
    who: Who,
) -> Response:
    """As it came, to the topic that it came from; the letter stays."""
    with used.trail.of(AuditAction.DEAD_LETTER_REPLAYED, who) as subject:
        sent = await used.operating.replay(place)
        letter = sent.entry.dead_letter
        if letter and letter.request_id and REQUEST_ID.fullmatch(letter.request_id):
            subject.request_id = letter.request_id
    return JSONResponse({"place": sent.entry.place, "topic": sent.topic}, HTTPStatus.ACCEPTED)
