"""Files that come by HTTP: how many at once, and how slowly."""

from pydantic import ByteSize, Field

from consumer.settings.variables import DurationS, Group


class UploadSettings(Group):
    """Files that come by HTTP. Their size is limited by MAX_OBJECT_BYTES."""

    http_max_uploads: int = Field(
        default=32, ge=1, le=10_000,
        description="files that one gateway receives at once, each with some 16 MB of memory; one more is answered 503",
    )  # fmt: skip
    upload_idle_s: DurationS = Field(
        default=20.0, gt=0, description="for how long nothing may come of a file before its sender is given up"
    )
    upload_min_bytes_per_s: ByteSize = Field(
        default=ByteSize(16 * 1024), ge=1,
        description="how fast a file must come on average; whoever is slower is given up",
    )  # fmt: skip
    upload_expires_s: DurationS = Field(
        default=86_400.0, gt=0, le=604_800,
        description="how long an upload of parts may take from its start to its completion",
    )  # fmt: skip
