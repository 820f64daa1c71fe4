"""Jobs: asking for them, looking at them, cancelling them."""

import re
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from consumer.core.audit_actions import AuditAction, AuditOutcome
from consumer.gateway.access.principal import Principal, Scope
from consumer.gateway.bodies import Forgetting, Separation, SeparationPage, State
from consumer.gateway.finding import Found
from consumer.gateway.index.entry import JobEntry, JobState
from consumer.gateway.index.job_index import IndexBehind
from consumer.gateway.index.positions import parse_place
from consumer.gateway.problems import Problem, not_found, service_unavailable
from consumer.gateway.routes.parameters import SeparationId, Used, Who
from consumer.gateway.routes.scopes import needs
from consumer.gateway.services import Services
from consumer.gateway.trail import Act
from consumer.gateway.views import cursor_of, etag_of, is_known, parse_cursor

router = APIRouter(prefix="/v1/separations", tags=["separations"])

_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")
_LONGEST_WAIT_S = 60
_POLL_AGAIN_S = 2
_MOST_IDS = 100

IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="the same again is the same separation, for ever")
]
Prefer = Annotated[str | None, Header(max_length=255, description="`wait=n`: wait up to n seconds, at most 60")]
Forget = Annotated[bool, Query(description="take away all that is kept of it, for good; it is 410 from then on")]
Reached = Annotated[str | None, Header(alias="Separation-Position", max_length=300, description="as POST answered it")]


@router.post(
    "",
    summary="Ask for a separation",
    dependencies=[needs(Scope.WRITE)],
    status_code=HTTPStatus.ACCEPTED,
    response_model=Separation,
    responses={200: {"model": Separation, "description": "It was asked for before, or has ended meanwhile"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/SeparationBody"}},
                "multipart/form-data": {
                    "schema": {"$ref": "#/components/schemas/FileForm"},
                    "encoding": {"request": {"contentType": "application/json"}},
                },
            },
        }
    },
)  # fmt: skip
async def ask(
    request: Request, used: Used, who: Who, idempotency_key: IdempotencyKey = None, prefer: Prefer = None
) -> Response:
    """Answers once the brokers have the request, or with what is known of it already.

    Its file may come with it, as the second part of a form.
    """
    with used.trail.of(AuditAction.SEPARATION_REQUESTED, who) as subject:
        accepted = await used.asking.ask(request, who, idempotency_key)
        request_id = subject.request_id = accepted.found.job.request_id
    headers = {"Location": f"/v1/separations/{request_id}"}
    if accepted.position is None:
        headers["Idempotent-Replayed"] = "true"
    else:
        headers["Separation-Position"] = accepted.position
    found = accepted.found
    if not found.has_ended and (wait_s := _wait_s(prefer)):
        headers["Preference-Applied"] = f"wait={wait_s}"
        if entry := await used.index.ended(request_id, who.tenant, within_s=wait_s):
            found = Found(entry)
    return _answer(used, found, headers)


def _answer(used: Services, found: Found, headers: dict[str, str]) -> Response:
    is_there = found.has_ended or "Idempotent-Replayed" in headers
    if not found.has_ended:
        headers["Retry-After"] = str(_POLL_AGAIN_S)
    return JSONResponse(_shown(used, found), HTTPStatus.OK if is_there else HTTPStatus.ACCEPTED, headers)


