"""What can be asked for, and how much."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from consumer.core.catalog import FORMATS, HIGH_FREQUENCIES, STEM_MODELS
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


class Limits(BaseModel):
    """What is refused beyond. Sizes are bytes, times seconds."""

    max_object_bytes: int
    max_audio_seconds: float
    max_job_seconds: float
    source_buckets: list[str]
    formats: list[str]
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
        containers=list(jobs.allowed_formats),
        high_frequencies=list(HIGH_FREQUENCIES),
    )
