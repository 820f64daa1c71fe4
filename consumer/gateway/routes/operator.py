"""Operators' endpoints on the group and its work, behind a scope of their own."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from consumer.core.audit_actions import AuditAction
from consumer.gateway.access.principal import Scope
from consumer.gateway.history.view import history_document
from consumer.gateway.index.entry import JobEntry, JobState
from consumer.gateway.index.job_index import IndexBehind
from consumer.gateway.problems import Problem, not_found, service_unavailable
from consumer.gateway.routes import dead_letters
from consumer.gateway.routes.operator_bodies import (
    CancelledBody,
    HistoryBody,
    LagBody,
    LinksBody,
    OpenJobsBody,
    PartitionsBody,
    ReplicasBody,
)
from consumer.gateway.routes.parameters import SeparationId, Used, Who
from consumer.gateway.routes.scopes import needs
from consumer.gateway.services import Services
from consumer.gateway.views import open_job_document

router = APIRouter(prefix="/v1/operator", tags=["operator"], dependencies=[needs(Scope.OPERATE)])
router.include_router(dead_letters.router)


@router.get("/lag", summary="Read the group's lag", response_model=LagBody)
async def lag(used: Used) -> Response:
    """Of every partition, also where no replica runs."""
    return JSONResponse({"items": await used.operating.lag()})


@router.get("/partitions", summary="Find the partition that is stuck", response_model=PartitionsBody)
async def partitions(used: Used) -> Response:
    """Each one's lag, why its records wait, and the replica that has it; the worst first."""
    return JSONResponse({"items": await used.operating.partitions(used.index.outlook.running())})


@router.get("/replicas", summary="List the replicas, and what each does", response_model=ReplicasBody)
async def replicas(used: Used) -> Response:
    """The group's members by its coordinator; what they do by their progress, of all tenants."""
    return JSONResponse(await used.operating.replicas(used.index.outlook.running()))


@router.get("/history", summary="Look at the last hour", response_model=HistoryBody)
async def history(used: Used) -> Response:
    """Lag and replicas as this gateway has sampled them, and outcomes by the times of their records."""
    now = datetime.now(UTC)
    outcomes, samples = used.index.outcomes, used.operating.samples.samples(now.timestamp())
    return JSONResponse(history_document(samples, outcomes.hour(), has_read_all=outcomes.has_read_all, now=now))


@router.get("/links", summary="Where to look further", response_model=LinksBody)
async def links(used: Used) -> Response:
    """As settings name them."""
    return JSONResponse({"grafana": used.links_elsewhere.grafana, "traces": used.links_elsewhere.traces})


@router.get("/jobs", summary="List the jobs that have not ended", response_model=OpenJobsBody)
async def jobs(used: Used, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    """Of all tenants, those first that wait longest."""
    return JSONResponse({"items": [open_job_document(entry) for entry in used.index.table.longest_open(limit)]})


@router.post(
    "/jobs/{id}/cancel",
    summary="Cancel a job of any tenant",
    status_code=HTTPStatus.ACCEPTED,
    response_model=CancelledBody,
    responses={200: {"model": CancelledBody, "description": "It is cancelled already"}},
)
async def cancel(id: SeparationId, used: Used, who: Who) -> Response:
    """Asks that it be stopped, or not begun; as its own tenant may by `DELETE /v1/separations/{id}`."""
    with used.trail.of(AuditAction.CANCEL_REQUESTED, who, id):
        entry = await _of_anybody(used, id)
        if entry.state in (JobState.SUCCEEDED, JobState.FAILED):
            raise Problem(HTTPStatus.CONFLICT, "HAS_ENDED", f"it has {entry.state.value} already")
        body = {"id": id, "state": entry.state.value}
        if entry.state is JobState.CANCELLED:
            return JSONResponse(body)
        await used.submission.cancel(id)
    return JSONResponse(body, HTTPStatus.ACCEPTED)


async def _of_anybody(used: Services, id: str) -> JobEntry:
    try:
        entry = await used.index.find_of_all(id)
    except IndexBehind:
        raise service_unavailable("the index is behind: what is known of this separation is not read yet") from None
    if entry is None:
        raise not_found()
    await used.finder.check_not_forgotten(id, entry.tenant)
    return entry
