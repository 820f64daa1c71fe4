"""What can be asked for, and how much."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from consumer.core.catalog import FORMATS, HIGH_FREQUENCIES, STEM_MODELS, Bitrates
from consumer.gateway.access.principal import Scope
from consumer.gateway.routes.scopes import needs
from consumer.gateway.services import Services, services_of

router = APIRouter(prefix="/v1", tags=["catalog"], dependencies=[needs(Scope.READ)])


class ModelBody(BaseModel):
    """A model, and the stems that it gives."""

    name: str
    stems: list[str]


class Models(BaseModel):
    """The models that can be asked for."""

    items: list[ModelBody]


class BitratesBody(BaseModel):
    """What a lossy format can be asked for, in bits per second; steps_bps: nothing between them."""

    lowest_bps: int
    highest_bps: int
    steps_bps: list[int] | None


class Limits(BaseModel):
    """What is refused beyond. Sizes are bytes, times seconds. bitrates: by format; others have none."""

    max_object_bytes: int
    max_audio_seconds: float
    max_job_seconds: float
    source_buckets: list[str]
    formats: list[str]
    bitrates: dict[str, BitratesBody]
    containers: list[str]
    high_frequencies: list[str]


@router.get("/models", summary="List models")
async def models() -> Models:
    """Each with its stems, in their order."""
    return Models(items=[ModelBody(name=name, stems=list(model.stems)) for name, model in STEM_MODELS.items()])


@router.get("/limits", summary="List limits")
async def limits(used: Annotated[Services, Depends(services_of)]) -> Limits:
    """What this deployment takes."""
    jobs = used.jobs
    return Limits(
        max_object_bytes=int(jobs.max_object_bytes),
        max_audio_seconds=jobs.max_audio_seconds,
        max_job_seconds=jobs.max_job_s,
        source_buckets=list(jobs.allowed_source_buckets),
        formats=list(FORMATS),
        bitrates={name: _shown(each.bitrates) for name, each in FORMATS.items() if each.bitrates},
        containers=list(jobs.allowed_formats),
        high_frequencies=list(HIGH_FREQUENCIES),
    )


def _shown(bitrates: Bitrates) -> BitratesBody:
    steps_bps = bitrates.steps_bps
    return BitratesBody(
        lowest_bps=bitrates.lowest_bps,
        highest_bps=bitrates.highest_bps,
        steps_bps=None if steps_bps is None else list(steps_bps),
    )
