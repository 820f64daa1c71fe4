"""What requests may ask for, and how much one of them may take."""

from pathlib import Path

from pydantic import ByteSize, Field, field_validator

from consumer.core.catalog import SOURCE_FORMATS
from consumer.settings.sealing import SealingSettings
from consumer.settings.variables import DurationS, Strings


class JobSettings(SealingSettings):
    """What requests may ask for. Sizes are bytes, times seconds."""

    allowed_source_buckets: Strings = Field(description="buckets that requests may read from")
    output_bucket: str = Field(description="bucket for the stems")
    output_prefix: str = Field(default="stems/", description="prefix for the stems")
    allowed_output_buckets: Strings = Field(
        default=(), description="further buckets that a request may name for its stems"
    )
    tenants_file: Path | None = Field(
        default=None,
        description="a file that says which tenant may read where and have stems where; followed when it changes; "
        "unset: every tenant may use every bucket that is allowed",
    )
    max_object_bytes: ByteSize = Field(default=ByteSize(512 * 1024**2), description="largest object that is fetched")
    max_audio_seconds: float = Field(default=7200.0, gt=0, description="longest audio that is separated")
    allowed_formats: Strings = Field(
        default=SOURCE_FORMATS,
        description="containers that are opened, by ffmpeg's demuxer names (`mov` is mp4 and m4a too)",
    )
    max_job_s: DurationS = Field(default=1800.0, gt=0, description="a job's time; then it is stopped")
    deduplicate_content: bool = Field(
        default=True,
        description="copy the stems where a tenant's same content was separated in the same way for another request",
    )

    deduplicate_without_tenant: bool = Field(
        default=True,
        description="also among requests without a tenant, as if they were one tenant's; `false`: never for these",
    )

    @field_validator("allowed_source_buckets")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one bucket")
        return value