@router.get(
    "",
    summary="List separations",
    dependencies=[needs(Scope.READ)],
    response_model=SeparationPage,
)
async def look_at_many(
    used: Used,
    who: Who,
    state: Annotated[State | None, Query()] = None,
    id: Annotated[list[str] | None, Query(max_length=_MOST_IDS, description="these alone, each once")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The latest first. Ids that are not this tenant's are left out."""
    before = _cursor(cursor)
    if id is not None:
        entries = [entry for each in dict.fromkeys(id) if (entry := used.index.find(each, who.tenant))]
        wanted = [entry for entry in entries if state in (None, entry.state.value)]
        return JSONResponse({"items": [_shown(used, Found(entry)) for entry in wanted], "next_cursor": None})
    wanted_state = None if state is None else JobState(state)
    page = used.index.table.page(who.tenant, state=wanted_state, before=before, limit=limit + 1)
    more = cursor_of(page[limit - 1]) if len(page) > limit else None
    return JSONResponse({"items": [_shown(used, Found(entry)) for entry in page[:limit]], "next_cursor": more})


@router.get(
    "/{id}",
    summary="Look at a separation",
    dependencies=[needs(Scope.READ)],
    response_model=Separation,
    responses={304: {"description": "It is as `If-None-Match` says"}},
)
async def look_at(
    id: SeparationId,
    used: Used,
    who: Who,
    if_none_match: Annotated[str | None, Header(max_length=2000)] = None,
    separation_position: Reached = None,
    prefer: Prefer = None,
) -> Response:
    """Where it is. What was accepted before this was asked is never unknown."""
    await _reach(used, separation_position)
    found = await used.finder.look_up(id, who.tenant)
    if found is None:
        raise not_found()
    headers = {}
    if not found.has_ended and (wait_s := _wait_s(prefer)):
        headers["Preference-Applied"] = f"wait={wait_s}"
        if entry := await used.index.ended(id, who.tenant, within_s=wait_s):
            found = Found(entry)
    document = _shown(used, found)
    headers |= {"ETag": etag_of(document), "Cache-Control": "private, no-cache"}
    if not found.has_ended:
        headers["Retry-After"] = str(_POLL_AGAIN_S)
    if is_known(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return JSONResponse(document, headers=headers)


@router.delete(
    "/{id}",
    summary="Cancel or forget a separation",
    dependencies=[needs(Scope.WRITE)],
    status_code=HTTPStatus.ACCEPTED,
    response_model=Separation | Forgetting,
    responses={200: {"model": Separation | Forgetting, "description": "It is cancelled, or forgotten, already"}},
)
async def cancel(id: SeparationId, used: Used, who: Who, *, forget: Forget = False) -> Response:
    """Asks that it be stopped, or not begun; with `forget=true` that nothing be left of it, wherever it is."""
    if forget:
        return await _forget(id, used, who)
    with used.trail.of(AuditAction.CANCEL_REQUESTED, who, id):
        found = await used.finder.look_up(id, who.tenant)
        if found is None:
            raise not_found()
        if found.state in (JobState.SUCCEEDED, JobState.FAILED):
            raise Problem(HTTPStatus.CONFLICT, "HAS_ENDED", f"it has {found.state.value} already")
        if found.state is JobState.CANCELLED:
            return JSONResponse(_shown(used, found))
        await used.submission.cancel(id)
    return JSONResponse(_shown(used, found), HTTPStatus.ACCEPTED, {"Retry-After": str(_POLL_AGAIN_S)})


def _shown(used: Services, found: Found) -> dict[str, Any]:
    """A job, with what stands before it and how long that will take where it has not ended."""
    document = used.finder.document(found)
    if isinstance(found.job, JobEntry) and not found.has_ended:
        document |= used.index.outlook.of(found.job)
    return document


async def _forget(id: str, used: Services, who: Principal) -> Response:
    with used.trail.of(AuditAction.FORGET_REQUESTED, who, id):
        is_done = False
        try:
            is_done = await used.forgetting().forget(id, who.tenant)
        except Problem as problem:
            is_done = problem.status == HTTPStatus.GONE
            raise
        finally:
            if is_done:
                done = Act(action=AuditAction.SEPARATION_FORGOTTEN, outcome=AuditOutcome.SUCCESS, actor=who.id)
                used.trail.tell_once(replace(done, tenant=who.tenant, request_id=id))
    body = {"id": id, "forgotten": is_done}
    if is_done:
        return JSONResponse(body)
    return JSONResponse(body, HTTPStatus.ACCEPTED, {"Retry-After": str(_POLL_AGAIN_S)})


async def _reach(used: Services, position: str | None) -> None:
    """Wait until what the client has seen elsewhere is seen here."""
    if position is None:
        return
    if (place := parse_place(position)) is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "POSITION_INVALID", "Separation-Position is not one that we gave")
    partition, offset = place
    if partition not in used.index.positions:
        return  # of another cluster, or a stranger's invention: nothing to wait for
    try:
        await used.index.pass_by({partition: offset + 1})
    except IndexBehind:
        raise service_unavailable("the index has not read so far yet") from None


def _cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    if (cursor := parse_cursor(text)) is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "CURSOR_INVALID", "cursor is not one that we gave")
    return cursor


def _wait_s(prefer: str | None) -> int:
    found = _PREFER_WAIT.search(prefer or "")
    return min(_LONGEST_WAIT_S, int(found.group(1))) if found else 0
