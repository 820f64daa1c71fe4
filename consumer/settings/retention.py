"""For how long is kept what comes and goes: records in topics, objects in buckets."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from consumer.settings.topics import TopicSettings
from consumer.settings.variables import Group, WrongVariable, config, parse_duration_s

FOREVER = "forever"
_DAY_S = 86_400
_MOST_DAYS = 36_500  # what is longer is meant to be for ever


def _duration(text: str) -> str:
    if text != FOREVER and not 0.001 <= parse_duration_s(text) <= _MOST_DAYS * _DAY_S:
        raise ValueError(f"must be {FOREVER}, or from 1ms to {_MOST_DAYS}d")
    return text


def _days(text: str) -> str:
    if _duration(text) != FOREVER and parse_duration_s(text) % _DAY_S:
        raise ValueError(f"must be {FOREVER}, or whole days such as 30d: object stores count no others")
    return text


Retention = Annotated[str, AfterValidator(_duration)]
RetentionDays = Annotated[str, AfterValidator(_days)]


class RetentionSettings(Group):
    """Spans as text, such as 30d, or forever. Only `topics create`, `buckets create` and `doctor` read them."""

    model_config = config(env_prefix="RETENTION_")

    requests: Retention = Field(
        default="7d",
        description="requests, and those that wait for a retry; these and the next five as 30d, or `forever`",
    )
    results: Retention = Field(default="30d", description="results; at least as long as requests")
    dead_letter: Retention = Field(default="30d", description="dead letters; at least as long as requests")
    progress: Retention = Field(default="1d", description="progress")
    control: Retention = Field(default="7d", description="cancellations")
    audit: Retention = Field(default="400d", description="audit events")
    stems: RetentionDays = Field(
        default=FOREVER, description="stems and what belongs to them, under `OUTPUT_PREFIX`; whole days, or `forever`"
    )
    uploads: RetentionDays = Field(
        default="30d", description="files that the client uploaded; whole days, or `forever`"
    )
    abandoned_uploads: RetentionDays = Field(
        default="1d", description="parts of uploads that nobody finished; whole days, or `forever`"
    )

    @model_validator(mode="after")
    def _outcomes_last(self) -> Self:
        """What was done is learnt from outcomes, so that they must not go before their requests."""
        for name in ("results", "dead_letter"):
            if span_ms(getattr(self, name)) < span_ms(self.requests):
                raise WrongVariable(f"RETENTION_{name}".upper(), "must be at least as long as RETENTION_REQUESTS")
        return self

    def of_topics(self, topics: TopicSettings, retry_topics: Sequence[str]) -> dict[str, str]:
        """The span of each topic, by its name."""
        return {
            topics.requests: self.requests,
            **dict.fromkeys(retry_topics, self.requests),
            topics.results: self.results,
            topics.dead_letter: self.dead_letter,
            topics.progress: self.progress,
            topics.control: self.control,
            topics.audit: self.audit,
        }


def retention_ms(span: str) -> int:
    """A span as Kafka's `retention.ms`, which is -1 for ever."""
    return -1 if span == FOREVER else round(parse_duration_s(span) * 1000)


def retention_days(span: str) -> int | None:
    """A span in whole days, None for ever."""
    return None if span == FOREVER else round(parse_duration_s(span) / _DAY_S)


def span_ms(span: str) -> float:
    """A span to compare with others."""
    return float("inf") if span == FOREVER else retention_ms(span)
