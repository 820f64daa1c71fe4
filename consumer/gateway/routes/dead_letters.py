"""Operators' endpoints on dead letters; they lie below those of `operator`, which holds the scope."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from consumer.core.audit_actions import AuditAction
from consumer.core.errors import Code
from consumer.core.events import REQUEST_ID, DeadLetter
from consumer.gateway.routes.operator_bodies import DeadLetterBody, DeadLettersBody, ReplayedBody, ReplayPlanBody
from consumer.gateway.routes.parameters import Used, Who
from consumer.gateway.trail import Subject

router = APIRouter(prefix="/dead-letters")

Place = Annotated[str, Path(max_length=32, description="PARTITION:OFFSET in the topic of dead letters")]
DryRun = Annotated[bool, Query(description="send nothing, and tell what would be sent")]


@router.get("", summary="List dead letters", response_model=DeadLettersBody)
async def dead_letters(
    used: Used,
    code: Annotated[Code | None, Query(description="of this code alone")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Of all tenants."""
    return JSONResponse({"items": await used.operating.letters.latest(code=code, limit=limit)})


@router.get("/{place}", summary="Look at a dead letter and its record", response_model=DeadLetterBody)
async def dead_letter(place: Place, used: Used, who: Who) -> Response:
    """The record decoded as far as it can be. What a letter holds is its sender's, or a stranger's: trust no word."""
    with used.trail.of(AuditAction.DEAD_LETTER_SHOWN, who) as subject:
        shown = await used.operating.letters.show(place)
        _note(subject, shown.letter)
    return JSONResponse(shown.document)


@router.post(
    "/{place}/replay",
    summary="Send a dead letter's record again",
    status_code=HTTPStatus.ACCEPTED,
    response_model=ReplayedBody,
    responses={200: {"model": ReplayPlanBody, "description": "Of a dry run: what would be sent"}},
)
async def replay(place: Place, used: Used, who: Who, *, dry_run: DryRun = False) -> Response:
    """As it came, to the topic that it came from; the letter stays."""
    action = AuditAction.DEAD_LETTER_SHOWN if dry_run else AuditAction.DEAD_LETTER_REPLAYED
    with used.trail.of(action, who) as subject:
        letters = used.operating.letters
        shown = await (letters.plan(place) if dry_run else letters.replay(place))
        _note(subject, shown.letter)
    return JSONResponse(shown.document, HTTPStatus.OK if dry_run else HTTPStatus.ACCEPTED)


def _note(subject: Subject, letter: DeadLetter) -> None:
    """A letter's own words are those of who could write to its topic: an id, or nothing of them."""
    if letter.request_id and REQUEST_ID.fullmatch(letter.request_id):
        subject.request_id = letter.request_id
