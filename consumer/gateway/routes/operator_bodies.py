"""What operators are answered, as OpenAPI shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from consumer.gateway.standing import Standing


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


class PartitionStandingBody(PartitionLagBody):
    """A partition's lag, why its records wait, and the replica that has it; null: nobody, or not known.

    held_seconds: for how long this gateway has seen the same transaction of a sender hold it; 0 where none does.
    """

    held_seconds: float
    standing: Standing
    owner: str | None


class PartitionsBody(BaseModel):
    """All partitions, the worst first."""

    items: list[PartitionStandingBody]


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


class OpenJobBody(BaseModel):
    """A job that has not ended. partition: of its request; accepted_at: when that was written."""

    id: str
    tenant: str | None
    state: Literal["queued", "running"]
    partition: int
    offset: int
    accepted_at: str


class OpenJobsBody(BaseModel):
    """Jobs that have not ended, those first that wait longest."""

    items: list[OpenJobBody]


class CancelledBody(BaseModel):
    """A job, and its state when its cancellation was asked for."""

    id: str
    state: Literal["queued", "running", "cancelled"]


class SampleBody(BaseModel):
    """One moment. What could not be read then is null. seconds: age of the oldest record without an outcome."""

    at: str
    messages: int | None
    seconds: float | None
    replicas: int | None


class MinuteBody(BaseModel):
    """Outcomes whose records have a time within a minute, and the audio that was separated for them, in seconds."""

    at: str
    separated: int
    copied: Annotated[int, Field(description="results whose stems were there already")]
    failed: int
    cancelled: int
    audio_s: float


class HistoryBody(BaseModel):
    """The last hour. begins_at: the first sample of this gateway's; before it nothing is known of lag and replicas."""

    now: str
    span_s: int
    every_s: int
    begins_at: str | None
    samples: list[SampleBody]
    minutes: list[MinuteBody]
    codes: Annotated[dict[str, int], Field(description="dead letters of the hour by code; OTHER: codes of nobody's")]
    has_read_all: Annotated[bool, Field(description="false: outcomes are still read, and there may be more of them")]


class LinksBody(BaseModel):
    """Where operators look further. traces: with `{trace_id}` in it that of one trace."""

    grafana: str | None
    traces: str | None


class DeadLettersBody(BaseModel):
    """Dead letters, the latest first."""

    items: list[dict[str, Any]]


class BytesBody(BaseModel):
    """Bytes of a record. text: what they say where they are UTF-8, cut at 200 characters; null: they are not."""

    size_bytes: int
    text: str | None


class HeaderBody(BaseModel):
    """A header of a record."""

    name: str
    value: BytesBody | None


class DeadLetterBody(BaseModel):
    """A dead letter with its record. Texts are cut at 4000 characters, names at 200, lists at 100 entries.

    request: what the record says, null where it is no request, as `request_error` tells. value_bytes: the record's
    size; null where the letter holds none.
    """

    place: str
    request_id: str | None
    code: str
    message: str
    stage: str
    attempts: int
    topic: str
    partition: int
    offset: int
    failed_at: str
    consumer_version: str
    timestamp: str | None
    key: BytesBody | None
    value_bytes: int | None
    headers: list[HeaderBody]
    headers_left_out: int
    request: dict[str, Any] | None
    request_error: str | None
    trace_id: str | None


class ReplayPlanBody(BaseModel):
    """What a replay would send, and where to; or why nothing."""

    place: str
    would_send: bool
    why_not: str | None
    topic: str | None
    key: BytesBody | None
    value_bytes: int | None
    headers: Annotated[list[str] | None, Field(description="names, in their order")]


class ReplayedBody(BaseModel):
    """The letter whose record was sent again, and the topic that it went to."""

    place: str
    topic: str
