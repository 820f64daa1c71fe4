"""What is sent to the gateway and what it answers, as OpenAPI shows them. Strict: a number is no text."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from consumer.core.catalog import FORMATS, HIGH_FREQUENCIES, MODELS
from consumer.core.limits import HIGHEST_TRACK, LONGEST_SPAN_S, SHORTEST_SPAN_S

_SHA256 = r"^[0-9a-f]{64}$"
Word = Annotated[str, Field(min_length=1, max_length=1024)]


class Body(BaseModel):
    """What is read from a request."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ObjectSource(Body):
    """An object that lies in one of the allowed buckets."""

    bucket: Annotated[str, Field(min_length=1, max_length=63)]
    key: Word
    etag: Annotated[str | None, Field(min_length=1, max_length=128, description="without quotes")] = None


class UploadSource(Body):
    """What was uploaded by `POST /v1/uploads`."""

    upload_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ContentSource(Body):
    """What this tenant has had separated before, by its content."""

    sha256: Annotated[str, Field(pattern=_SHA256)]


class Output(Body):
    """In which format the stems are wanted."""

    bucket: Annotated[str | None, Field(min_length=1, max_length=63)] = None
    prefix: Annotated[str | None, Field(max_length=1024)] = None
    format: Annotated[str, Field(json_schema_extra={"enum": list(FORMATS)})] = "wav"
    bitrate: Annotated[str | None, Field(min_length=1, max_length=16, examples=["192k"])] = None


class Options(Body):
    """What is wanted of a track, wherever it comes from."""

    model: Annotated[str, Field(json_schema_extra={"enum": list(MODELS)})] = "2stems"
    output: Output = Output()
    start_s: Annotated[float | None, Field(ge=0, le=LONGEST_SPAN_S)] = None
    duration_s: Annotated[float | None, Field(ge=SHORTEST_SPAN_S, le=LONGEST_SPAN_S)] = None
    high_frequencies: Annotated[str, Field(json_schema_extra={"enum": list(HIGH_FREQUENCIES)})] = "zeros"
    track: Annotated[int | None, Field(ge=0, le=HIGHEST_TRACK)] = None
    deadline: Annotated[datetime | None, Field(description="not worth doing afterwards")] = None
    metadata: Annotated[dict[str, str], Field(max_length=256, description="handed back untouched")] = Field(
        default_factory=dict
    )


class SeparationBody(Options):
    """A separation that is wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"source": {"bucket": "music", "key": "song.mp3"}, "model": "2stems", "output": {"format": "flac"}}
            ]
        }
    )

    source: ObjectSource | UploadSource | ContentSource


State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


Reason = Annotated[
    Literal["nobody_works", "not_known_yet"],
    Field(description="nobody_works: something waits, and nothing was heard of any separator for a minute"),
]


class Queue(BaseModel):
    """What stands before a job that has not ended, of all tenants' jobs."""

    ahead: Annotated[int, Field(description="jobs that came before it and have not ended; 0 once it is begun")]
    separators: Annotated[int, Field(description="separators that were at work within a minute")]
    work_seconds_ahead: Annotated[
        float | None, Field(description="that one separator would need for what is done before it; null: not known")
    ] = None
    reason: Reason | None = None


class TimeToGo(BaseModel):
    """Seconds until the job's end: the likely value, and the range that it will be in; or why they are not known."""

    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    reason: Reason | None = None


class Segments(BaseModel):
    """Segments of 11.9 s of the audio, and when that was so."""

    done: int
    total: Annotated[int | None, Field(description="null: the file does not say its length")] = None
    at: str


class Separation(BaseModel):
    """A job. `done` says whether it has ended; then exactly one of `result` and `error` is there."""

    id: str
    state: State
    done: bool
    stage: str | None = None
    progress: Annotated[float | None, Field(description="share that is done, 0 to 1", ge=0, le=1)] = None
    segments: Segments | None = None
    eta: TimeToGo | None = None
    queue: Queue | None = None
    attempt: int = 1
    request: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    times: Annotated[dict[str, str], Field(description="accepted_at, changed_at, ended_at")]


class Forgetting(BaseModel):
    """Whether nothing is left of it; where something may be, it was under way, and the same is to be asked again."""

    id: str
    forgotten: bool


class SeparationPage(BaseModel):
    """Some of a tenant's jobs, the latest first."""

    items: list[Separation]
    next_cursor: Annotated[str | None, Field(description="`cursor` for those behind; null: there are none")] = None


class ProblemBody(BaseModel):
    """A problem document, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[dict[str, str]] | None = None
